"""What a source selects, as digests, against the engine: a step misses exactly where the digest is a new one."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitmiss.project.chosen import Source
from hitmiss.project.ignore import parse
from hitmiss.project.manifest import Manifest
from hitmiss.project.patterns import has_wildcards
from tests.engine.random_context import RandomContext

pytestmark = pytest.mark.engine

TREES = int(os.environ.get("HITMISS_CONTENT_TREES", "3"))
"""Random trees, each of which is edited and built `EDITS` times."""
EDITS = 6
SEED = int(os.environ.get("HITMISS_CONTENT_SEED", "5"))

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
        context = RandomContext(tmp_path / f"context{number}", chance)
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
                    wrong.append(f"tree {number}, {context.told}, {text}: {'missed' if text in missed else 'hit'}")
                seen[text].add(digest)
            edited = context.edit()
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


def test_extended_attributes(engine: Any, project: Any, tmp_path: Path) -> None:
    path = project.write("d/a", "a")
    text = "COPY d DEST"
    manifest = Manifest(str(project.path), parse(""))
    manifest.read()
    seen = {manifest.content(_selected(text))}
    _build(engine, project.path, tmp_path / "Dockerfile", [text])
    os.setxattr(path, "user.x", b"1")
    manifest.refresh(["d/a"])
    assert manifest.content(_selected(text)) in seen
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == set()
    os.utime(path, (1_600_000_000, 1_600_000_000))
    manifest.refresh(["d/a"])
    assert manifest.content(_selected(text)) not in seen
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == {text}


def test_a_mode_that_the_engine_does_not_note(engine: Any, project: Any, tmp_path: Path) -> None:
    project.write("d/e/a", "a")
    text = "COPY d DEST"
    selected = _selected(text)
    manifest = Manifest(str(project.path), parse(""))
    manifest.read()
    seen = {manifest.content(selected)}
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == {text}
    (project / "d/e").chmod(0o711)
    again = Manifest(str(project.path), parse(""), manifest.index())
    again.read()
    manifest.refresh(["d/e"])
    assert manifest.stale_modes == again.stale_modes == {"d/e": 0o711}
    assert manifest.content(selected) == again.content(selected)
    assert manifest.content(selected) in seen
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == set()
    (project / "d/e").rename(project / "e")
    manifest.refresh(["d/e", "e"])
    seen.add(manifest.content(selected))
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == {text}
    (project / "e").rename(project / "d/e")
    manifest.refresh(["d/e", "e"])
    assert not manifest.stale_modes
    assert manifest.content(selected) not in seen
    assert _build(engine, project.path, tmp_path / "Dockerfile", [text])[0] == {text}


def _same(manifest: Manifest, context: RandomContext, selected: list[Source]) -> None:
    """What was kept up to date is what a new reading finds."""
    fresh = context.manifest()
    if manifest.stale or manifest.stale_modes:
        assert {path: fresh.entries[path].digest for path in manifest.stale} == manifest.stale
        assert {path: fresh.entries[path].mode for path in manifest.stale_modes} == manifest.stale_modes
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
