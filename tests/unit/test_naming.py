"""Placeholders of tags, in real git repositories."""

import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitmiss import naming
from hitmiss.errors import UsageError
from hitmiss.naming import Naming, fitted

LEGAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@pytest.fixture(autouse=True)
def own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A git that knows neither the machine's settings nor a repository above."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def repository(folder: Path) -> Path:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def refused(folder: Path, tag: str) -> str:
    with pytest.raises(UsageError) as caught:
        Naming(folder).fill(tag)
    return str(caught.value)


def test_all_of_them(repository: Path) -> None:
    (repository / "VERSION").write_text("1.2\n")
    sha = git(repository, "rev-parse", "HEAD")[:7]
    names = Naming(repository, date(2026, 3, 4))
    assert names.fill("app:{branch}-{version}-{sha}-{date}") == f"app:main-1.2-{sha}-2026-03-04"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", Naming(repository).value("date"))


@pytest.mark.parametrize(
    ("branch", "tag", "filled"),
    [
        ("feature/Login", "app:{branch}", "app:feature-Login"),
        ("feature/Login", "{branch}/app:{branch}", "feature-login/app:feature-Login"),
        ("feature/Login", "localhost:5000/{branch}/app", "localhost:5000/feature-login/app"),
        ("heads/x", "app:{branch}", "app:heads-x"),
        ("_ü+@x", "app:{branch}", "app:_-x"),
        ("ü/x", "app:{branch}", "app:x"),
        ("a" * 200, "app:{branch}", "app:" + "a" * 128),
        ("a" * 200, "app:{branch}-builder", "app:" + "a" * 120 + "-builder"),
    ],
)
def test_a_branch_is_made_fit(branch: str, tag: str, filled: str, repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", branch)
    git(repository, "tag", branch)
    assert Naming(repository).fill(tag) == filled


def test_a_repository_is_asked_once_and_only_if_need_be(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    run = subprocess.run

    def counted(*words: Any, **named: Any) -> Any:
        calls.append(words)
        return run(*words, **named)

    monkeypatch.setattr(subprocess, "run", counted)
    names = Naming(repository)
    assert names.fill("app:latest") == "app:latest"
    assert names.fill("app:{date}")
    assert calls == []
    names.fill("app:{branch}-{sha}")
    names.fill("app:{sha}")
    assert len(calls) == 1


def test_a_folder_inside_a_repository(repository: Path) -> None:
    (repository / "deep").mkdir()
    assert Naming(repository / "deep").fill("{branch}") == "main"


# --- versions ---

PLACES = {
    "pyproject.toml": '[project]\nname = "x"\nversion = "1.0+local"\n',
    "package.json": '{"version": "2.0.0"}',
    "VERSION": "\n 3.0 \nmore\n",
}
SAID = {"pyproject.toml": "1.0-local", "package.json": "2.0.0", "VERSION": "3.0"}


def test_the_version_is_looked_for_in_order(repository: Path) -> None:
    git(repository, "tag", "release/4.0")
    for name, text in PLACES.items():
        (repository / name).write_text(text)
    for name in PLACES:
        assert Naming(repository).fill("x:{version}") == f"x:{SAID[name]}"
        (repository / name).unlink()
    assert Naming(repository).fill("x:{version}") == "x:release-4.0"
    git(repository, "commit", "-q", "--allow-empty", "-m", "two")
    assert re.fullmatch(r"x:release-4\.0-1-g[0-9a-f]+", Naming(repository).fill("x:{version}"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[project"),
        ("pyproject.toml", "project = 5"),
        ("pyproject.toml", '[project]\ndynamic = ["version"]'),
        ("package.json", "{"),
        ("package.json", "[]"),
        ("package.json", '{"version": 5}'),
    ],
)
def test_a_file_that_names_no_version_is_passed_over(name: str, text: str, folder: Path) -> None:
    (folder / name).write_text(text)
    (folder / "VERSION").write_text("3.0")
    assert Naming(folder).value("version") == "3.0"


# --- without a value ---


def test_no_repository(folder: Path) -> None:
    for name in ("branch", "sha"):
        assert refused(folder, f"app:{{{name}}}") == (
            f"{{{name}}} has no value: this folder is no git repository. "
            "Take it out of the tags, or give the tag with -t."
        )
    assert "neither pyproject.toml nor package.json nor VERSION has one" in refused(folder, "app:{version}")


def test_no_commit(folder: Path) -> None:
    git(folder, "init", "-q")
    assert "{sha} has no value: this git repository has no commit yet." in refused(folder, "app:{sha}")


def test_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert "{branch} has no value: a commit is checked out here, and no branch." in refused(repository, "app:{branch}")
    assert Naming(repository).value("sha")


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert "{branch} has no value: git is not installed" in refused(repository, "app:{branch}")


def test_a_git_that_hangs(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = repository / "git"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{repository}:/usr/bin:/bin")
    monkeypatch.setattr(naming, "_PATIENCE_S", 0.2)
    assert "{sha} has no value: git gave no answer within" in refused(repository, "app:{sha}")


def test_an_unknown_placeholder(folder: Path) -> None:
    assert refused(folder, "app:{user}") == "{user} is no placeholder. Placeholders: branch, version, sha, date."


@given(st.text())
def test_whatever_it_is_it_fits(text: str) -> None:
    fit = fitted(text)
    assert not fit or LEGAL.fullmatch(fit)
