"""Which paths a source selects, and below which it makes a difference what is there."""

from __future__ import annotations

import pytest

from hitmiss.project.chosen import Chosen, Source

PATHS = ("a", "a/b", "a/b/c", "ab", "d/b", "d/b/c", "x.md", "a/x.md", "[q]")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Source("/"), PATHS),
        (Source("."), PATHS),
        (Source("/a"), ("a", "a/b", "a/b/c", "a/x.md")),
        (Source("a/b/"), ("a/b", "a/b/c")),
        (Source("/../a/./b/c"), ("a/b/c",)),
        (Source("/[q]"), ("[q]",)),
        (Source("/*", wildcards=True), PATHS),
        (Source("/*/b", wildcards=True), ("a/b", "a/b/c", "d/b", "d/b/c")),
        (Source("/a*", wildcards=True), ("a", "a/b", "a/b/c", "ab", "a/x.md")),
        (Source("/d/*", wildcards=True), ("d/b", "d/b/c")),
        (Source("/[^x][^x]b", wildcards=True), ("a/b", "a/b/c", "d/b", "d/b/c")),
        (Source("/[", wildcards=True), ()),
        (Source("/", exclude=("*.md",)), ("a", "a/b", "a/b/c", "ab", "d/b", "d/b/c", "a/x.md", "[q]")),
        (Source("/", exclude=("**/*.md", "d")), ("a", "a/b", "a/b/c", "ab", "[q]")),
        (Source("/a", exclude=("b", "!b/c")), ("a", "a/b/c", "a/x.md")),
        (Source("/a", exclude=("*", "!b/c")), ("a/b/c",)),
        (Source("/*", wildcards=True, exclude=("b",)), ("a", "ab", "x.md", "a/x.md", "[q]")),
        (Source("/", include=("a/b",)), ("a/b", "a/b/c")),
        (Source("/", include=("**/*.md",), exclude=("a",)), ("x.md",)),
    ],
)
def test_covers(source: Source, expected: tuple[str, ...]) -> None:
    chosen = Chosen(source)
    assert tuple(path for path in PATHS if chosen.covers(path)) == expected


@pytest.mark.parametrize(
    ("source", "folder", "expected"),
    [
        (Source("/"), "a", True),
        (Source("/a/b"), "a", True),
        (Source("/a/b"), "a/b", True),
        (Source("/a/b"), "a/b/c", True),
        (Source("/a/b"), "c", False),
        (Source("/a/b"), "a/c", False),
        (Source("/a/*/c", wildcards=True), "a/b", True),
        (Source("/a/*/c", wildcards=True), "a/b/d", False),
        (Source("/a/*.py", wildcards=True), "a", True),
        (Source("/*.py", wildcards=True), "a", False),
        (Source("/", exclude=("a",)), "a", False),
        (Source("/", exclude=("a", "!a/b")), "a", True),
        (Source("/", include=("a/b",)), "a", True),
        (Source("/", include=("a/b",)), "c", False),
        (Source("/[^x][^x]b", wildcards=True), "a", True),
    ],
)
def test_reaches(source: Source, folder: str, expected: bool) -> None:
    assert Chosen(source).reaches(folder) == expected


def test_a_pattern_that_buildkit_refuses_filters_nothing() -> None:
    assert Chosen(Source("/", exclude=("[",))).covers("a")


def test_a_folder_above_what_is_included_counts_as_a_folder() -> None:
    chosen = Chosen(Source("/", include=("a/b",)))
    assert chosen.covers("a", True)
    assert not chosen.covers("c", True)
