"""Dockerfiles as stages and instructions: this parser against BuildKit's own, and its errors."""

from __future__ import annotations

import re
import subprocess
import sys

import dockerfile as buildkit
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hitmiss.errors import UsageError
from hitmiss.project.dockerfile import DockerfileError, Instruction, frontend, parse
from hitmiss.project.outline import steps_of
from hitmiss.project.syntax import read

WRITTEN = (
    "FROM busybox",
    "from busybox as b\nrun true\ncopy . .",
    'ARG A\nARG B=1 C="two words"\nFROM $A\nARG A\nARG D E=f',
    "# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN a `\n  b\n",
    "#escape = `\n\nFROM a\nRUN a \\\nCOPY `\na b",
    "# comment\n# escape=`\nFROM a\nRUN a \\\n b",
    "FROM a\n# syntax=x\nRUN b",
    "\ufeff# escape=`\nFROM a\nRUN a `\nb",
    "FROM a\r\nRUN a \\\r\n  # comment\r\n\r\n  b\r\nRUN <<E\r\nx\r\nE\r\n",
    "FROM a\nRUN a \\\n\n\n  b \\\n#c\n   # d\n  e\nRUN f",
    "FROM a\nRUN a \\  \n b",
    "FROM a\nRUN a \\\\\nRUN b",
    "FROM a\nRUN a\\\nb",
    "FROM a\n\\\nRUN b",
    "FROM a\nRUN a \\",
    "FROM a\nRUN a \\\n# end",
    "FROM a\nRUN <<EOF\necho \\\nEOF\nRUN x",
    "FROM a\nRUN <<-EOF cat && <<'two' cat\n\tone\n\tEOF\n$x\ntwo\n",
    "FROM a\nRUN 3<<EOF foo\nx\nEOF",
    'FROM a\nRUN <<E"O"F\nx\nEOF',
    "FROM a\nRUN echo \"<<EOF\"\nRUN echo '<<EOF'",
    "FROM a\nRUN echo a<<EOF",
    "FROM a\nRUN cat <<EOF > /x\n# not a comment\n\nEOF",
    'FROM a\nRUN ["cat", "<<EOF"]\nRUN x',
    "FROM a\nCOPY <<a <<b /d/\n1\na\n2\nb\nADD <<c /c\nc\n",
    'FROM a\nCOPY --from=x --chown="a b":c --link src dst',
    "FROM a\nCOPY -- --from=x a b",
    "FROM a\nCOPY --exclude='a b' --exclude=\\* . /x",
    'FROM a\nCOPY ["a b", "c"]',
    "FROM a\nCOPY [a, b] c",
    'FROM a\nCOPY ["a", 1]',
    'FROM a\nRUN ["a"',
    "FROM a\nRUN []",
    'FROM a\nRUN   [ "a" , "b\\u00e9\\n" ]  ',
    "FROM a\nRUN --mount=type=bind,target=/x --network=none make",
    "FROM a\nRUN --mount=type=bind,target=/x",
    "FROM a\nRUN --mount=type=secret,id=a <<EOF\nx\nEOF",
    "FROM a\nENV a b c",
    "FROM a\nENV a=b c=\"d e\" f='g h' i=j\\ k l=",
    "FROM a\nENV a=b c",
    "FROM a\nENV a",
    'FROM a\nLABEL a=b \\\n  c="d" \\\n  # comment\n  e=f',
    'FROM a\nLABEL "a b"=c',
    'FROM a\nHEALTHCHECK NONE\nHEALTHCHECK --interval=3s CMD a b\nHEALTHCHECK CMD ["a", "b"]',
    "FROM a\nONBUILD RUN x\nONBUILD COPY --from=b c d\nONBUILD ENV a=b",
    "FROM a\nONBUILD RUN <<EOF\nx\nEOF\nRUN y",
    'FROM a\nCMD ["a", "b"]\nENTRYPOINT a b\nSHELL ["/bin/sh", "-c"]\nVOLUME /a /b\nVOLUME ["/a"]\nEXPOSE 80 443/tcp',
    "FROM a\nUSER  a:b \nWORKDIR /a b\nSTOPSIGNAL TERM\nMAINTAINER A B <c>",
    "FROM a\nRUN\t\tx\ty",
    "FROM a\n  RUN x\n\tRUN y",
    "FROM\xa0a\nRUN b",
    "FROM a\nRUN x \x1c y\nRUN \x1cz",
    "FROM a\nRUN ünïcödé 你好\nCOPY --exclude=é a b",
    "FROM a\nRUN <<é\nx\né\n",
    "# escape=x\nFROM a",
    "# escape=`\n# escape=`\nFROM a",
    "",
    "# only a comment",
    "FROM a\nRUN <<EOF\nx",
    "FROM a\nFOO bar",
    "FROM --platform=$BUILDPLATFORM a AS b",
    "FROM a\nRUN a && \\\n    b; \\\n    c",
    "FROM a\nRUN <<EOF <<EOF\nx\nEOF\ny\nEOF",
    "FROM a\nADD --checksum=sha256:x https://e.org/x /y\nADD git@github.com:a/b.git /z",
)

