"""A series on a private engine: a random project, and after each random move the plan, the build and its record."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.generated.moves import Move, Mover
from tests.generated.state import BASE, State
from tests.generated.writer import Writer
from tests.matrix.case import ALL_KINDS, NO_CACHE, Case
from tests.matrix.runner import BrokenCaseError, Run, Seen, Steps, truth
from tests.support.engine import PrivateEngine
from tests.support.install import PLUGINS


@dataclass(frozen=True)
class Built:
    """One build of a series. `failed` says that it did, `error` has what the engine said then.

    `went` are the engine's records that went by themselves, without a prune, since the build before.
    """

    move: Move
    seen: Seen
    failed: bool
    error: str
    went: tuple[str, ...] = ()


class Series(Run):
    """A project under way; its folder is brought to each state in turn."""

    def __init__(self, seed: int, number: int, engine: PrivateEngine, place: Path) -> None:
        super().__init__(Case(f"{seed}:{number}", "", ()), engine, place)
        chance = random.Random(f"{seed}:{number}")
        writer = Writer(chance)
        self.mover = Mover(chance, writer)
        self.first = writer.state()
        self.builds: list[Built] = []
        self._disk: State | None = None
        self._records: dict[str, str] = {}

    def next(self) -> Built:
        """Make a move, plan, build."""
        if not self.builds:
            move = Move("first", self.first, ALL_KINDS - {NO_CACHE})
        elif self.builds[-1].failed and self.mover.chance.random() < 0.7:
            good = next((each.move.state for each in reversed(self.builds) if not each.failed), self._plainer())
            move = Move("back to what built", good, ALL_KINDS - {NO_CACHE})
        else:
            move = self.mover.move()
        self.mover.earlier.append(move.state)
        there = self._listed()
        went = tuple(text for record, text in self._records.items() if record not in there)
        self.apply(move)
        self._records = self._listed()
        built = replace(self._built(move), went=went)
        self.builds.append(built)
        return built

    def apply(self, move: Move) -> None:
        """Bring folder, tag and cache to where the move leads."""
        state, disk = move.state, self._disk
        was = dict(disk.files) if disk else {}
        for name in was.keys() - state.files.keys():
            self._remove(name)
        for name, file in state.files.items():
            if was.get(name) == file:
                continue
            path = self.project / self.fill(name)
            if path.is_symlink():
                path.unlink()
            if file.link:
                path.unlink(missing_ok=True)
                path.symlink_to(file.link)
            else:
                self.write(name, file.text).chmod(file.mode)
        if disk is None or disk.dockerfile() != state.dockerfile():
            self.write("Dockerfile", state.dockerfile(), bare=True)
        if disk is None or disk.ignore != state.ignore:
            self.write(".dockerignore", "".join(f"{rule}\n" for rule in state.ignore), bare=True)
        if disk is None or disk.image != state.image:
            self.tag(state.image, BASE)
        for name in move.touched:
            path = self.project / self.fill(name)
            self.set_time(path, path.lstat().st_mtime_ns + 3600 * 10**9)
        if move.prune is not None:
            self._prune(self.fill(move.prune))
        self.options = state.options()
        self._disk = state

    def _remove(self, name: str) -> None:
        """A file, and the folders above it that it leaves empty: git would not keep them."""
        path = self.project / self.fill(name)
        path.unlink()
        for folder in path.parents:
            if folder in (self.project.path, self.side) or any(folder.iterdir()) or folder.name == "extra":
                break
            folder.rmdir()

    def _plainer(self) -> State:
        """The project without what made its first build fail."""
        state = self.mover.earlier[-1]
        stages = tuple(
            replace(each, lines=tuple(line for line in each.lines if line.startswith(("RUN", "COPY <<", "ENV", "ARG"))))
            for each in state.stages
        )
        return replace(state, stages=stages, ignore=())

    def _prune(self, words: str) -> None:
        if not words:
            self.engine.empty_cache()
            return
        listed = self.engine.docker("buildx", "du", "--format", "json").stdout.splitlines()
        for record in map(json.loads, listed):
            if words in (record.get("Description") or ""):
                self.engine.docker("buildx", "prune", "--force", "--filter", f"id={record['ID']}")

    def _record(self, ref: str, steps: Steps) -> dict[str, str]:
        """The engine's verdicts; the merge of an `ADD --link` is no more a step than that of a `COPY --link`."""
        buildx = next(path for folder in PLUGINS if (path := Path(folder, "docker-buildx")).is_file())
        words = [str(buildx), "history", "logs", ref, "--progress", "rawjson"]
        done = subprocess.run(words, env=self.engine.env(), capture_output=True, timeout=60, check=False)
        if done.returncode:
            raise BrokenCaseError(f"no record of {ref!r}: {_end(done)}")
        return truth(done.stderr.replace(b"] LINK ADD ", b"] LINK COPY "), steps)

    def _built(self, move: Move) -> Built:
        words = [self.fill(word) for word in (*self.options, *move.once)]
        planned = self._hitmiss("plan", "--json", *words, ".")
        done = self._hitmiss("build", "--json", *words, ".")
        try:
            plan = list(json.loads(planned.stdout)["steps"])
            report = json.loads(done.stdout)
        except ValueError as error:
            raise BrokenCaseError(f"{move.name}: no report\n{_end(planned)}\n{_end(done)}") from error
        build, steps = report["build"], report["steps"]
        record = self._record(build["id"], steps) if build["id"] else {}
        seen = Seen(len(self.builds) + 1, plan, steps, record, (planned.stdout, done.stdout))
        said = build["error"] or _end(done) if done.returncode else ""
        return Built(move, seen, done.returncode != 0, said)

    def _listed(self) -> dict[str, str]:
        """The engine's records: type and description by id."""
        found = json.loads(self.engine.api("GET", "/system/df?type=build-cache"))["BuildCache"] or []
        return {each["ID"]: f"{each['Type']} {each.get('Description', '')}" for each in found}


def _end(done: subprocess.CompletedProcess[bytes]) -> str:
    return f"{done.returncode}: {done.stderr.decode(errors='replace').strip()[-800:]}"
