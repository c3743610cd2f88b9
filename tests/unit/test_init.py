"""`hitmiss init` on several folders: what it writes is read again."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hitmiss
from hitmiss.cli import main
from hitmiss.errors import UsageError
from hitmiss.init import compose, dockerfiles
from hitmiss.settings import Settings, Target, load

PLAIN = "FROM scratch\nCOPY . /\n"
STAGES = """\
ARG BASE=python:3.12
ARG PIP_TOKEN=x
FROM ${BASE} AS build
ARG VERSION="1.0" TARGETARCH
ARG FULL=${VERSION}-x
RUN --mount=type=secret,id=my.key --mount=type=secret,target=/run/secrets/npm make
FROM scratch AS final
COPY --from=build /out /
"""
EXAMPLES = Path(hitmiss.__file__).parent / "examples"


def folder_of(tmp_path: Path, files: Mapping[str, str]) -> Path:
    folder = tmp_path / "My Project"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["init", "-C", str(folder), *words], prog_name="hitmiss")


def all_in_force(text: str) -> str:
    """The text as if every `#` before a setting were taken away."""
    return re.sub(r"(?m)^#(?! )", "", text)


FOLDERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "one": {"Dockerfile": STAGES},
    "compose": {"Dockerfile": PLAIN, "Dockerfile.dev": PLAIN, "compose.yaml": "services: {}", ".env": ""},
    "bake": {"docker-bake.hcl": "", "docker-bake.override.hcl": "", "a/Dockerfile": PLAIN, "b/Dockerfile": PLAIN},
    "broken": {"Dockerfile": "NONSENSE\n"},
    "odd names": {'x"y.Dockerfile': PLAIN, "Dockerfile.é": PLAIN, "Dockerfile.a b": PLAIN, "Dockerfile.v1.2": PLAIN},
    "same names": {
        "Dockerfile": PLAIN,
        "a/Dockerfile.dev": PLAIN,
        "b/Dockerfile.dev": PLAIN,
        "c/dev.dockerfile": PLAIN,
    },
    "chains": {"Dockerfile": STAGES, "Dockerfile.dev": STAGES, "Dockerfile.prod": STAGES},
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_what_is_written_can_be_read_with_and_without_its_marks(kind: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, FOLDERS[kind])
    result = run(folder)
    assert result.exit_code == 0, result.output
    place = folder / "hitmiss.toml"
    text = place.read_text()
    settings = load(folder)
    wanted = kind in ("odd names", "same names", "chains")
    assert bool(settings.targets) == wanted
    assert settings == Settings(targets=settings.targets)
    for target in settings.targets.values():
        assert target == Target(context=target.context, dockerfile=target.dockerfile)
        assert (folder / target.dockerfile).is_file()
        assert (folder / target.context).is_dir()
    assert max(map(len, text.splitlines())) <= 120
    place.write_text(all_in_force(text))
    whole = load(folder)
    assert len(whole.targets) == max(1, len(dockerfiles(folder)))
    assert whole.settle == Settings().settle
    assert whole.on_change == Settings().on_change


@pytest.mark.parametrize("name", ["webapp", "logs", "voice", "shop", "uvapp", "poetry-ci"])
def test_the_examples(name: str) -> None:
    folder = EXAMPLES / name
    if not folder.is_dir():
        pytest.skip("not there yet")
    result = run(folder, "--print")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("# The settings of hitmiss for this project.")


def test_several_dockerfiles_are_targets(tmp_path: Path) -> None:
    copies = "FROM scratch\nCOPY src/ requirements.txt /\n"
    folder = folder_of(
        tmp_path,
        {
            "Dockerfile": PLAIN,
            "Dockerfile.dockerignore": "x",
            "docker/dockerfile.dev": PLAIN,
            "backend/Dockerfile.prod": copies,
            "backend/requirements.txt": "",
            "api/Dockerfile": PLAIN,
            "web/build.Dockerfile": copies,
            "requirements.txt": "",
            "Dockerfile.md": "# How it is built",
            "node_modules/x/Dockerfile": PLAIN,
            ".hidden/Dockerfile": PLAIN,
            "a/b/c/d/Dockerfile": PLAIN,
        },
    )
    result = run(folder)
    assert result.output == f"Wrote {folder}/hitmiss.toml (5 targets: app, api, prod, dev, build).\n"
    found = {name: (each.dockerfile, each.context) for name, each in load(folder).targets.items()}
    assert found == {
        "app": ("Dockerfile", "."),
        "api": ("api/Dockerfile", "api"),
        "prod": ("backend/Dockerfile.prod", "backend"),
        "dev": ("docker/dockerfile.dev", "."),
        "build": ("web/build.Dockerfile", "."),
    }


def test_stages_arguments_and_secrets_are_told(tmp_path: Path) -> None:
    text, targets = compose(folder_of(tmp_path, {"Dockerfile": STAGES}))
    assert targets == ()
    assert "# Its stages: build, final.\n" in text
    assert '#target = "final"\n' in text
    assert '#args = { BASE = "python:3.12", VERSION = "1.0", FULL = "" }\n' in text
    assert '#secrets = { "my.key" = { env = "MY_KEY" }, npm = { env = "NPM" } }\n' in text
    assert '#tags = ["my-project:latest", "my-project:{branch}"]\n' in text
    assert "PIP_TOKEN" not in text


def test_bake_and_compose_files_are_picked_up_by_themselves(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {**FOLDERS["compose"], "docker-bake.hcl": ""})
    text, targets = compose(folder)
    assert "# docker-bake.hcl and compose.yaml say what is built here: picked up without a setting.\n" in text
    assert targets == ()


def test_printing_writes_nothing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, FOLDERS["one"])
    assert run(folder, "--print").output == compose(folder)[0]
    assert not (folder / "hitmiss.toml").exists()


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"hitmiss.toml": "settle = 5\n"})
    with pytest.raises(UsageError, match=r"hitmiss\.toml is there already, and stays as it is\. `hitmiss init --pri"):
        main(["init", "-C", str(folder)], standalone_mode=False)
    assert (folder / "hitmiss.toml").read_text() == "settle = 5\n"
    (folder / "hitmiss.toml").unlink()
    (folder / "hitmiss.toml").symlink_to(folder / "gone")
    assert isinstance(run(folder).exception, UsageError)
    (folder / "hitmiss.toml").unlink()
    (folder / "pyproject.toml").write_text("[tool.hitmiss]\nsettle = 5\n")
    with pytest.raises(UsageError, match=r"pyproject\.toml has settings already, in \[tool\.hitmiss\]\."):
        main(["init", "-C", str(folder)], standalone_mode=False)
    assert not (folder / "hitmiss.toml").exists()


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder") as caught:
        main(["init", "-C", str(tmp_path / "gone")], standalone_mode=False)
    assert caught.value.exit_code == 2