KEYWORDS = [
    "FROM",
    "RUN",
    "COPY",
    "ADD",
    "ENV",
    "ARG",
    "LABEL",
    "CMD",
    "ENTRYPOINT",
    "WORKDIR",
    "USER",
    "EXPOSE",
    "VOLUME",
    "SHELL",
    "HEALTHCHECK",
    "ONBUILD",
    "STOPSIGNAL",
    "MAINTAINER",
]
PIECES = [
    "a",
    "b=c",
    "<<EOF",
    "<<-E",
    "<<'E'",
    '3<<"E"F',
    "EOF",
    "E",
    "--x",
    "--from=s",
    "--mount=type=bind,target=/t",
    "--",
    "-",
    "$A",
    "${A:-b}",
    "${A",
    '"',
    "'",
    '"q r"',
    "'s t'",
    "\\",
    "`",
    '\\"',
    '["j", "k"]',
    "[",
    "]",
    "[1]",
    "#",
    "# c",
    ",",
    "=",
    "é",
    "\u2003",
    "\x1c",
    "\x0b",
    "<",
    "&&",
    "{",
    "}",
]
SPACES = st.sampled_from(["", " ", "  ", "\t"])
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", " \\\n", "\\\n", " `\n", "\\ \n", "\n\n", "\r\r\n", ""])
LINE = st.tuples(
    SPACES,
    st.sampled_from(
        [
            *KEYWORDS,
            "ONBUILD RUN",
            "ONBUILD COPY",
            "NOPE",
            *(word.lower() for word in KEYWORDS),
            "",
            "",
            "#",
            "# escape=`",
            "#syntax = x y",
            "EOF",
            "E",
            "\\",
        ]
    ),
    st.lists(st.tuples(SPACES, st.sampled_from(PIECES)), max_size=5),
    SPACES,
    ENDS,
).map(lambda parts: f"{parts[0]}{parts[1]} {''.join(a + b for a, b in parts[2])}{parts[3]}{parts[4]}")
DIRECTIVES = st.sampled_from(
    ["", "", "# escape=`\n", "# syntax=a\n", "# syntax=b\n# escape=`\n", "#escape=\\\n", "# x\n", "\ufeff"]
)
TEXTS = st.tuples(DIRECTIVES, st.lists(LINE, min_size=1, max_size=8)).map(lambda parts: parts[0] + "".join(parts[1]))

Row = tuple[str, int, int, tuple[str, ...], bool, tuple[str, ...], str, tuple[tuple[str, int, str], ...]]


def _theirs(text: str) -> list[Row] | str:
    try:
        commands = buildkit.parse_string(text)
    except buildkit.GoParseError as error:
        return str(error)
    return [
        (
            (each.cmd or "").upper(),
            each.start_line,
            each.end_line,
            each.flags,
            each.json,
            () if (each.sub_cmd or "").upper() == "ONBUILD" else each.value,
            (each.sub_cmd or "").upper(),
            tuple((doc.name, doc.file_descriptor, doc.content) for doc in each.heredocs),
        )
        for each in commands
    ]


def _ours(text: str) -> list[Row] | str:
    try:
        _, _, instructions = read(text)
    except DockerfileError as error:
        return error.reason
    return [_row(each) for each in instructions]


