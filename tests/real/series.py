"""Builds the commits of a repository one after the other: plan, build, and the engine's own record of each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hitmiss as program
from hitmiss.errors import UsageError
from tests.matrix.runner import truth
from tests.real import bases, needs
from tests.real.clone import Clone, CloneError
from tests.support import hitmiss
from tests.support.engine import PrivateEngine
from tests.support.environment import PERSONAL
from tests.support.install import PLUGINS

Steps = list[dict[str, Any]]


@dataclass(frozen=True)
class Wanted:
    """What to build, and how far back; `file` is "" for the Dockerfile that stands highest."""

    path: Path
    file: str = ""
    target: str = ""
    context: str = "."
    build_args: dict[str, str] = field(default_factory=dict)
    commits: int = 20
    touching: str = ""
    """"reads": only commits that change what the Dockerfile reads, "dockerfile": only those that change itself."""


@dataclass(frozen=True)
class Seen:
    """One commit built, or not: then `trouble` says why. `plan` is None where it could not be had."""

    commit: str
    subject: str
    text: str = ""
    plan: Steps | None = None
    plan_trouble: str = ""
    steps: Steps = field(default_factory=list)
    truth: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    broken: bool = False
    """It was not the stand-ins' fault: hitmiss gave no report."""
    seconds: float = 0.0


class Series:
    """The commits of one repository, on an engine that has nothing but the stand-ins for their base images."""

    def __init__(self, wanted: Wanted, engine: PrivateEngine, place: Path) -> None:
        """Raises `CloneError` for a repository that is of no use, `OSError` where the images cannot be loaded."""
        self.wanted = wanted
        self.engine = engine
        self.home = place / "home"
        self.place = place
        self.home.mkdir(parents=True)
        # The program as it is now: it may be edited while a series of builds goes on.
        shutil.copytree(Path(program.__file__).parent, place / "program/hitmiss")
        self.clone = Clone(wanted.path, place)
        self.file = wanted.file or self._found()
        self.commits = self._chosen()
        if not self.commits:
            raise CloneError(f"{wanted.path}: no commit to build")
        self.texts: dict[str, str] = {}
        self.troubles: dict[str, str] = {}
        self.notes: dict[str, None] = {}
        self.needs = needs.Needs()
        for commit in self.commits:
            self._read(commit)
        if self.needs.images:
            engine.api("POST", "/images/load?quiet=1", bases.archive(self.needs.images, self.needs))

    @property
    def name(self) -> str:
        """What it is called in the report."""
        target = f" → {self.wanted.target}" if self.wanted.target else ""
        return f"{self.clone.name} {self.file}{target}"

    def run(self) -> Iterator[Seen]:
        """Build them all, the oldest first."""
        for commit in self.commits:
            subject = self.clone.subject(commit)[:60]
            if commit in self.troubles:
                yield Seen(commit, subject, trouble=self.troubles[commit])
                continue
            try:
                self.clone.check_out(commit)
            except CloneError as error:
                yield Seen(commit, subject, trouble=str(error))
                continue
            path = self.clone.tree / self.file
            path.write_text(self.texts[commit], encoding="utf-8", errors="surrogateescape")
            yield self._built(commit, subject)

    def _found(self) -> str:
        """The Dockerfile of the newest commit that stands highest."""
        names = [path for path in self.clone.paths("HEAD") if path.rpartition("/")[2].lower() == "dockerfile"]
        if not names:
            raise CloneError(f"{self.wanted.path}: there is no Dockerfile; name one with file=")
        return min(names, key=lambda path: (path.startswith("."), path.count("/"), path))

    def _chosen(self) -> list[str]:
        paths: list[str] = []
        if self.wanted.touching:
            paths = [self.file]
        if self.wanted.touching == "reads":
            text, _ = needs.offline(self.clone.show("HEAD", self.file) or "")
            root = "" if self.wanted.context == "." else f"{self.wanted.context}/"
            sources = needs.context_sources(text, self.wanted.target, self.wanted.build_args)
            paths += [f"{root}.dockerignore", *(root + each for each in sources)]
        return self.clone.commits(self.wanted.commits, paths)

    def _read(self, commit: str) -> None:
        text = self.clone.show(commit, self.file)
        if text is None:
            self.troubles[commit] = f"there is no {self.file}"
            return
        try:
            self.texts[commit], notes = needs.offline(text)
            self.notes |= dict.fromkeys(notes)
            root = "" if self.wanted.context == "." else f"{self.wanted.context}/"
            paths = {
                path.removeprefix(root): folder
                for path, folder in self.clone.paths(commit).items()
                if path.startswith(root)
            }
            wanted = self.wanted
            self.needs.add(needs.needs_of(self.texts[commit], wanted.target, wanted.build_args, paths))
        except UsageError as error:
            self.troubles[commit] = str(error)

    def _built(self, commit: str, subject: str) -> Seen:
        words = ["-f", self.file]
        if self.wanted.target:
            words += ["--target", self.wanted.target]
        for name, value in self.wanted.build_args.items():
            words += ["--build-arg", f"{name}={value}"]
        words.append(self.wanted.context)
        plan, _, plan_trouble = _report(self._hitmiss("plan", "--json", *words))
        done = self._hitmiss("build", "--json", *words)
        steps, build, trouble = _report(done)
        if steps is None or done.returncode:
            said = (
                trouble + self._crash()
                if steps is None
                else build.get("error") or done.stderr.decode(errors="replace").strip()[-300:]
            )
            return Seen(
                commit,
                subject,
                self.texts[commit],
                trouble=f"the build ended with {done.returncode}: {said}",
                broken=steps is None,
            )
        return Seen(
            commit, subject, self.texts[commit], plan, plan_trouble, steps, self._record(build["id"], steps),
            seconds=build["duration_s"],
        )  # fmt: skip

    def _crash(self) -> str:
        """The end of what hitmiss wrote down of an error of its own."""
        found = max(self.place.glob("hitmiss-crash-*"), key=lambda path: path.stat().st_mtime_ns, default=None)
        return "\n    ".join(["", *found.read_text(errors="replace").strip().splitlines()[-6:]]) if found else ""

    def _hitmiss(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        env = {name: value for name, value in os.environ.items() if not PERSONAL.match(name)}
        env = {
            **self.engine.env(env, home=self.home),
            "TMPDIR": str(self.place),
            "PYTHONPATH": str(self.place / "program"),
        }
        command = [*hitmiss.COMMAND, *words]
        return subprocess.run(
            command,
            cwd=self.clone.tree,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            check=False,
        )

    def _record(self, ref: str, steps: Steps) -> dict[str, str]:
        plugin = next(
            str(Path(folder, "docker-buildx")) for folder in PLUGINS if Path(folder, "docker-buildx").is_file()
        )
        done = subprocess.run(
            [plugin, "history", "logs", ref, "--progress", "rawjson"],
            env=self.engine.env(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        return truth(done.stderr, steps)


def _report(done: subprocess.CompletedProcess[bytes]) -> tuple[Steps | None, dict[str, Any], str]:
    """The steps, the head of the report, and what is wrong where there is none."""
    try:
        document = json.loads(done.stdout)
        return list(document["steps"]), dict(document.get("build") or {}), ""
    except (ValueError, KeyError, TypeError):
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return None, {}, f"no report ({done.returncode}): {' '.join(said)}"


def numbered(seen: Sequence[Seen]) -> dict[int, Seen]:
    """The builds by the number that hitmiss gave them: it counts from 1, and failed ones too."""
    return dict(enumerate((each for each in seen if each.text), start=1))
