# `make run` shows hitmiss, `make test` proves it. Everything lives in .venv and .cache of this folder; what the tests
# need of the system is installed by tests/support/install.py, on Debian as root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

# As on a user's machine, where a module is compiled when it is installed and not each time hitmiss starts.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check lint bench matrix generated screenshots stop clean

# With the engine that is there; else, on Debian as root, with a private one; else hitmiss itself says what to do.
run: $(STAMP)
	@$(BIN)/python -m tests.support.engine use -- $(BIN)/hitmiss demo $(ARGS)

# All there is to check. One worker per file at a time, so that each starts its engines once.
test: $(STAMP) lint
	$(BIN)/python -m tests.support.install
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# What needs no engine and no terminal: quick enough for every save.
check: $(STAMP) lint
	$(BIN)/python -m pytest -q -n 2 -m "not engine and not e2e" $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo >$(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

bench: $(STAMP)
	$(BIN)/python -m tests.support.install
	$(BIN)/python -m tests.bench $(ARGS)

# How often verdicts, causes and plans are right: hand-written cases, and generated ones (`ARGS="--steps 500"`).
matrix: $(STAMP)
	$(BIN)/python -m tests.support.install
	$(BIN)/python -m tests.matrix.figures $(ARGS)

generated: $(STAMP)
	$(BIN)/python -m tests.support.install
	$(BIN)/python -m tests.generated $(ARGS)

screenshots: $(STAMP)
	$(BIN)/python -m tests.support.install --screenshots
	$(BIN)/python -m tests.screenshots $(ARGS)

# Ends the private engine that `make run` keeps.
stop:
	@$(PYTHON) -m tests.support.engine stop

clean: stop
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist snapshot_report.html

# Debian has the module that makes a venv in a package of its own. Dependencies come as wheels alone.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hitmiss needs Python 3.11 or newer.")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null || \
			{ echo "Python's venv module is missing: install python3-venv." >&2; exit 1; }; \
		apt-get -qq update && \
			DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends python3-venv >/dev/null; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --editable '.[dev]'
	@touch $@
