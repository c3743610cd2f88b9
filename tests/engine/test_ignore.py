"""Ignore rules against the engine's truth: what `COPY . /` brings from a context with a given `.dockerignore`."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hitmiss.errors import UsageError
from hitmiss.project.context import census, resolve
from hitmiss.project.ignore import IgnoreRules, parse
from hitmiss.project.tree import Tree

pytestmark = pytest.mark.engine

PAIRS = int(os.environ.get("HITMISS_IGNORE_PAIRS", "240"))
"""Random trees with random rules that are compared; packed into builds of `PACK` named contexts."""
PACK = 40

NAMES = ("a", "b", "ab", "a.txt", "b.txt", ".a", "c", "a b", "A", "a+b", "a]b", "foo", "bar")
PIECES = (
    "a",
    "b",
    "ab",
    "*",
    "**",
    "?",
    "*.txt",
    "a*",
    "*b",
    "[ab]",
    "[^a]",
    "[a-c]",
    ".a",
    "a.txt",
    "foo",
    "bar",
    "a\\b",
    "\\*",
    "**b",
    "a**",
    ".",
    "..",
    "",
    "a b",
    "{a,b}",
    "a+b",
    "\\.a",
    "[a]*",
    "*[!a]",
    "^a",
)

WRITTEN = (
    ("*.txt", "a.txt\nb/a.txt\nb/c\n"),
    ("# comment\n\n  a.txt  \n#b\n", "a.txt\nb\n#b\n"),
    (" #a\n", "#a\nb\n"),
    ("/a\n/b/\n./c\n", "a/x\nb/x\nc/x\nd/a\n"),
    ("*\n!a\n", "a/b/c\nb/a\nx\n"),
    ("*\n!a/b\n", "a/b/c\na/c\nb/a\nx\n"),
    ("a\n!a/b/c\n", "a/b/c\na/b/d\na/c\n"),
    ("a/b\n!a\n", "a/b/c\na/c\n"),
    ("a\n!a/b\na\n", "a/b\na/c\n"),
    ("a\n!a/b\na/b\n", "a/b\na/c\n"),
    ("**\n!**/*.txt\n", "a/b.txt\na/b/c.txt\na/c\nd/e\n"),
    ("**/a\n", "a\nb/a\nb/c/a/d\nba\n"),
    ("**a\n", "a\nba\nc/ba/x\nc/ab\n"),
    ("a/**\n", "a/b\na/b/c\nb\n"),
    ("a/**/b\n", "a/b\na/c/b\na/c/d/b/x\nb\n"),
    ("a**\n", "a\nab/c\nb\n"),
    ("**/*.txt\n!b/a.txt\n", "a.txt\nb/a.txt\nc/b/a.txt\n"),
    ("a\\ b\n\\#x\n", "a b\n#x\n"),
    ("[a-c].txt\n[^a]\n", "a.txt\nd.txt\na\nb\n"),
    ("a?b\n", "axb\na/b\nab\n"),
    (".dockerignore\nDockerfile\n", "Dockerfile\na\n"),
    ("a\r\n!a/b\r\n", "a/b\na/c\n"),
    ("\ufeffa\n", "a\nb\n"),
    ("! a\n!\tb\n", "a\nb\n"),
    ("*\n! a\n", "a\nb\n"),
    ("../a\na/../b\n..\n", "a\nb\n"),
    ("/\n.\n", "a\nb\n"),
    ("**\n", "a/b\nc\n"),
    ("a/\n!a/b/\n", "a/b/c\na/d\n"),
    ("*/*/a\n", "b/c/a\nb/a\na\n"),
    ("\\d\n\\w.txt\n", "1\nd\nx.txt\n"),
    ("[[:alpha:]]\n", "a\n:\n1\n"),
    ("a[\\]]b\n", "a]b\n"),
    ("ü*\n?.x\n", "über\né.x\nab.x\n"),
    ("*/\n", "a/b\nc\n"),
    ("foo/*\n!foo/bar\n", "foo/bar/x\nfoo/baz\n"),
    ("foo/*\n!foo/b*\n", "foo/bar/x\nfoo/baz\nfoo/c/b\n"),
    ("foo\n!foo/*/x\n", "foo/bar/x\nfoo/baz\n"),
    ("a\nb\n!a\n!b/c\n", "a/x\nb/c\nb/d\n"),
)

REFUSED = ("!", "[", "a[", "[]", "[]a]", "a\\", "[a-]", "[-a]", "\\y", "[^]", "! ")


def test_written_rules(engine: Any, tmp_path: Path) -> None:
    pairs = []
    for number, (rules, files) in enumerate(WRITTEN):
        root = tmp_path / f"w{number}"
        _make(root, files.split("\n"), rules)
        pairs.append((root, rules))
    _compare(pairs, engine, tmp_path)


def test_random_rules(engine: Any, tmp_path: Path) -> None:
    chance = random.Random(7)
    pairs: list[tuple[Path, str]] = []
    while len(pairs) < PAIRS:
        rules = "".join(f"{_line(chance)}\n" for _ in range(chance.randint(1, 5)))
        try:
            parse(rules)
        except UsageError:
            continue
        root = tmp_path / f"r{len(pairs)}"
        _make(root, [_path(chance) for _ in range(chance.randint(3, 25))], rules)
        pairs.append((root, rules))
    for start in range(0, PAIRS, PACK):
        _compare(pairs[start : start + PACK], engine, tmp_path)


@pytest.mark.parametrize("rule", REFUSED)
def test_refused_rules(rule: str, engine: Any, project: Any) -> None:
    project.write("a", "a")
    project.write(".dockerignore", f"{rule}\n")
    project.dockerfile("FROM scratch\nCOPY . /\n")
    with pytest.raises(UsageError):
        parse(f"{rule}\n")
    assert _build([], engine, project.path).returncode != 0


def test_which_ignore_file_holds(engine: Any, tmp_path: Path) -> None:
    inner, outer = tmp_path / "context", tmp_path / "elsewhere"
    outer.mkdir()
    _make(inner, ["a", "b", "c", "d"], "a\n")
    text = "FROM scratch\nCOPY . /\n"
    for folder, name in (
        (inner, "Dockerfile"),
        (inner, "Two"),
        (inner, "Empty"),
        (outer, "Dockerfile"),
        (outer, "Other"),
    ):
        (folder / name).write_text(text)
    (inner / "Two.dockerignore").write_text("b\n")
    (inner / "Empty.dockerignore").write_text("")
    (outer / "Dockerfile.dockerignore").write_text("c\n")
    # An ignore file of the Dockerfile's folder is none of the context's.
    (outer / ".dockerignore").write_text("d\n")
    for folder, name in (
        (inner, "Dockerfile"),
        (inner, "Two"),
        (inner, "Empty"),
        (outer, "Dockerfile"),
        (outer, "Other"),
    ):
        out = tmp_path / f"out-{folder.name}-{name}"
        done = _build(["-f", str(folder / name), "--output", f"type=local,dest={out}"], engine, inner)
        assert done.returncode == 0, done.stderr
        contexts = resolve(str(inner), dockerfile=str(folder / name))
        seen = _seen(inner, contexts.rules()[""])
        assert seen == _listing(out), (folder.name, name)
        assert census(contexts).files == len(seen)


def _line(chance: random.Random) -> str:
    text = "/".join(chance.choice(PIECES) for _ in range(chance.randint(1, 3)))
    return chance.choice(["", "", "", "!", "!", "/", "!/", " ", "#"]) + text + chance.choice(["", "", "", "/", " "])


def _path(chance: random.Random) -> str:
    return "/".join(chance.choice(NAMES) for _ in range(chance.randint(1, 4))) + chance.choice(["", "", "", "", "/"])


def _make(root: Path, files: list[str], rules: str) -> None:
    """Files (and folders: a path that ends in a slash) where nothing is in the way."""
    root.mkdir()
    (root / ".dockerignore").write_bytes(rules.encode())
    for name in files:
        if not name or any(parent.is_file() for parent in (root / name).parents):
            continue
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            if name.endswith("/"):
                path.mkdir()
            else:
                path.write_text("x")


def _compare(pairs: list[tuple[Path, str]], engine: Any, scratch: Path) -> None:
    """Build all pairs at once, each as a named context, and hold what came out against the rules."""
    build = scratch / f"build-{pairs[0][0].name}"
    build.mkdir()
    options: list[str] = []
    text = "FROM scratch\n"
    for root, _ in pairs:
        text += f"COPY --from={root.name} / /{root.name}/\n"
        options += ["--build-context", f"{root.name}={root}"]
    (build / "Dockerfile").write_text(text)
    out = scratch / f"out-{pairs[0][0].name}"
    done = _build([*options, "--output", f"type=local,dest={out}"], engine, build)
    assert done.returncode == 0, done.stderr[-3000:]
    for root, rules in pairs:
        assert _seen(root, parse(rules)) == _listing(out / root.name), rules


def _seen(root: Path, rules: IgnoreRules) -> set[str]:
    """What a walk finds visible; asking for each path alone must say the same. Folders on the way to a file count."""
    tree = Tree(str(root), rules)
    tree.scan()
    alone = {path for path in _listing(root) if not rules.ignores(path)}
    assert set(tree.entries) == alone
    for path in _listing(root):
        if rules.shuts(path):
            assert not any(seen == path or seen.startswith(path + "/") for seen in alone)
    return {parent for path in alone for parent in (path, *_above(path))}


def _above(path: str) -> list[str]:
    return [str(parent) for parent in Path(path).parents if str(parent) != "."]


def _listing(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")} if root.exists() else set()


def _build(options: list[str], engine: Any, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "buildx", "build", "--progress=plain", *options, "."],
        cwd=folder,
        env=engine.env(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
