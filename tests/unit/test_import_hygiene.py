"""The pure rooms load nothing of the outside world, and the first frame waits for nothing that it does not need."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import hitmiss

SOURCE = Path(hitmiss.__file__).parent
OUTSIDE = ("textual", "python_on_whales", "sqlite3", "click", "rich")


def modules(room: str) -> list[str]:
    """The modules of a room."""
    return [f"hitmiss.{room}.{path.stem}" for path in sorted((SOURCE / room).glob("*.py")) if path.stem != "__init__"]


def loaded(code: str, *names: str, words: Sequence[str] = ()) -> list[str]:
    """Which of these modules a fresh interpreter has loaded after it ran this."""
    script = f"import sys\nsys.argv[1:] = {list(words)!r}\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    present = set(done.stderr.split())
    return [name for name in names if name in present]


PURE = [
    *modules("build"),
    *modules("project"),
    "hitmiss.schedule",
    "hitmiss.settings",
    "hitmiss.errors",
    "hitmiss.snapshot",
]


def test_there_are_pure_rooms() -> None:
    assert len(PURE) > 15


def test_the_check_itself_sees_what_is_loaded() -> None:
    assert loaded("import sqlite3", *OUTSIDE) == ["sqlite3"]


def test_all_pure_rooms_together() -> None:
    assert loaded(f"import {', '.join(PURE)}", *OUTSIDE) == []


@pytest.mark.parametrize("module", ["hitmiss.build.fold", "hitmiss.project.definition", "hitmiss.project.watch"])
def test_a_pure_module_alone(module: str) -> None:
    assert loaded(f"import {module}", *OUTSIDE) == []


def test_help_loads_only_the_command_line() -> None:
    code = (
        "from hitmiss.__main__ import main\n"
        "import contextlib, io\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()"
    )
    heavy = ("textual", "rich", "python_on_whales", "sqlite3", "asyncio", "hitmiss.session", "hitmiss.headless")
    assert loaded(code, *heavy, "click", words=["--help"]) == ["click"]


def test_the_screen_opens_without_the_engines_library() -> None:
    unneeded = ("python_on_whales", "pydantic", "dockerfile", "hitmiss.doctor")
    assert loaded("import hitmiss.ui.app, hitmiss.screen", *unneeded, "textual") == ["textual"]


def test_a_build_without_the_screen_does_not_load_it() -> None:
    assert loaded("import hitmiss.headless", "textual", "python_on_whales", "rich") == ["rich"]
