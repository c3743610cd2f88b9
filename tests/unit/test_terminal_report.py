"""A build on a plain terminal and in a log: shape and words, and nothing that a terminal would obey."""

import io
import re

import msgspec
import pytest
from rich.console import Console

from hitmiss.build.model import Build, Cause, CauseKind, Check, Place, Stage, Status, Step, Verdict
from hitmiss.report import terminal, why
from hitmiss.symbols import SYMBOLS, plain, seconds, size
from tests.support import streams

EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m[red]markup[/red] [link=x]\r\n\x00\u202e\u2028end"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def console(*, colour: bool = False, width: int = 100) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=colour, width=width, highlight=False, legacy_windows=False), out


def tree(build: Build, *, colour: bool = False, width: int = 100) -> str:
    shown, out = console(colour=colour, width=width)
    terminal.print_tree(build, shown)
    return out.getvalue()


def step(verdict: Verdict, text: str = "RUN x", **fields: object) -> Step:
    made = Step("a:1", "a", 1, 1, text, verdict=verdict)
    return msgspec.structs.replace(made, **fields)


def build_of(*steps: Step, **fields: object) -> Build:
    made = Build(status=Status.SUCCEEDED, stages=(Stage("a", "a", None, steps),), duration_s=3.0)
    return msgspec.structs.replace(made, **fields)


def test_a_tree() -> None:
    build = streams.folded("one-miss")
    lines = tree(build).splitlines()
    assert lines[0] == "base"
    assert re.fullmatch(r"  ● FROM busybox +1  hit +", lines[1])
    assert [line for line in lines if not line.startswith(" ")] == ["base", "assets", "final", lines[-1]]
    assert re.fullmatch(r"  ◆ COPY src/ src/ +7  miss +0\.0 s", lines[6])
    assert lines[-1] == "built in 9.0 s: 5 of 8 hit, sent 137 B"
    assert max(map(len, lines)) <= 100


def test_every_verdict_has_a_shape_and_a_word() -> None:
    for verdict in Verdict:
        text = tree(build_of(step(verdict)))
        assert SYMBOLS[verdict].glyph in text
        assert (SYMBOLS[verdict].word or verdict.value) in text
    assert len({symbol.glyph for symbol in SYMBOLS.values()}) == len(Verdict)


def test_times() -> None:
    assert "saved 41.0 s" in tree(build_of(step(Verdict.HIT, last_s=41.0)))
    assert "saved" not in tree(build_of(step(Verdict.HIT, last_s=0.01)))
    assert "12.3 s" in tree(build_of(step(Verdict.MISS, duration_s=12.34)))
    assert "1.0 s" not in tree(build_of(step(Verdict.SKIPPED, duration_s=1.0)))


def test_a_hit_that_is_not_what_it_seems_is_told() -> None:
    hit = step(Verdict.HIT, "RUN --mount=type=secret,id=pip x", alarm="The secret pip changed.")
    assert "△ RUN --mount=type=secret,id=pip x: The secret pip changed." in tree(build_of(hit)).splitlines()
    assert "△" not in tree(build_of(step(Verdict.HIT)))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_lines_fit(width: int) -> None:
    build = build_of(step(Verdict.MISS, "RUN " + "中文" * 60), step(Verdict.HIT, "COPY " + "x" * 300))
    from rich.cells import cell_len

    for line in tree(build, width=width).splitlines()[1:3]:
        assert cell_len(line) <= max(width, 44)
        assert "…" in line


def test_a_failed_build_shows_what_the_client_said() -> None:
    text = tree(streams.folded("failed"))
    assert ">>> RUN echo first && echo 'context canceled' >&2 && exit 3" in text
    assert "ERROR: failed to build: failed to solve" in text
    assert text.splitlines()[-1] == "failed in 9.0 s: 1 of 6 hit"


def test_a_failure_without_words_still_says_why() -> None:
    assert "no engine" in tree(build_of(status=Status.FAILED, error="no engine"))


def test_the_last_line_of_each_end() -> None:
    for status, said in [
        (Status.SUCCEEDED, "built in 3.0 s: no step ran"),
        (Status.CANCELED, "canceled in 3.0 s: no step ran"),
        (Status.FAILED, "failed in 3.0 s: no step ran"),
    ]:
        assert terminal.summary(Build(status=status, duration_s=3.0)).plain == said
    everything = build_of(step(Verdict.HIT, last_s=65.0), context_bytes=1_234_567)
    assert terminal.summary(everything).plain == "built in 3.0 s: 1 of 1 hit, saved 1 min 05 s, sent 1.2 MB"


