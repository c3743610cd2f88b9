"""Why a step ran or did not, in sentences."""

from __future__ import annotations

import time

import msgspec
import pytest

from hitmiss import explain
from hitmiss.build.model import Alteration, Build, Cause, CauseKind, FileChange, Note, Planned, Status, Step, Verdict
from hitmiss.explain import Role, text_of
from hitmiss.explain.lines import MOST_FILES
from hitmiss.explain.reasons import MOST_BELOW
from tests.support.subject import step, tree, webapp
from tests.ui.telling import CAUSES, FILES, OLD, caused, chained, noted, planned, remade

EVIL = "[red]x[/red] \x1b]0;owned\x07\u202e"


def got(build: Build, step_id: str) -> Step:
    found = build.step(step_id)
    assert found is not None
    return found


def told(build: Build, step_id: str) -> str:
    return "\n".join(text_of(line) for line in explain.reason(got(build, step_id), build))


def alone(step_: Step, *others: Step) -> str:
    build = webapp(stages=tree(step_, *others))
    return told(build, step_.id)


def missed(cause: Cause, **more: object) -> Step:
    return step("s", 1, "RUN make", Verdict.MISS, cause=msgspec.structs.replace(cause, root="s:1"), **more)


@pytest.mark.parametrize("kind", [kind for kind in CauseKind if kind is not CauseKind.PARENT_MISSED])
def test_every_cause_is_told(kind: CauseKind) -> None:
    build = caused(kind)
    lines = told(build, "assets:1").splitlines()
    plain = explain.plain_words(got(build, "assets:1"))
    for wanted in CAUSES[kind][1]:
        assert any(wanted in line for line in (*lines, plain)), (wanted, lines)
    assert "Because of it 2 steps below ran too:" in lines
    assert "  ◆ RUN sh tools/bundle.sh static /out  (2.5 s)" in lines


def test_a_step_that_failed_is_not_said_to_have_run() -> None:
    cause = CAUSES[CauseKind.FILES_CHANGED][0]
    said = explain.plain_words(step("s", 1, "COPY config/ config/", Verdict.FAILED, cause=cause))
    assert "It failed, so" in said
    assert "ran" not in said.split()


def test_the_build_that_is_compared_with_is_part_of_the_sentence() -> None:
    detail = "Its platform is another one, and with it TARGETARCH. It has its ENV below."
    cause = Cause(CauseKind.ENVIRONMENT_CHANGED, "", detail, against=3)
    said = "Its platform is another one, and with it TARGETARCH since build 3. It has its ENV below."
    assert alone(missed(cause)) == said
    assert (
        alone(missed(Cause(CauseKind.NO_CACHE, "", "--no-cache asked for it.", against=3)))
        == "--no-cache asked for it."
    )


@pytest.mark.parametrize("kind", list(CauseKind))
def test_a_cause_that_says_nothing_is_told_in_our_own_words(kind: CauseKind) -> None:
    said = alone(missed(Cause(kind, "", "")))
    assert len(said) > 10
    assert said.strip().endswith(".")
    assert explain.short(Cause(kind, "", ""), step("s", 1, "RUN x"))


def test_every_change_of_a_file() -> None:
    lines = told(caused(CauseKind.FILES_CHANGED), "assets:1").splitlines()[1:10]
    assert [" ".join(line.split()) for line in lines] == [
        "~ src/main.py +12 B",
        "+ src/new.py +1.2 kB",
        "- src/old.py −300 B",
        "→ src/name.py renamed from src/nom.py",
        "~ src/run.sh mode 644 → 755",
        "~ src/link link a → b",
        "~ src/kind file → folder",
        "~ src/same.py same size",
        "~ guide.md −7 B in context docs",
    ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (FILES[:1], "1 file changed since build 3"),
        (FILES[1:2], "1 file added since build 3"),
        (FILES[2:3] * 2, "2 files removed since build 3"),
        (FILES[:2], "2 files changed since build 3 (1 added)"),
        (FILES[:1] * 1234, "1,234 files changed since build 3"),
    ],
)
def test_files_are_counted(files: tuple[FileChange, ...], words: str) -> None:
    assert alone(missed(Cause(CauseKind.FILES_CHANGED, "", "", files, against=3))).splitlines()[0] == words