def _row(each: Instruction) -> Row:
    inner = each.trigger or each
    docs = tuple((doc.name, doc.fd, doc.content) for doc in each.heredocs)
    trigger = each.trigger.keyword if each.trigger else ""
    # The library gives the words and the JSON mark of the instruction inside an ONBUILD, not its flags and heredocs,
    # and no words of an instruction that it does not know.
    args = inner.args if inner.keyword in KEYWORDS else ("",)
    args = () if trigger == "ONBUILD" else args
    flags, docs = (each.flags, ()) if each.trigger else (inner.flags, docs)
    return each.keyword, each.start, each.end, flags, inner.json, args, trigger, docs


@pytest.mark.parametrize("text", WRITTEN)
def test_as_buildkit_reads_it(text: str) -> None:
    assert _ours(text) == _theirs(text)


@settings(max_examples=1500, deadline=None)
@given(TEXTS)
def test_generated_texts_as_buildkit_reads_them(text: str) -> None:
    # The library is BuildKit 0.12: it takes a list with words behind it for JSON, wants no blank in `<< EOF`, and
    # unescapes flags with a backslash whatever the escape directive says. None of that holds for later ones.
    assume(not re.search(r"\][^\n]*[^\t\v\f\r\n ]|<<-?\s", text))
    assume(not (re.search(r"escape *= *`", text) and re.search(r"--[^\n]*[\\`]", text)))
    theirs = _theirs(text)
    ours = _ours(text)
    if isinstance(theirs, str):
        assert isinstance(ours, str), (theirs, ours)
    else:
        assert ours == theirs


def test_newer_than_the_library() -> None:
    # Read in BuildKit's sources of 2024 and later; the engine tests build such files.
    assert _ours('FROM a\nRUN ["b"] c')[1][5] == ('["b"] c',)
    assert _ours("# check=skip=all\n# escape=`\nFROM a `\n AS b")[0][5] == ("a", "AS", "b")
    assert _ours("FROM a\nRUN cat << EOF\nx\nEOF")[1][7] == (("EOF", 0, "x\n"),)


def test_lines_names_and_flags() -> None:
    text = (
        "# syntax=docker/dockerfile:1\nARG V=1\nFROM --platform=$BUILDPLATFORM go:$V AS Build\n# note\nCOPY --link \\\n"
        "  --exclude=*.md --exclude=x . /src\n\nRUN <<EOF\nmake\nEOF\nFROM scratch\nCOPY --from=build /a /b\n"
    )
    found = parse(text)
    assert frontend(text) == "docker/dockerfile:1"
    assert [each.original for each in found.arguments] == ["ARG V=1"]
    first, last = found.stages
    assert (first.name, first.shown, first.base, first.platform) == ("build", "build", "go:$V", "$BUILDPLATFORM")
    assert (last.name, last.shown, last.index) == ("", "stage-1", 1)
    assert [(each.keyword, each.start, each.end) for each in first.instructions] == [
        ("FROM", 3, 3),
        ("COPY", 5, 6),
        ("RUN", 8, 10),
    ]
    copy = first.instructions[1]
    assert copy.flag_values("exclude") == ("*.md", "x")
    assert (copy.flag("link"), copy.flag("from", "none"), copy.args) == ("true", "none", (".", "/src"))
    assert found.stage("BUILD") is first
    assert found.stage() is last
    assert found.stage("other") is None


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 0, "file with no instructions"),
        ("# a\n\n", 0, "file with no instructions"),
        ("ARG A=1\n", 0, "contains no stages"),
        ("FROM a\n\nFOO bar\n", 3, "unknown instruction: FOO"),
        ("FROM a\nCOPPY b c\n", 2, "unknown instruction: COPPY (did you mean COPY?)"),
        ("FROM a\nexpse 1\n", 2, "unknown instruction: expse (did you mean expose?)"),
        ("FROM a\nFETCH b\n", 2, "unknown instruction: FETCH"),
        ("RUN x\nFROM a\n", 1, "no build stage in current context"),
        ("FROM\n", 1, "one or three arguments"),
        ("FROM a b\n", 1, "one or three arguments"),
        ("FROM a AS 1x\n", 1, "invalid name for build stage"),
        ("FROM a\nCOPY x\n", 2, "at least two arguments"),
        ("FROM a\nENV x\n", 2, "ENV must have two arguments"),
        ("FROM a\nENV x=1 y\n", 2, "can't find = in"),
        ("FROM a\nRUN <<E\nx\n", 2, "unterminated heredoc"),
        ("FROM a\nRUN [1]\n", 2, "strings only"),
        ("FROM a\nONBUILD FROM b\n", 2, "isn't allowed as an ONBUILD trigger"),
        ("FROM a\nONBUILD\n", 2, "at least one argument"),
        ("FROM a\nWORKDIR\n", 2, "at least one argument"),
        ("# escape=x\nFROM a\n", 1, "invalid escape token"),
        ("# escape=`\n# escape=`\nFROM a\n", 2, "only one escape"),
        ("FROM a\nRUN " + "x" * 70_000, 2, "greater than max allowed size"),
    ],
)
def test_a_syntax_error_names_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse(text)
    assert caught.value.line == line
    assert reason in caught.value.reason
    assert isinstance(caught.value, UsageError)
    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
        steps_of(found)
    except UsageError:
        return
    assert found.stages


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_dockerfile_has_an_outline_or_is_refused(text: str) -> None:
    try:
        stages = steps_of(parse("FROM busybox AS b\n" + text))
    except UsageError:
        return
    for stage in stages:
        for step in stage.steps:
            assert 1 <= step.index <= step.of
            assert stage.start <= step.start <= step.end <= stage.end


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("# syntax=a/b:1 x\nFROM c", "a/b:1"),
        ("\ufeff#escape=`\n#  SyntaX = a\nnot: a Dockerfile", "a"),
        ("# note\n# syntax=a\n", ""),
        ("FROM a\n# syntax=b", ""),
        ("", ""),
    ],
)
def test_the_frontend_that_is_asked_for(text: str, image: str) -> None:
    assert frontend(text) == image


