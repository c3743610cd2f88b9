"""The example projects, built unchanged by docker's own commands: what the images hold, what an edit runs again."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support import examples
from tests.support.engine import PrivateEngine
from tests.support.examples import add_line, content, replace
from tests.support.project import Project
from tests.support.registry import Registry
from tests.support.steps import hits

Edit = Callable[[Project], object]
Example = Callable[[str], Project]

SITE = "lib/python3.12/site-packages"
VOICE_BUILDER = ("--file", "docker/dockerfile.dev", "--target", "builder")
TWO_PLATFORMS = ("--platform", "linux/amd64,linux/arm64")


@pytest.fixture
def example(engine: PrivateEngine, tmp_path: Path) -> Example:
    """Gives a copy of an example whose base images are there."""

    def copied(name: str) -> Project:
        examples.load_bases(engine, name)
        return Project(examples.copy(name, tmp_path / name))

    return copied


def ran(engine: PrivateEngine, project: Project, *words: str) -> list[str]:
    """Build as a user would who stands in the project; gives the steps that missed, by the first words of each."""
    verb, *options = words or ("build",)
    path = ["."] if verb == "build" else []
    done = engine.docker("buildx", verb, "--progress=rawjson", *options, *path, cwd=project.path)
    return sorted(_short(name) for name, hit in hits(done).items() if not hit and "] exporting" not in name)


def _short(name: str) -> str:
    """`[build 7/7] RUN --mount=… uv sync --frozen` → `build: RUN uv sync --frozen`."""
    where, _, instruction = name.removeprefix("[").partition("] ")
    stage = where.rpartition(" ")[0]
    keyword, *words = instruction.split()
    words = [word for word in words if not word.startswith("--mount=")]
    return " ".join([*([f"{stage}:"] if stage else []), keyword, *words[:2]])


# What is there.


@pytest.mark.parametrize("name", sorted(examples.BASES))
def test_an_example_is_complete(name: str) -> None:
    folder = examples.FOLDER / name
    assert 5 <= len((folder / "README.md").read_text().strip().splitlines()) <= 16
    assert (folder / ".dockerignore").is_file()
    assert examples.needed(name) - {"voice:latest-builder"} <= set(examples.BASES[name])
    for path in folder.rglob("*ockerfile*"):
        assert path.name == ".dockerignore" or "# syntax=" not in path.read_text()


def test_the_table_names_every_example() -> None:
    folders = {path.name for path in examples.FOLDER.iterdir() if (path / "README.md").is_file()}
    assert folders == set(examples.BASES)


@pytest.mark.parametrize("name", ["voice", "poetry-ci"])
def test_the_settings_name_what_is_there(name: str, tmp_path: Path) -> None:
    folder = examples.copy(name, tmp_path / name)
    targets = tomllib.loads((folder / "hitmiss.toml").read_text())["targets"]
    for settings in targets.values():
        dockerfile = (folder / settings.get("dockerfile", "Dockerfile")).read_text()
        assert "target" not in settings or f" AS {settings['target']}\n" in dockerfile
        assert set(settings.get("needs", ())) <= targets.keys()
        for pattern in settings.get("triggers", ()):
            assert list(folder.glob(pattern)), pattern


# What is built.


def test_logs(example: Example, engine: PrivateEngine) -> None:
    project = example("logs")
    engine.docker("build", "--tag", "logs", ".", cwd=project.path)
    files = content(engine, "logs")
    assert {f"app/venv/{SITE}/{name}/__init__.py" for name in ("django", "whitenoise", "gunicorn")} <= files.keys()
    assert {"app/code/manage.py", "app/code/staticfiles/entries/page.css"} <= files.keys()
    assert not {"app/code/README.md", "app/code/Dockerfile", "usr/share/doc/build-essential"} & files.keys()
    assert files["app/data"].uid == 1000
    development = ("--target", "builder", "--build-arg", "ENVIRONMENT=dev")
    engine.docker("build", *development, "--tag", "logs:dev", ".", cwd=project.path)
    files = content(engine, "logs:dev")
    assert f"app/venv/{SITE}/coverage/__init__.py" in files
    assert f"app/venv/{SITE}/gunicorn/__init__.py" not in files


def test_voice(example: Example, engine: PrivateEngine) -> None:
    project = example("voice")
    engine.docker("build", *VOICE_BUILDER, "--tag", "voice:latest-builder", ".", cwd=project.path)
    engine.docker("build", "--tag", "voice", ".", cwd=project.path)
    assert "usr/share/doc/build-essential" in content(engine, "voice:latest-builder")
    files = content(engine, "voice")
    assert {f"opt/venv/{SITE}/{name}/__init__.py" for name in ("numpy", "miniaudio", "cffi")} <= files.keys()
    assert f"opt/venv/{SITE}/pytest/__init__.py" not in files
    assert "usr/share/doc/build-essential" not in files
    assert files["app/main.py"].uid == files["app/plugins/pitch.py"].uid == 1000
    assert engine.docker("image", "inspect", "--format", "{{.Config.User}}", "voice").stdout.strip() == "voice"
    engine.docker("build", "--file", "docker/dockerfile.dev", "--tag", "voice:dev", ".", cwd=project.path)
    assert f"opt/venv/{SITE}/pytest/__init__.py" in content(engine, "voice:dev")


def test_voice_for_two_platforms(example: Example, engine: PrivateEngine, registry: Registry) -> None:
    project, builder, app = example("voice"), registry.ref("voice:latest-builder"), registry.ref("voice:latest")
    engine.docker("build", *VOICE_BUILDER, *TWO_PLATFORMS, "--push", "--tag", builder, ".", cwd=project.path)
    argument = f"BUILDER_IMAGE={builder}"
    engine.docker("build", *TWO_PLATFORMS, "--build-arg", argument, "--push", "--tag", app, ".", cwd=project.path)
    pushed = engine.docker("buildx", "imagetools", "inspect", app).stdout
    assert {"linux/amd64", "linux/arm64"} <= set(pushed.split())


def test_shop(example: Example, engine: PrivateEngine) -> None:
    project = example("shop")
    engine.docker("compose", "build", cwd=project.path)
    assert ran(engine, project, "bake") == []
    files = content(engine, "shop-backend")
    assert {"app/src/app.py", "app/config/products.toml"} <= files.keys()
    assert f"home/shop/.local/{SITE}/flask/__init__.py" in files
    files = content(engine, "shop-frontend")
    assert {"app/src/server.js", "app/config/shop.json", "app/node_modules/express/package.json"} <= files.keys()
    engine.docker("compose", "--file", "compose.before.yaml", "build", cwd=project.path)
    files = content(engine, "shop-before")
    assert {"shop/frontend/node_modules/express/package.json", "shop/backend/src/app.py"} <= files.keys()
    assert f"usr/local/{SITE}/flask/__init__.py" in files


def test_uvapp(example: Example, engine: PrivateEngine) -> None:
    project = example("uvapp")
    engine.docker("build", "--tag", "uvapp", ".", cwd=project.path)
    files = content(engine, "uvapp")
    assert {f"app/.venv/{SITE}/{name}/__init__.py" for name in ("fastapi", "uvicorn", "pydantic")} <= files.keys()
    assert {"app/src/uvapp/__init__.py", f"app/.venv/{SITE}/_uvapp.pth"} <= files.keys()
    assert f"app/.venv/{SITE}/pytest/__init__.py" not in files
    assert not [name for name in files if name.startswith("root/.cache/uv/")]
    assert '"exec.cachemount"' in engine.docker("buildx", "du", "--format", "json").stdout


def test_poetry_ci(example: Example, engine: PrivateEngine) -> None:
    project = example("poetry-ci")
    # Without credentials there is still a secret, an empty one.
    for file in ("Dockerfile", "Dockerfile.args"):
        secret = "id=pip,env=PIP_INDEX_CREDENTIALS"
        engine.docker("build", "--file", file, "--secret", secret, "--tag", "ci-report", ".", cwd=project.path)
        files = content(engine, "ci-report")
        assert {f"app/.venv/{SITE}/rich/__init__.py", "app/.venv/bin/ci-report"} <= files.keys()
        assert "app/src/ci_report/__init__.py" in files
        assert f"app/.venv/{SITE}/pytest/__init__.py" not in files


# What an edit runs again.


def copy_late(project: Project) -> None:
    """Mend `logs` as its README says."""
    replace(project, "Dockerfile", "COPY . /app/code\nARG", "COPY requirements/ requirements/\nARG")
    replace(project, "Dockerfile", "RUN python manage.py", "COPY . /app/code\nRUN python manage.py")


BEFORE = ("bake", "--file", "compose.before.yaml")

EDITS: list[tuple[str, str, Sequence[str], Edit, list[str]]] = [
    (
        "logs",
        "code",
        (),
        lambda p: add_line(p, "entries/views.py"),
        # The virtual environment came out as it was, so that the last stage takes it from the cache.
        [
            "builder: COPY . /app/code",
            "builder: RUN python manage.py",
            "builder: RUN uv venv",
            "runtime: COPY --from=builder /app/code",
        ],
    ),
    (
        "logs",
        "requirements",
        (),
        lambda p: replace(p, "requirements/prod.txt", "gunicorn==23.0.0", "gunicorn==22.0.0"),
        [
            "builder: COPY . /app/code",
            "builder: RUN python manage.py",
            "builder: RUN uv venv",
            "runtime: COPY --from=builder /app/code",
            "runtime: COPY --from=builder /app/venv",
        ],
    ),
    ("logs", "readme", (), lambda p: add_line(p, "README.md"), []),
    (
        "logs",
        "copied late",
        (),
        copy_late,
        [
            "builder: COPY . /app/code",
            "builder: COPY requirements/ requirements/",
            "builder: RUN python manage.py",
            "builder: RUN uv venv",
        ],
    ),
    (
        "shop",
        "code of the backend",
        ("bake",),
        lambda p: add_line(p, "backend/src/app.py"),
        ["backend: COPY src/ src/"],
    ),
    (
        "shop",
        "configuration of the backend",
        ("bake",),
        lambda p: add_line(p, "backend/config/products.toml"),
        ["backend: COPY config/ config/", "backend: COPY src/ src/"],
    ),
    (
        "shop",
        "code of the frontend",
        ("bake",),
        lambda p: add_line(p, "frontend/src/page.js", "// changed"),
        ["frontend: COPY src/ src/"],
    ),
    (
        "shop",
        "configuration of the frontend",
        ("bake",),
        lambda p: replace(p, "frontend/config/shop.json", "The small", "The very small"),
        ["frontend: COPY config/ config/", "frontend: COPY src/ src/"],
    ),
    (
        "shop",
        "packages of the frontend",
        ("bake",),
        lambda p: replace(p, "frontend/package.json", "1.0.3", "1.0.2"),
        [
            "frontend: COPY config/ config/",
            "frontend: COPY package.json package-lock.json",
            "frontend: COPY src/ src/",
            "frontend: RUN npm ci",
        ],
    ),
    (
        "shop",
        "code before the split",
        BEFORE,
        lambda p: add_line(p, "backend/src/app.py"),
        ["COPY . .", "RUN cd frontend", "RUN pip install"],
    ),
    (
        "uvapp",
        "code",
        (),
        lambda p: add_line(p, "src/uvapp/__init__.py"),
        ["stage-0: COPY . /app", "stage-0: RUN uv sync"],
    ),
    (
        "uvapp",
        "lock file",
        (),
        lambda p: replace(p, "uv.lock", 'version = "3.11"', 'version = "3.10"'),
        ["stage-0: COPY . /app", "stage-0: RUN uv sync", "stage-0: RUN uv sync"],
    ),
    (
        "poetry-ci",
        "code",
        (),
        lambda p: add_line(p, "src/ci_report/__init__.py"),
        ["build: COPY src/ src/", "build: RUN poetry install", "final: COPY --from=build /app/src"],
    ),
    ("poetry-ci", "tests", (), lambda p: add_line(p, "tests/test_report.py"), []),
]


@pytest.mark.parametrize(
    ("name", "words", "edit", "expected"),
    [pytest.param(name, *more, id=f"{name}: {what}") for name, what, *more in EDITS],
)
def test_an_edit_runs_what_the_readme_says(
    example: Example, engine: PrivateEngine, name: str, words: Sequence[str], edit: Edit, expected: list[str]
) -> None:
    project = example(name)
    ran(engine, project, *words)
    assert ran(engine, project, *words) == []
    edit(project)
    assert ran(engine, project, *words) == expected


def test_logs_on_another_python(example: Example, engine: PrivateEngine) -> None:
    project = example("logs")
    ran(engine, project)
    missed = ran(engine, project, "build", "--build-arg", "PYTHON_BASE_IMAGE=python:3.13-slim")
    assert len(missed) == 6 + 5, missed


def test_logs_copied_late_installs_nothing_on_a_save(example: Example, engine: PrivateEngine) -> None:
    project = example("logs")
    copy_late(project)
    ran(engine, project)
    add_line(project, "entries/views.py", "# copied late")
    assert "builder: RUN uv venv" not in ran(engine, project)


def test_voice_is_a_chain(example: Example, engine: PrivateEngine) -> None:
    project = example("voice")

    def builder() -> list[str]:
        return ran(engine, project, "build", *VOICE_BUILDER, "--tag", "voice:latest-builder")

    builder()
    ran(engine, project)
    add_line(project, "main.py")
    assert builder() == []
    assert ran(engine, project) == ["app: COPY --chown=voice:voice main.py"]
    add_line(project, "plugins/pitch.py")
    assert builder() == []
    assert ran(engine, project) == ["app: COPY --chown=voice:voice main.py", "app: COPY --chown=voice:voice plugins/"]
    replace(project, "uv.lock", 'version = "2.3.4"', 'version = "2.3.3"')
    # The app is made from the image that is there, until another takes its name.
    assert ran(engine, project) == []
    assert builder() == ["builder: COPY pyproject.toml uv.lock", "builder: RUN uv sync"]
    assert ran(engine, project) == [
        "app: COPY --chown=voice:voice main.py",
        "app: COPY --chown=voice:voice plugins/",
        "app: COPY --from=builder /opt/venv",
    ]


def test_credentials_miss_as_an_argument_alone(example: Example, engine: PrivateEngine) -> None:
    project = example("poetry-ci")
    secret: list[list[str]] = []
    argument: list[list[str]] = []
    for credentials in ("me:first", "me:second"):
        project.write("credentials", credentials)
        secret.append(ran(engine, project, "build", "--secret", "id=pip,src=credentials"))
        options = ("--file", "Dockerfile.args", "--build-arg", f"PIP_INDEX_CREDENTIALS={credentials}")
        argument.append(ran(engine, project, "build", *options))
    assert secret[1] == []
    assert argument[1] == [
        "build: COPY pyproject.toml poetry.lock",
        "build: COPY src/ src/",
        "build: RUN if [",
        "build: RUN pip install",
        "build: RUN poetry install",
        "build: WORKDIR /app",
    ]


def test_credentials_as_an_argument_are_warned_of(example: Example, engine: PrivateEngine) -> None:
    project = example("poetry-ci")
    for file, warned in (("Dockerfile", False), ("Dockerfile.args", True)):
        done = engine.docker("build", "--call=check", "--file", file, ".", cwd=project.path, check=False)
        assert ("SecretsUsedInArgOrEnv" in done.stdout) is warned
        assert (done.returncode == 0) is not warned


@pytest.mark.parametrize("name", ["build", "final"])
def test_poetry_ci_comes_from_the_cache_that_its_settings_name(
    engine: PrivateEngine,
    second_engine: PrivateEngine,
    registry: Registry,
    tmp_path: Path,
    name: str,
) -> None:
    project = Project(examples.copy("poetry-ci", tmp_path / "poetry-ci", registry=registry.host))
    settings = tomllib.loads(project.read("hitmiss.toml"))["targets"][name]
    secrets = [f"--secret=id={key},env={value['env']}" for key, value in settings["secrets"].items()]
    arguments = [f"--build-arg={key}={value}" for key, value in settings.get("args", {}).items()]
    tags = [f"--tag={tag}" for tag in settings["tags"] if "{" not in tag]
    sources = [f"--cache-from={source}" for source in settings["cache_from"]]
    sinks = [f"--cache-to={sink}" for sink in settings.get("cache_to", ())]
    options = ["--target", settings["target"], *secrets, *arguments, *tags, *sources]

    bases = examples.load_bases(engine, "poetry-ci")
    engine.copy_images_to(second_engine, *bases)
    ran(engine, project, "build", *options, *sinks, "--push")
    second_engine.empty_cache()
    assert ran(second_engine, project, "build", *options) == []