def test_the_files_of_another_step_are_said_to_be_that() -> None:
    cause = Cause(CauseKind.FILES_CHANGED, "", "COPY a b: 1 file changed since build 3.", FILES[:1], against=3)
    assert alone(missed(cause)).splitlines()[0] == "COPY a b: 1 file changed since build 3."


def test_many_files_are_cut_off() -> None:
    files = tuple(FileChange(f"f{n}", Alteration.ADDED) for n in range(MOST_FILES + 1234))
    lines = alone(missed(Cause(CauseKind.FILES_CHANGED, "", "", files))).splitlines()
    assert lines[-1] == "  and 1,234 more"
    assert len(lines) == MOST_FILES + 2


def test_an_instruction_is_compared_word_by_word() -> None:
    cause = Cause(CauseKind.INSTRUCTION_CHANGED, "s:1", "", old="RUN make -j4 all", new="RUN make -j8  all && x")
    one = step("s", 1, "RUN make -j8 all && x", Verdict.MISS, cause=cause)
    _, was, now = explain.reason(one, webapp(stages=tree(one)))
    assert [part.text for part in was if part.role is Role.OLD_WORDS] == ["-j4"]
    assert [part.text.strip() for part in now if part.role is Role.NEW_WORDS] == ["-j8", "&& x"]
    assert text_of(now) == "  now  RUN make -j8 all && x"


def test_a_step_that_was_stopped_keeps_its_cause() -> None:
    cause = Cause(CauseKind.INSTRUCTION_CHANGED, "s:1", "", old="RUN make", new="RUN make x", against=17)
    stopped = step("s", 1, "RUN make x", Verdict.CANCELED, cause=cause)
    assert alone(stopped).splitlines()[:2] == [
        "It was stopped before its end.",
        "The instruction itself changed since build 17:",
    ]
    assert alone(msgspec.structs.replace(stopped, cause=None)) == "It was stopped before its end."


def test_of_long_instructions_what_is_alike_is_left_out() -> None:
    words = [f"word{n}" for n in range(900)]
    cause = Cause(
        CauseKind.INSTRUCTION_CHANGED, "", "", old=" ".join(words), new=" ".join([*words[:450], "new", *words[450:]])
    )
    lines = alone(missed(cause)).splitlines()
    assert "word449 new word450" in lines[2]
    assert "word449 word450" in lines[1]
    assert all(" … " in line and len(line) < 300 for line in lines[1:3])


def test_an_instruction_of_a_hundred_thousand_words_is_told_in_time() -> None:
    old, new = "a b c " * 33_000, "b a c " * 33_000
    cause = Cause(CauseKind.INSTRUCTION_CHANGED, "", "", old=old, new=new)
    began = time.process_time()
    assert "was  a b c" in alone(missed(cause))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("VER=1", "VER=2", "  VER 1 → 2"),
        ("VER=1", "VER=", '  VER 1 → ""'),
        (None, "VER=2", "  + VER=2"),
        ("VER=1", None, "  - VER=1"),
        ("/app", "/srv", "  /app → /srv"),
        (f"python:3.12@{OLD}", "python:3.13", "  python:3.12@sha256:a1a1a1a1a1a1 → python:3.13"),
    ],
)
def test_values(old: str | None, new: str | None, line: str) -> None:
    cause = Cause(CauseKind.ARGUMENT_CHANGED, "", "The argument VER has another value.", old=old, new=new)
    assert alone(missed(cause)).splitlines()[1] == line


def test_values_that_the_sentence_has_said_are_not_said_again() -> None:
    assert alone(missed(Cause(CauseKind.ARGUMENT_CHANGED, "", "VER went from 1 to 2.", old="1", new="2"))) == (
        "VER went from 1 to 2."
    )