def test_bytes_that_are_not_utf8_survive() -> None:
    text = b"FROM a\nRUN echo \xff\xfe\nCOPY --exclude=\xff a b\n".decode(errors="surrogateescape")
    run, copy = parse(text).stages[0].instructions[1:]
    assert run.args[0].encode(errors="surrogateescape") == b"echo \xff\xfe"
    assert copy.args == ("a", "b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ARG B\nFROM $B\n", "should not be blank"),
        ("FROM ${\n", "missing '}'"),
        ("FROM a AS x\nCOPY --from=y p /\nFROM b AS y\nCOPY --from=x p /\n", "circular dependency"),
        ("FROM a\nCOPY --from=3 p /\n", "invalid stage index"),
        ("FROM a\nENV x=${y\n", "unsupported modifier"),
        ("FROM a AS b\nONBUILD COPY\nFROM b\n", ""),
    ],
)
def test_what_only_the_outline_refuses(text: str, reason: str) -> None:
    if not reason:
        assert steps_of(parse(text))
        return
    with pytest.raises(DockerfileError) as caught:
        steps_of(parse(text))
    assert reason in caught.value.reason


def test_an_unknown_target_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        steps_of(parse("FROM a AS one\nFROM b AS two\n"), "three")
    assert "'three'" in str(caught.value)
    assert "one, two" in str(caught.value)


def test_equal_steps_come_once_with_all_their_lines() -> None:
    text = (
        "FROM a AS x\nRUN one\nFROM a AS y\nRUN one\nRUN two\nFROM scratch\nCOPY --from=x /p /\nCOPY --from=y /p /q\n"
    )
    steps = [step for stage in steps_of(parse(text)) for step in stage.steps]
    assert [(step.stage, step.index, step.start, step.lines) for step in steps] == [
        ("y", 1, 3, ((1, 1),)),
        ("y", 2, 4, ((2, 2),)),
        ("y", 3, 5, ()),
        ("stage-2", 1, 7, ()),
        ("stage-2", 2, 8, ()),
    ]
    assert steps[1].names == ("[y 2/3] RUN one", "[x 2/2] RUN one")


def test_reading_a_dockerfile_loads_no_parser_library() -> None:
    names = ("dockerfile", "tree_sitter", "watchfiles")
    code = f"import sys, hitmiss.project.outline; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