def test_checks_are_warned_of() -> None:
    build = streams.folded("warnings")
    shown, out = console()
    terminal.print_checks(build, shown)
    assert len(out.getvalue().splitlines()) == len(build.checks)
    assert out.getvalue().startswith("! FromAsCasing: ")


def test_a_plain_line() -> None:
    ran = step(Verdict.MISS, platform="linux/amd64", duration_s=3.21)
    assert terminal.line(ran) == "miss      linux/amd64 a 1/1  RUN x  3.2 s"
    assert terminal.line(step(Verdict.HIT)) == "hit       a 1/1  RUN x"


def test_what_a_running_build_is_doing() -> None:
    assert terminal.busy(build_of(step(Verdict.HIT), step(Verdict.RUNNING, "RUN make"))).plain == "1 of 2  RUN make"
    work = Step("d", "", 0, 0, "exporting to image", verdict=Verdict.INTERNAL, running_since=1.0)
    assert terminal.busy(Build(internals=(work,))).plain == "0 of 0  exporting to image"
    assert terminal.busy(Build()).plain == "0 of 0  building"


@pytest.mark.parametrize("colour", [False, True])
def test_nothing_from_outside_reaches_the_terminal_as_such(colour: bool) -> None:
    evil = step(Verdict.FAILED, EVIL, place=Place(EVIL, 1, 1), platform=EVIL, bake_target=EVIL)
    build = Build(
        status=Status.FAILED,
        stages=(Stage("a", EVIL, EVIL, (evil,)),),
        checks=(Check(EVIL, EVIL, EVIL, EVIL, 1),),
        text=(EVIL,),
        error=EVIL,
    )
    shown, out = console(colour=colour)
    terminal.print_tree(build, shown)
    shown.print(terminal.line(evil), markup=False)
    shown.print(terminal.busy(build_of(step(Verdict.RUNNING, EVIL))))
    text = out.getvalue()
    assert ("\x1b[" in text) == colour
    bare = ESCAPES.sub("", text)
    assert not [c for c in bare if not c.isprintable() and c != "\n"]
    assert "[red]markup[/red]" in bare
    assert "title" in bare


def test_no_colour_leaves_shape_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    build = streams.folded("one-miss")
    assert "\x1b[33m" in tree(build, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    text = tree(build, colour=True)
    assert not re.search(r"\x1b\[[0-9;]*[34]\d", text)
    assert ESCAPES.sub("", text) == tree(build)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3840, "1 h 04 min"),
    ],
)
def test_seconds(value: float, shown: str) -> None:
    assert seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_234, "1.2 kB"),
        (999_950, "1.0 MB"),
        (3.4e9, "3.4 GB"),
        (2e13, "20.0 TB"),
    ],
)
def test_size(value: float, shown: str) -> None:
    assert size(value) == shown


def test_plain_text_is_one_line() -> None:
    assert plain("  a\n b\t c ") == "a b c"
    assert plain("a\x1b[31mb") == "a�[31mb"


def test_what_to_do_is_said_last_and_obeys_nothing() -> None:
    wrong, mend = f"There is no {EVIL} here.", f"Install {EVIL}."
    words = ("ERROR: failed to build: failed to solve: x",)
    failed = build_of(step(Verdict.FAILED), status=Status.FAILED, error=f"{wrong} {mend}", advice=mend, text=words)
    shown, out = console()
    terminal.print_failure(failed, shown)
    assert out.getvalue().splitlines() == [*words, f"✖ {plain(wrong)}", f"  {plain(mend)}"]
    shown, out = console()
    terminal.print_failure(msgspec.structs.replace(failed, advice="", error="x"), shown)
    assert out.getvalue().splitlines() == list(words)


def test_caches_that_were_not_there_are_told() -> None:
    work = Step("i", "", 0, 0, "importing cache manifest from r.io/c:1", error="r.io/c:1: not found")
    shown, out = console()
    terminal.print_checks(build_of(step(Verdict.HIT), internals=(work,)), shown)
    assert out.getvalue() == "! The cache of r.io/c:1 was not found (there is none yet).\n"


def test_a_difference_that_began_in_a_target_that_is_not_there() -> None:
    """Its first step is told, and what ran because of that is not."""
    root, said = "base:b:3", "A step of base, which it is built on, ran."
    first = step(Verdict.MISS, "RUN first", cause=Cause(CauseKind.PARENT_MISSED, root, said))
    through = Cause(CauseKind.PARENT_MISSED, root, "RUN first ran.", through=("a:1",))
    then = step(Verdict.MISS, "RUN then", id="a:2", index=2, cause=through)
    shown, out = console()
    why.print_diff(build_of(), build_of(first, then), (), shown)
    assert "RUN first" in out.getvalue()
    assert said in out.getvalue()
    assert "MISS  RUN then" not in out.getvalue()