def test_a_parent_that_missed_is_told_with_its_cause_and_the_way() -> None:
    said = told(caused(CauseKind.ARGUMENT_CHANGED), "final:1").splitlines()
    assert said == [
        "A step before it ran:",
        "  ◆ COPY tools/ tools/   Dockerfile:9",
        "    VER 1 → 2 since build 11",
        "and through it:",
        "  ◆ RUN sh tools/bundle.sh static /out",
    ]


def test_what_would_have_run_by_itself_is_said_to() -> None:
    cause = Cause(
        CauseKind.PARENT_MISSED, "s:1", "RUN make ran. By itself it would have run too: 1 file changed.", FILES[:1]
    )
    root, other = missed(CAUSES[CauseKind.NO_CACHE][0]), step("s", 2, "COPY a b", Verdict.MISS, cause=cause)
    lines = alone(other, root).splitlines()
    assert lines[-2:] == ["By itself it would have run too: 1 file changed.", "  ~ src/main.py  +12 B"]


def test_a_root_that_is_not_in_the_tree_does_no_harm() -> None:
    cause = Cause(CauseKind.PARENT_MISSED, "gone", "RUN x ran.", through=("gone", "too"))
    assert alone(step("s", 1, "RUN y", Verdict.MISS, cause=cause)) == "RUN x ran."


def test_a_stage_whose_output_changed_names_where_that_began() -> None:
    cause = Cause(CauseKind.STAGE_OUTPUT_CHANGED, "assets:1", "It reads other bytes of assets.")
    build = remade(caused(CauseKind.NO_CACHE), {"final:1": {"cause": cause}})
    assert told(build, "final:1").splitlines()[1:] == [
        "It began with:",
        "  ◆ COPY tools/ tools/   Dockerfile:9",
        "    no cache was asked for",
    ]
    assert "COPY --from=assets" in told(build, "assets:1")


def test_long_chains_are_cut_off() -> None:
    steps = [step("s", n, f"RUN step {n}", Verdict.MISS) for n in range(1, 31)]
    build = chained(webapp(stages=tree(*steps)), "s:1", CAUSES[CauseKind.NO_CACHE][0], *(s.id for s in steps[1:]))
    assert f"  and {29 - MOST_BELOW} more" in told(build, "s:1").splitlines()
    assert f"  and {28 - MOST_BELOW} more" in told(build, "s:30").splitlines()


def test_hits_have_stories() -> None:
    build = noted()
    assert "older build" in told(build, "base:2")
    assert "imported" in told(build, "base:3")
    assert "wrote the same bytes" in told(build, "final:1")
    assert "nothing that it is made of has changed" in told(build, "base:1")
    assert "That saved 4.0 s." in told(build, "base:1")
    assert told(build, "base:4").splitlines()[-1].startswith("△ It fetched from the network")


def test_a_plan_that_was_wrong() -> None:
    build = noted()
    assert "! Planned: will hit; it ran." in told(build, "assets:1").splitlines()
    assert "! Planned: will run; it hit." in told(build, "assets:2").splitlines()
    assert "Planned" not in told(build, "base:1")


def test_what_will_be() -> None:
    build = planned()
    lines = told(build, "assets:1").splitlines()
    assert lines[:2] == ["Will run, because:", "9 files changed since build 11 (1 added, 1 removed, 1 renamed)"]
    assert "It takes ~41 s when it runs." in lines
    assert lines[-2:] == ["Because of it 1 step below will run too:", "  ◇ RUN sh tools/bundle.sh static /out  (~41 s)"]
    assert told(build, "assets:2").splitlines()[:2] == ["Will run, because:", "A step before it will run:"]
    assert told(build, "final:1").startswith("Depends on what `assets` writes:")
    assert told(build, "base:1").startswith("Will come from the cache")
    depends = step("s", 2, "RUN x", planned=Planned.DEPENDS)
    assert alone(depends).startswith("Depends on what the steps before it write:")
    assert alone(step("s", 2, "RUN x", planned=Planned.RUN)) == "Will run."


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_without_a_cause_has_a_sentence(verdict: Verdict) -> None:
    one = step("s", 1, "RUN make", verdict)
    assert alone(one)
    assert explain.headline(one).endswith("  RUN make")
    assert explain.verdict_word(one).isupper()
    assert bool(explain.plain_words(one)) is (verdict is not Verdict.INTERNAL)


