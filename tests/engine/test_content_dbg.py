"""What a source selects, as digests, against the engine: a step misses exactly where the digest is a new one."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.project.chosen import Source
from hitmiss.project.ignore import IgnoreRules, parse
from hitmiss.project.manifest import Manifest
from hitmiss.project.patterns import has_wildcards

pytestmark = pytest.mark.engine

TREES = int(os.environ.get("HITMISS_CONTENT_TREES", "5"))
"""Random trees, each of which is edited and built `EDITS` times."""
EDITS = 6
SEED = int(os.environ.get("HITMISS_CONTENT_SEED", "5"))

TOP = ("a.txt", "b.py", "c.md", "d1", "d2", "docs", "é x", "[q]", "link", "Lx")
BELOW = ("x", "y.py", "z.md", "deep", "up", ".hid")
MODES = (0o600, 0o644, 0o755, 0o700)
TARGETS = ("d1", "d2", "a.txt", "../a.txt", "../d2", "/d1", "/docs/deep", "nowhere", "x", "../..", "link")
BYTES = (b"", b"1", b"12", b"123", b"1234")
RULES = ("", "", "*.md\n", "d2\n!d2/deep\n", "**/x\n!d1\n", "docs\n!docs/*/y.py\n", "Lx\n.dockerignore\n")

LAST = []
MARK = "DEST"
COPIES = (
    "COPY . DEST",
    "COPY a.txt DEST",
    "COPY --link b.py DEST",
    "COPY d1 DEST",
    "COPY d2/ DEST",
    "ADD docs DEST",
    "COPY d1/deep DEST",
    "COPY d1/x DEST",
    "COPY docs/deep/y.py DEST",
    "COPY link DEST",
    "COPY link/deep DEST",
    "COPY link/x DEST",
    "COPY Lx/ DEST",
    "COPY *.py DEST",
    "COPY *.none DEST",
    "COPY d* DEST",
    "COPY d*/x DEST",
    "COPY d?/deep DEST",
    "COPY d1/*.py DEST",
    "COPY link/*.md DEST",
    "COPY [ab]* DEST",
    "COPY d*/*/y.py DEST",
    "COPY --exclude=*.md . DEST",
    "COPY --exclude=**/*.md --exclude=link --exclude=Lx . DEST",
    "COPY --exclude=**/*.py d1 DEST",
    "COPY --exclude=* d2 DEST",
    "COPY --exclude=deep d* DEST",
    "COPY --exclude=** --exclude=!deep/x docs DEST",
    "COPY --exclude=a* a.txt DEST",
    "COPY --exclude=x link DEST",
    "RUN --mount=target=/m mkdir DEST",
    "RUN --mount=target=/m,source=d1 mkdir DEST",
    "RUN --mount=target=/m,source=link mkdir DEST",
    "RUN --mount=target=/m,source=link/deep mkdir DEST",
    "RUN --mount=target=/m,source=docs/deep/x mkdir DEST",
)


def test_content_is_what_the_engine_goes_by(engine: Any, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    compared, hits = 0, 0
    wrong: list[str] = []
    seen: dict[str, set[bytes]] = {text: set() for text in COPIES}
    never: dict[str, set[bytes]] = {text: set() for text in COPIES}
    for number in range(TREES):
        context = _Context(tmp_path / f"context{number}", chance)
        manifest = context.manifest()
        # What another tree's folder holds is another context for the client, so nothing is stale there.
        for _ in range(EDITS + 1):
            wanted = {text: _selected(text) for text in COPIES}
            wanted = {text: each for text, each in wanted.items() if manifest.found(each) and _fits(manifest, each)}
            missed, unknown = _build(engine, context.root, tmp_path / "Dockerfile", list(wanted))
            for text, selected in wanted.items():
                digest = manifest.content(selected)
                if text in unknown:
                    # Whether it is in the cache now nobody knows.
                    never[text].add(digest)
                if digest in never[text]:
                    continue
                compared += 1
                hits += text not in missed
                if (text in missed) != (digest not in seen[text]):
                    print("WRONG", number, text, COPIES.index(text), text in missed, digest.hex()[:8], [d.hex()[:8] for d in seen[text]]);[print("   ",n,v) for n,v in LAST if f"[s{COPIES.index(text)} " in n]
                    wrong.append(f"tree {number}, {context.told}, {text}: {'missed' if text in missed else 'hit'}")
                seen[text].add(digest)
            edited = context.edit()
            print(number, context.told, manifest.stale)
            rules = context.rules()
            if rules != manifest.tree.rules:
                manifest = Manifest(str(context.root), rules, manifest.index())
                manifest.read()
            else:
                manifest.refresh(edited)
            _same(manifest, context, list(wanted.values()))
    print(f"{compared} compared, {hits} hits, {compared - hits} misses")
    assert not wrong, "\n".join(wrong)
    assert compared >= min(300, TREES * 50)
    assert min(hits, compared - hits) > compared / 10


def test_bytes_that_the_client_does_not_send(engine: Any, project: Any, tmp_path: Path) -> None:
    project.write("d/a", "one")
    project.write("d/b", "b")
    text = "COPY d DEST"
    selected = _selected(text)
    manifest = Manifest(str(project.path), parse(""))
    manifest.read()
    seen = {manifest.content(selected)}
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == {text}
    status = (project / "d/a").stat()
    time = status.st_mtime_ns
    for content, later, unseen in (
        ("two", 0, True),
        ("one", 0, False),
        ("six", 0, True),
        ("six", 1, False),
        ("seven", 0, False),
        ("eight", 0, True),
        ("eight", 1, False),
    ):
        time += later * 10**9
        project.save("d/a", content)
        os.utime(project / "d/a", ns=(time, time))
        again = Manifest(str(project.path), parse(""), manifest.index())
        again.read()
        manifest.refresh(["d/a"])
        assert set(manifest.stale) == ({"d/a"} if unseen else set())
        missed, _ = _build(engine, project.path, tmp_path / "Dockerfile", [text])
        for each in (manifest, again):
            assert (each.content(selected) in seen) == (not missed), (content, later)
        seen.add(manifest.content(selected))
    engine.empty_cache()
    project.save("d/a", "eighT")
    os.utime(project / "d/a", ns=(time, time))
    manifest.refresh(["d/a"])
    assert manifest.forget_stale() == {"d/a"}
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == {text}
    assert manifest.content(selected) not in seen


class _Context:
    """A random folder, and random edits of it. Every write has a time of its own unless it is to go unseen."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root = root
        self.chance = chance
        self.clock = 1_600_000_000
        self.told = "as made"
        root.mkdir()
        for name in TOP:
            if chance.random() < 0.85:
                self._make(root / name)

    def rules(self) -> IgnoreRules:
        path = self.root / ".dockerignore"
        return parse(path.read_bytes() if path.exists() else b"")

    def manifest(self) -> Manifest:
        found = Manifest(str(self.root), self.rules())
        found.read()
        return found

    def edit(self) -> list[str]:
        """Do something; the paths that a watcher would name."""
        did: list[str] = []
        edited: list[str] = []
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            kinds = [self._add, self._remove, self._modify, self._chmod, self._touch, self._rename, self._retarget]
            kinds += [self._turn, self._unseen, self._ignore, self._chown, self._modify, self._hard_link]
            kind = self.chance.choice(kinds)
            paths = [str(path.relative_to(self.root)) for path in kind()]
            did.append(f"{kind.__name__[1:]} {' '.join(paths)}")
            edited += paths
        self.told = ", ".join(did)
        return edited

    def _make(self, path: Path) -> None:
        depth = len(path.relative_to(self.root).parts)
        sort = self.chance.random()
        if path.name in ("link", "Lx", "up") or sort < 0.1:
            path.symlink_to(self.chance.choice(TARGETS))
        elif depth < 4 and (path.name in ("d1", "d2", "docs", "deep") or sort < (0.25 if depth == 1 else 0.15)):
            path.mkdir()
            path.chmod(self.chance.choice(MODES))
            for name in BELOW:
                if self.chance.random() < 0.5:
                    self._make(path / name)
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        path.write_bytes(self.chance.choice(BYTES))
        path.chmod(self.chance.choice(MODES))
        self._time(path)

    def _time(self, path: Path) -> None:
        self.clock += 1
        os.utime(path, (self.clock, self.clock), follow_symlinks=False)

    def _all(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.name != ".dockerignore")

    def _any(self, *sorts: str) -> list[Path]:
        found = [
            path
            for path in self._all()
            if ("link" if path.is_symlink() else "folder" if path.is_dir() else "file") in sorts
        ]
        return [self.chance.choice(found)] if found else []

    def _free(self) -> Path:
        folders = [self.root, *(path for path in self._all() if path.is_dir() and not path.is_symlink())]
        places = [
            folder / name
            for folder in folders
            for name in (TOP if folder == self.root else BELOW)
            if not os.path.lexists(folder / name)
        ]
        return self.chance.choice(places) if places else self.root / "more"

    def _add(self) -> list[Path]:
        place = self._free()
        self._make(place)
        return [place]

    def _remove(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            _delete(path)
        return found

    def _modify(self) -> list[Path]:
        found = self._any("file")
        for path in found:
            path.unlink() if path.stat().st_nlink > 1 else None
            path.write_bytes(self.chance.choice(BYTES))
            self._time(path)
        return found

    def _chmod(self) -> list[Path]:
        found = self._any("file", "folder")
        for path in found:
            path.chmod(self.chance.choice(MODES))
        return found

    def _chown(self) -> list[Path]:
        found = self._any("file", "folder")
        for path in found:
            os.chown(path, 1000, 1000)
        return found

    def _touch(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            self._time(path)
        return found

    def _rename(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            place = self._free()
            if path in (place, *place.parents):
                return []
            path.rename(place)
            return [path, place]
        return []

    def _retarget(self) -> list[Path]:
        found = self._any("link")
        for path in found:
            path.unlink()
            path.symlink_to(self.chance.choice(TARGETS))
        return found

    def _turn(self) -> list[Path]:
        found = self._any("file", "folder", "link")
        for path in found:
            _delete(path)
            self._make(path)
        return found

    def _unseen(self) -> list[Path]:
        """Other bytes, but the size, time and mode of before."""
        for path in self._any("file"):
            status = path.stat()
            if status.st_nlink == 1:
                path.write_bytes(bytes(self.chance.choice(b"123456") for _ in range(status.st_size)))
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
                return [path]
        return []

    def _ignore(self) -> list[Path]:
        path = self.root / ".dockerignore"
        path.write_text(self.chance.choice(RULES))
        self._time(path)
        return [path]

    def _hard_link(self) -> list[Path]:
        place = self._free()
        for path in self._any("file"):
            place.hardlink_to(path)
            return [place]
        return []


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _same(manifest: Manifest, context: _Context, selected: list[Source]) -> None:
    """What was kept up to date is what a new reading finds."""
    fresh = context.manifest()
    if manifest.stale:
        assert {path: fresh.entries[path].digest for path in manifest.stale} == manifest.stale
        return
    assert manifest.entries == fresh.entries, context.told
    assert manifest.freeze()[0] == fresh.freeze()[0]
    for each in selected:
        assert manifest.content(each) == fresh.content(each), (each, context.told)


def _fits(manifest: Manifest, selected: Source) -> bool:
    """Whether the folders that a wildcard finds can be laid over each other."""
    kinds: dict[str, str] = {}
    for path in sorted(manifest.covered(selected)) if has_wildcards(selected.source) else ():
        kind = manifest.entries[path].kind
        if kinds.setdefault(path.partition("/")[2], kind) != kind:
            return False
    return True


def _selected(text: str) -> Source:
    if source := re.search("source=([^ ]+)", text):
        return Source(source[1], follow=True)
    if text.startswith("RUN"):
        return Source("/", follow=True)
    exclude = tuple(re.findall(r"--exclude=(\S+)", text))
    source_text = text.split()[-2]
    return Source(source_text, has_wildcards(source_text), (), exclude, follow=True)


def _build(engine: Any, context: Path, dockerfile: Path, texts: list[str]) -> tuple[set[str], set[str]]:
    """Which of these instructions ran, and of which that cannot be said; all others hit.

    Some cannot be built, as two files with one name may meet a folder. They are left out in a second try, for which
    the first one may have made some of the others, or not.
    """
    missed: set[str] = set()
    unknown: set[str] = set()
    while True:
        stages = {text: f"s{COPIES.index(text) if text in COPIES else 0}" for text in texts}
        lines = [f"FROM busybox AS {stage}\n{text.replace(MARK, f'/{stage}/')}\n" for text, stage in stages.items()]
        mounts = " ".join(f"--mount=from={stage},target=/{stage}" for stage in stages.values())
        dockerfile.write_text("".join(lines) + f"FROM busybox\nRUN {mounts} true\n")
        done = subprocess.run(
            ["docker", "buildx", "build", "--progress=rawjson", "--output=type=cacheonly", "-f", str(dockerfile), "."],
            cwd=context,
            env=engine.env(),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        by_stage = {stage: text for text, stage in stages.items()}
        broken: set[str] = set()
        for name, vertex in _vertices(done.stderr):
            if (found := re.match(r"\[(s\d+) +\d+/\d+\]", name)) and "FROM" not in name:
                text = by_stage[found[1]]
                if vertex.get("error"):
                    broken.update([text] if "context canceled" not in vertex["error"] else [])
                elif vertex.get("completed") and not vertex.get("cached"):
                    missed.add(text)
        LAST[:]=list(_vertices(done.stderr)); print('RC',done.returncode, broken, done.stderr.strip().splitlines()[-1][:300] if done.returncode else '')
        if done.returncode == 0:
            return missed, unknown
        assert broken, done.stderr[-2000:]
        unknown.update(text for text in texts if text not in missed)
        texts = [text for text in texts if text not in broken]


def _vertices(stream: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The last state of every vertex."""
    last: dict[str, dict[str, Any]] = {}
    for line in stream.splitlines():
        if line.startswith("{"):
            for vertex in json.loads(line).get("vertexes") or []:
                last.setdefault(vertex["digest"], {}).update(vertex)
    for vertex in last.values():
        yield vertex["name"], vertex
