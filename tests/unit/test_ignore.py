"""`.dockerignore` rules: how they are asked. Whether they are BuildKit's is settled in tests/engine/test_ignore.py."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitmiss.errors import UsageError
from hitmiss.project.ignore import NOTHING_IGNORED, parse
from hitmiss.project.patterns import PatternError, clean, crosses_folders, glob, has_wildcards


def test_comments_blanks_slashes_and_marks() -> None:
    rules = parse("\ufeff# all\n\n  /a/ \r\n!  /a/b\n#x\n./c/../d\n")
    assert rules.patterns == ("a", "!a/b", "d")
    assert not rules.empty
    assert parse("").empty
    assert NOTHING_IGNORED.empty


@pytest.mark.parametrize(
    ("text", "ignored", "seen"),
    [
        ("*.log\n", ["x.log"], ["a/x.log", "x.txt"]),
        ("**/*.log\n", ["x.log", "a/b/x.log"], ["log"]),
        ("node_modules\n", ["node_modules", "node_modules/a/b"], ["a/node_modules"]),
        ("*\n!src\n", ["a", "b/c"], ["src", "src/a/b"]),
        ("a\n!a/b\n", ["a", "a/c"], ["a/b", "a/b/c"]),
        ("a/b\n!a\n", ["a/b", "a/b/c"], ["a", "a/c"]),
        ("a\n!a/b\na\n", ["a/c"], ["a/b"]),
        ("**\n!**/keep\n", ["a", "a/b"], ["keep", "a/b/keep"]),
        (".git\n", [".git", ".git/config"], ["a.git", "a/.git"]),
    ],
)
def test_which_paths_are_left_out(text: str, ignored: list[str], seen: list[str]) -> None:
    rules = parse(text)
    assert [path for path in ignored if not rules.ignores(path)] == []
    assert [path for path in seen if rules.ignores(path)] == []


def test_folders_that_need_not_be_entered() -> None:
    rules = parse("a\nb\n!b/x/y\nc\n!c/*/*.md\n*.d\n!*.txt\n")
    assert rules.shuts("a")
    assert rules.shuts("a/deep/er")
    assert not rules.shuts("b")
    assert rules.shuts("b/z")
    assert not rules.shuts("b/x")
    assert not rules.shuts("c")
    assert not rules.shuts("c/x")
    assert rules.shuts("c/x/y")
    assert rules.shuts("x.d")
    assert not rules.shuts("d")
    assert not parse("a\n!**/b\n").shuts("a")


@pytest.mark.parametrize("pattern", ["!", "a[", "[]", "a\\", "[a-]", "\\y", "**/["])
def test_a_refused_pattern_is_named(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"ok\n{pattern}\n")
    assert "pattern" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_are_not_utf8() -> None:
    rules = parse(b"caf\xe9\n*.\xff\n")
    assert rules.ignores(b"caf\xe9".decode(errors="surrogateescape"))
    assert rules.ignores(b"a.\xff".decode(errors="surrogateescape"))
    assert not rules.ignores("café")


@settings(max_examples=400, deadline=None)
@given(
    st.text(alphabet="ab/*?[]!^-\\. #\n{}()|+$é\x85", max_size=30),
    st.lists(st.text(alphabet="ab./ é", min_size=1), max_size=5),
)
def test_any_text_is_read_or_refused(text: str, paths: list[str]) -> None:
    try:
        rules = parse(text)
    except UsageError:
        return
    for path in paths:
        path = clean("/" + path)[1:] or "a"
        if rules.shuts(path):
            assert rules.ignores(path)
            assert rules.ignores(f"{path}/x")


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.go", ["a.go", ".go"], ["a/b.go", "a.goo"]),
        ("a?c", ["abc", "aéc"], ["ac", "a/c"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
        ("[^a]", ["b", "é"], ["a", "bb"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("[\\]]", ["]"], ["\\"]),
        ("[c-a]", [], ["a", "b", "c"]),
        ("a.b+(c)|{d}", ["a.b+(c)|{d}"], ["axb+(c)|{d}"]),
        ("*", ["", "a"], ["a/b"]),
        ("a\n", ["a\n"], ["a"]),
    ],
)
def test_globs(pattern: str, yes: list[str], no: list[str]) -> None:
    test = glob(pattern)
    assert [name for name in yes if not test(name)] == []
    assert [name for name in no if test(name)] == []


@pytest.mark.parametrize("pattern", ["[", "[]", "[]a]", "[a", "[a-]", "[-a]", "a\\", "[\\", "[^", "[^]"])
def test_refused_globs(pattern: str) -> None:
    with pytest.raises(PatternError):
        glob(pattern)


def test_helpers() -> None:
    assert [clean(path) for path in ("", "a//b/../c/", "/..", "//a", "../a", "./")] == [
        ".",
        "a/c",
        "/",
        "/a",
        "../a",
        ".",
    ]
    assert [has_wildcards(text) for text in ("a", "a\\*", "a*", "[", "a\\\\?")] == [False, False, True, True, True]
    assert [crosses_folders(part) for part in ("a[^b]", "[^b]a", "a[b]", "a[+-9]")] == [True, False, False, True]