def test_headlines() -> None:
    assert explain.headline(step("s", 1, "COPY src/  src/", Verdict.MISS)) == "MISS  COPY src/ src/"
    assert explain.headline(step("s", 1, "COPY a b", planned=Planned.RUN)) == "WILL RUN  COPY a b"
    assert explain.headline(step("s", 1, "COPY a b")) == "PENDING  COPY a b"


@pytest.mark.parametrize(
    ("instruction", "words"),
    [
        ("FROM a", "digest"),
        ("COPY a b", "names, modes and bytes"),
        ("COPY --chown=1 --from=[b]x b c", "out of `[b]x`"),
        ("ADD https://a/b c", "fetches from a URL"),
        ("ADD a b", "names, modes and bytes"),
        ("RUN --mount=type=cache,target=/x make", "cache mount does not count"),
        ("RUN make", "never what it fetches"),
        ("WORKDIR /x", "makes a folder"),
        ("", ""),
    ],
)
def test_plain_words(instruction: str, words: str) -> None:
    assert words in explain.plain_words(step("s", 1, instruction))


def test_plain_words_of_hits_say_nothing_of_misses() -> None:
    cause = Cause(CauseKind.FILES_CHANGED, "s:1", "")
    assert "so it ran" not in explain.plain_words(step("s", 1, "COPY a b", Verdict.HIT, cause=cause))
    assert "so it ran" in explain.plain_words(step("s", 1, "COPY a b", Verdict.MISS, cause=cause))


def test_a_build_in_one_line() -> None:
    build = caused(CauseKind.FILES_CHANGED)
    one = msgspec.structs.replace(CAUSES[CauseKind.FILES_CHANGED][0], files=FILES[:1], root="assets:1")
    build = remade(build, {"assets:1": {"cause": one}})
    assert explain.summary(build) == "3 ran: src/main.py changed"
    arg = msgspec.structs.replace(CAUSES[CauseKind.ARGUMENT_CHANGED][0], root="base:4")
    build = remade(build, {"base:4": {"cause": arg, "verdict": Verdict.MISS}})
    assert explain.summary(build) == "3 ran: src/main.py changed · 1 ran: VER 1 → 2"
    assert explain.summary(planned()) == "2 will run: src/main.py and 8 more changed"
    assert explain.summary(caused(CauseKind.INSTRUCTION_CHANGED)) == "3 ran: COPY tools/ tools/ edited"
    assert explain.summary(webapp("hhhh hh hhh", Status.SUCCEEDED)) == ""
    assert explain.summary(webapp("mmmm mm mmm", Status.SUCCEEDED)) == ""
    assert explain.summary(Build()) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("one:1@a1", "one:1@b2", "another one:1"),
        ("one:1@a1", "two:1@b2", "one:1 → two:1"),
        ("app-dev", "app-prod", "app-dev → app-prod"),
        ("scratch", "one:1@b2", "scratch → one:1"),
        ("sha256:a1", "sha256:b2", "another base image"),
    ],
)
def test_another_base_in_one_line(old: str, new: str, said: str) -> None:
    cause = Cause(CauseKind.BASE_IMAGE_CHANGED, "", "", old=old, new=new)
    assert explain.short(cause, step("s", 1, "RUN x")) == said


def test_a_first_build_in_one_line() -> None:
    first = CAUSES[CauseKind.FIRST_BUILD][0]
    build = webapp("mmmm mm mmm", Status.SUCCEEDED)
    own: dict[str, dict[str, object]] = {
        each.id: {"cause": msgspec.structs.replace(first, root=each.id)} for each in build.steps
    }
    assert explain.summary(remade(build, own)) == "first build: all 9 ran"
    own["base:1"] = {"verdict": Verdict.HIT}
    assert explain.summary(remade(build, own)) == "8 ran: never built before"


@pytest.mark.parametrize("kind", list(CauseKind))
def test_foreign_text_is_made_plain(kind: CauseKind) -> None:
    files = tuple(FileChange(EVIL, change, EVIL, EVIL, 3, EVIL) for change in Alteration)
    cause = Cause(kind, "s:1", EVIL, files, EVIL, f"{EVIL} {EVIL}", 3, (EVIL,))
    root = step("s", 1, f"RUN {EVIL}", Verdict.MISS, cause=cause, alarm=EVIL)
    below = step("s", 2, f"COPY --from={EVIL} a", Verdict.MISS, cause=msgspec.structs.replace(cause, through=("s:1",)))
    coming = step(EVIL, 3, f"COPY --from={EVIL} a", planned=Planned.DEPENDS, cause=cause)
    hit = step("s", 4, "RUN x", Verdict.HIT, note=Note.IMPORTED, alarm=EVIL)
    build = webapp(stages=tree(root, below, coming, hit))
    said = [explain.summary(build)]
    for each in build.steps:
        said += [text_of(line) for line in explain.reason(each, build)]
        said += [explain.headline(each), explain.plain_words(each)]
    assert all(line.isprintable() for line in said)


def test_200_steps_are_told_in_time() -> None:
    steps = [step("s", n, f"RUN step {n}", Verdict.MISS) for n in range(1, 201)]
    build = chained(webapp(stages=tree(*steps)), "s:1", CAUSES[CauseKind.FILES_CHANGED][0], *(s.id for s in steps[1:]))
    took = []
    for each in ("s:1", "s:100", "s:200") * 5:
        began = time.process_time()
        explain.reason(got(build, each), build)
        took.append(time.process_time() - began)
    began = time.process_time()
    assert explain.summary(build).startswith("200 ran")
    assert sorted(took)[len(took) // 2] < 0.005
    assert time.process_time() - began < 0.005


def test_a_hit_that_was_not_expected_is_not_said_to_be_unchanged() -> None:
    said = alone(step("s", 1, "COPY src/ src/", Verdict.HIT, planned=Planned.RUN))
    assert "nothing that it is made of has changed" not in said
    assert "the result for what it is made of now" in said
    assert "it hit" in said


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        (CauseKind.STEP_REMOVED, "A step that stood above it stands below it now.", "steps in another order"),
        (
            CauseKind.STEP_INSERTED,
            "Where it stands, the steps above it are in another order.",
            "steps in another order",
        ),
        (CauseKind.STEP_REMOVED, "A step above it is gone.", "a step above is gone"),
        (CauseKind.STEP_INSERTED, "A step above it is new.", "a new step above"),
        (CauseKind.STEP_INSERTED, "It is new since build 3.", "a new step"),
    ],
)
def test_an_order_of_steps_in_one_line(kind: CauseKind, detail: str, said: str) -> None:
    assert explain.short(Cause(kind, "", detail), step("s", 1, "RUN x")) == said


def test_the_instructions_of_other_steps_are_cut_off() -> None:
    """A RUN may have a thousand characters, and each step of a chain names the others."""
    build = caused(CauseKind.INSTRUCTION_CHANGED)
    root = next(each for each in build.steps if each.cause and each.cause.root == each.id)
    below = next(each for each in build.steps if each.cause and each.cause.root == root.id != each.id)
    build = remade(build, {below.id: {"instruction": "RUN " + "x" * 1000}})
    lines = [text_of(line) for line in explain.reason(next(each for each in build.steps if each.id == root.id), build)]
    assert any("RUN xxx" in line and line.endswith("…") for line in (each.partition("  (")[0] for each in lines))
    assert max(map(len, lines)) < 150
