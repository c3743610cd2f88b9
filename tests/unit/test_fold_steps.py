"""The rules by which the stream becomes steps: verdicts, the tree, what is made anew, times, sizes, words."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest

from hitmiss.build.fold import Fold
from hitmiss.build.model import Build, Check, Expected, Foreseen, Place, Planned, Stage, Status, Step, Verdict
from hitmiss.build.progress import Event, Log, Progress, ProgressGroup, Text, Vertex
from hitmiss.build.progress import Status as Progressed
from hitmiss.project import definition
from hitmiss.project.dockerfile import parse
from tests.support import streams
from tests.support.streams import fold, folded, verdicts

BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def vertex(
    name: str,
    start: float | None = None,
    end: float | None = None,
    *,
    digest: str = "",
    cached: bool = False,
    error: str = "",
    inputs: tuple[str, ...] = (),
    group: str = "",
) -> Progress:
    """A line of the stream that reports one vertex."""
    return Progress(
        vertexes=(
            Vertex(
                digest or name,
                name,
                inputs or None,
                None if start is None else at(start),
                None if end is None else at(end),
                cached,
                error,
                ProgressGroup("g", group) if group else None,
            ),
        )
    )


def announce(*texts: str, stage: str = "a", platform: str | None = None) -> list[Expected]:
    return [
        Expected(stage, index, len(texts), text, Place("Dockerfile", index, index), platform)
        for index, text in enumerate(texts, 1)
    ]


def only(*heard: Event, status: Status = Status.SUCCEEDED) -> Step:
    """The one step of a build of these events."""
    (step,) = fold(heard, status=status).steps
    return step


# --- verdicts -----------------------------------------------------------------------


NAME = "[a 1/2] RUN x"


@pytest.mark.parametrize(
    ("heard", "verdict"),
    [
        ([vertex(NAME)], Verdict.SKIPPED),
        ([vertex(NAME, 0, 1)], Verdict.MISS),
        ([vertex(NAME, 0), vertex(NAME, 0, 1)], Verdict.MISS),
        ([vertex(NAME, 0, 1, cached=True)], Verdict.HIT),
        ([vertex(NAME, 0, cached=True), vertex(NAME, 0, 1)], Verdict.HIT),
        ([vertex(NAME, cached=True)], Verdict.HIT),
        ([vertex(NAME, 0, 1, error="exit code: 1")], Verdict.FAILED),
        ([vertex(NAME, 0, 1, error="exit code: 137: context canceled")], Verdict.CANCELED),
        ([vertex(NAME, 0, 1, error='"echo context canceled" failed: exit code: 1')], Verdict.FAILED),
        ([vertex(NAME, 0)], Verdict.CANCELED),
        ([vertex("[a 1/2] FROM x", 0, 1)], Verdict.HIT),
        (
            [vertex("[a 1/2] FROM x", 0, 1), Progress(statuses=(Progressed("resolve x", "[a 1/2] FROM x"),))],
            Verdict.HIT,
        ),
        (
            [vertex("[a 1/2] FROM x", 0, 1), Progress(statuses=(Progressed("sha256:1", "[a 1/2] FROM x"),))],
            Verdict.MISS,
        ),
        (
            [Progress(statuses=(Progressed("extracting sha256:1", "[a 1/2] FROM x"),)), vertex("[a 1/2] FROM x", 0, 1)],
            Verdict.MISS,
        ),
    ],
)
def test_the_verdict_of_a_step(heard: list[Event], verdict: Verdict) -> None:
    assert only(*heard, status=Status.FAILED).verdict is verdict


def test_what_runs_while_a_hit_stands_on_it_ran() -> None:
    """One step reads its result, which is gone; another one that stands on it hits, and BuildKit calls it cached."""
    ran, ran_not = vertex(NAME, 0, 3, inputs=("from",)), vertex(NAME, 1, 1, cached=True, inputs=("from",))
    folding = Fold(Build(status=Status.RUNNING))
    folding.hear(vertex(NAME, 0, inputs=("from",)), 0.5)
    folding.hear(ran_not, 1.0)
    assert folding.build(1.0).steps[0].verdict is Verdict.RUNNING
    folding.hear(ran, 3.0)
    assert folding.build(3.0).steps[0].verdict is Verdict.MISS
    assert only(ran_not, ran).verdict is Verdict.MISS
    assert only(ran_not).verdict is Verdict.HIT


def test_a_step_runs_while_it_runs() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    folding.hear(vertex(NAME), 0.5)
    assert folding.build(1.0).steps[0].verdict is Verdict.PENDING
    folding.hear(vertex(NAME, 0), 1.0)
    running = folding.build(2.0).steps[0]
    assert running.verdict is Verdict.RUNNING
    assert running.elapsed_s(3.5) == 2.5
    folding.hear(vertex(NAME, 0, 4), 5.0)
    done = folding.build(5.0).steps[0]
    assert (done.verdict, done.running_since, done.elapsed_s(99.0)) == (Verdict.MISS, None, 4.0)


COPY, LINK = "[a 2/2] COPY --link LINK x", "[a 2/2] LINK COPY --link LINK x"


@pytest.mark.parametrize(
    ("heard", "verdict"),
    [
        ([vertex(COPY, 0, 0, cached=True, group=COPY), vertex(LINK, 0, 1, group=COPY)], Verdict.HIT),
        ([vertex(COPY, 0, 1, group=COPY), vertex(LINK, 1, 2, group=COPY)], Verdict.MISS),
        ([vertex(COPY, group=COPY), vertex(LINK, 0, 0, cached=True, group=COPY)], Verdict.HIT),
        ([vertex(COPY, group=COPY), vertex(LINK, 0, 1, group=COPY)], Verdict.MISS),
        ([vertex(COPY, 0, 0, cached=True, group=COPY), vertex(LINK, 0, 1, error="x", group=COPY)], Verdict.FAILED),
    ],
)
def test_a_linked_copy_is_one_step(heard: list[Event], verdict: Verdict) -> None:
    for order in (heard, heard[::-1]):
        step = only(*order, status=Status.FAILED)
        assert (step.verdict, step.instruction) == (verdict, "COPY --link LINK x")


def test_buildkits_own_work_is_no_step() -> None:
    names = ["[internal] load build context", "exporting to image", "[context x] load from client", "FROM x@sha256:1"]
    build = fold([vertex(name, 0, 1) for name in names] + [vertex("importing cache", 0, 1, error="no")])
    assert build.steps == ()
    assert [work.instruction for work in build.internals] == [*names, "importing cache"]
    assert [work.verdict.value for work in build.internals] == ["internal"] * 4 + ["failed"]
    assert build.step("exporting to image") == build.internals[1]


def test_own_work_that_was_stopped_did_not_fail_and_runs_no_more() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    folding.hear(vertex("exporting to image", 0), 1.0)
    folding.hear(vertex("[internal] load build context", 0, 1, error="x: context canceled"), 1.0)
    folding.hear(Progress(statuses=(Progressed("exporting layers", "exporting to image"),)), 1.0)
    assert folding.build(2.0).internals[0].elapsed_s(3.0) == 2.0
    assert folding.build(2.0).internals[0].activity == "exporting layers"
    folding.end(Status.CANCELED, 3.0)
    export, context = folding.build(3.0).internals
    assert (export.verdict, export.elapsed_s(99.0), export.activity) == (Verdict.INTERNAL, 2.0, "")
    assert export.started == at(0)
    assert context.verdict is Verdict.INTERNAL


# --- the tree ------------------------------------------------------------------------


def tree(build: Build) -> list[tuple[str, list[str]]]:
    return [(stage.name, [step.instruction for step in stage.steps]) for stage in build.stages]


def test_words_that_only_the_engine_knows_replace_those_announced() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("FROM x", "RUN echo $HOME"))
    folding.hear(vertex("[a 2/2] RUN echo /root"), 0.0)
    build = folding.build(0.0)
    assert tree(build) == [("a", ["FROM x", "RUN echo /root"])]
    assert build.steps[1].place == Place("Dockerfile", 2, 2)
    assert build.steps[1].id == "a:2"


def test_stages_that_share_a_step_keep_the_announced_order() -> None:
    announced = announce("FROM x", "RUN one", stage="a")[1:] + announce("FROM x", "RUN two", stage="b")
    folding = Fold(Build(status=Status.RUNNING), announced)
    before = tree(folding.build(0.0))
    folding.hear(vertex("[a 2/2] RUN one", 0, 1, inputs=("[b 1/2] FROM x",)), 0.0)
    folding.hear(vertex("[b 1/2] FROM x", 0, 1), 0.0)
    assert tree(folding.build(1.0)) == before == [("a", ["RUN one"]), ("b", ["FROM x", "RUN two"])]


def test_words_are_replaced_on_each_platform() -> None:
    heard = [vertex(f"[linux/{cpu} a 1/1] COPY {cpu} /", 0, 1, digest=cpu) for cpu in ("amd64", "arm64")]
    announced = [each for cpu in ("amd64", "arm64") for each in announce("COPY $CPU /", platform=f"linux/{cpu}")]
    folding = Fold(Build(status=Status.RUNNING), announced)
    for event in heard:
        folding.hear(event, 0.0)
    assert [step.instruction for step in folding.build(0.0).steps] == ["COPY amd64 /", "COPY arm64 /"]


def test_a_dockerfile_that_changed_meanwhile() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("FROM x", "RUN one") + announce("COPY y /", stage="b"))
    for name in ("[a 1/3] FROM x", "[a 2/3] RUN new", "[a 3/3] RUN one", "[b 1/1] COPY y /"):
        folding.hear(vertex(name, 0, 1), 0.0)
    assert tree(folding.build(1.0)) == [("a", ["FROM x", "RUN new", "RUN one"]), ("b", ["COPY y /"])]
    assert folding.build(1.0).steps[2].place is None
    assert folding.build(1.0).steps[3].place == Place("Dockerfile", 1, 1)


def test_a_from_is_shown_as_announced_only_when_one_was() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("RUN one"))
    folding.hear(vertex("[a 1/1] FROM x", 0, 1), 0.0)
    assert tree(folding.build(1.0)) == [("a", ["FROM x"])]


def test_what_was_announced_and_never_came() -> None:
    announced = announce("FROM x", "RUN y") + announce("RUN z", stage="b")
    heard = [vertex("[a 1/2] FROM x", 0, 1), vertex("[a 2/2] RUN y", 0, 1)]
    assert tree(fold(heard, announced)) == [("a", ["FROM x", "RUN y"])]
    failed = fold(heard, announced, Status.FAILED)
    assert verdicts(failed) == {"a:1": "hit", "a:2": "miss", "b:1": "skipped"}


def test_inputs_that_become_known_later_put_stages_in_order() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    for name in ("[a 1/1] COPY --from=z / /", "[z 1/1] RUN x", "[m 1/1] RUN y"):
        folding.hear(vertex(name), 0.0)
    assert [stage.name for stage in folding.build(0.0).stages] == ["m", "z", "a"]
    folding.hear(vertex("[m 1/1] RUN y", inputs=("[a 1/1] COPY --from=z / /",)), 0.0)
    folding.hear(vertex("[a 1/1] COPY --from=z / /", inputs=("[z 1/1] RUN x",)), 0.0)
    assert [stage.name for stage in folding.build(0.0).stages] == ["z", "a", "m"]


def test_two_steps_never_have_one_id() -> None:
    build = fold([vertex("[web a 1/1] RUN x", digest="1"), vertex("[api a 1/1] RUN y", digest="2")])
    assert len({step.id for step in build.steps}) == 2


def test_a_digest_under_two_names_is_one_step_and_two_digests_of_a_name_too() -> None:
    one = fold([vertex("[a 1/1] RUN x", 0, 1, digest="d"), vertex("[b 1/1] RUN x", 0, 1, digest="d")])
    assert verdicts(one) == {"a:1": "miss"}
    two = fold([vertex("[a 1/1] RUN x", 0, 1, digest="d"), vertex("[a 1/1] RUN x", 0, 1, cached=True, digest="e")])
    assert verdicts(two) == {"a:1": "miss"}


def test_the_steps_of_a_bake_target_carry_its_name() -> None:
    folding = Fold(Build(status=Status.RUNNING), bake_target="web")
    folding.hear(vertex("[linux/amd64 a 1/2] FROM x", 0, 1), 0.0)
    folding.hear(vertex("[1/2] RUN x", 0, 1), 0.0)
    second, first = folding.build(1.0).steps
    assert (first.bake_target, first.platform, first.stage) == ("web", "linux/amd64", "a")
    assert first.id == "web:linux/amd64:a:1"
    assert (second.bake_target, second.platform, second.stage) == ("web", None, "stage-0")
    assert {stage.bake_target for stage in folding.build(1.0).stages} == {"web"}
    assert len({stage.id for stage in folding.build(1.0).stages}) == 2


# --- work that is shared with another build --------------------------------------------


def test_a_step_under_another_builds_name_is_the_one_that_was_announced() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("FROM x", "RUN a", "RUN b", stage="own"))
    folding.hear(vertex("[other 1/7] FROM x", 0, 1), 0.0)
    folding.hear(vertex("[other 5/7] RUN b", 0, 1), 0.0)
    folding.hear(vertex("[own 2/3] RUN a", 0, 1, cached=True), 0.0)
    assert verdicts(folding.build(1.0)) == {"own:1": "hit", "own:2": "hit", "own:3": "miss"}


def test_the_same_numbers_in_another_builds_name_move_nothing() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("FROM x", "RUN a", "RUN b", stage="own"))
    folding.hear(vertex("[own 1/5] FROM x", 0, 1), 0.0)
    folding.hear(vertex("[own 2/5] RUN a", 0, 1), 0.0)
    assert [step.id for step in folding.build(1.0).steps] == ["own:1", "own:2", "own:3"]


@pytest.mark.parametrize("stage", ["own ", ""])
def test_the_onbuild_lines_of_a_base_image_move_the_steps_below_them(stage: str) -> None:
    lines = ["FROM x", "ONBUILD COPY a /a", "RUN one", "COPY b /b"]
    heard = [vertex(f"[{stage}{index}/4] {text}", 0, 1) for index, text in enumerate(lines, 1)]
    for order in permutations(heard):
        build = fold(order, announce("FROM x", "RUN one", "COPY b /b", stage="own"))
        assert [(step.index, step.of, step.instruction) for step in build.steps] == [
            (index, 4, text) for index, text in enumerate(lines, 1)
        ]


def test_the_lines_of_steps_below_a_base_images_own_are_those_of_the_plan() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("FROM x", "RUN one", stage="own"))
    for index, text in enumerate(["FROM x", "ONBUILD RUN two", "RUN one"], 1):
        folding.hear(vertex(f"[own {index}/3] {text}", 0, 1), 0.0)
    lines = {1: 1, 2: 1, 3: 2}
    for of, known in ((4, [1, None, None]), (3, [1, 1, 2])):
        plan = {
            ("", "own", index): Foreseen(Planned.RUN, of=of, place=Place("Dockerfile", line, line))
            for index, line in lines.items()
        }
        folding.foresee(plan)
        places = [step.place for step in folding.build(1.0).steps]
        assert [place and place.line for place in places] == known


def test_work_that_was_given_up_for_another_builds_is_what_that_one_did() -> None:
    for other in ("[own 2/3] RUN a", "[own 2/6] RUN a", "[other 5/6] RUN a"):
        folding = Fold(Build(status=Status.RUNNING), announce("FROM x", "RUN a", "RUN b", stage="own"))
        folding.hear(vertex("[own 1/3] FROM x", 0, 1), 0.0)
        folding.hear(vertex("[own 2/3] RUN a", 0, 1, error="context canceled: context canceled", digest="1"), 0.0)
        folding.hear(vertex(other, 1, 2, digest="2"), 0.0)
        folding.hear(vertex("[own 3/3] RUN b", 2, 3), 0.0)
        folding.end(Status.SUCCEEDED, 3.0)
        assert verdicts(folding.build(3.0)) == {"own:1": "hit", "own:2": "miss", "own:3": "miss"}


def test_what_a_build_beside_this_one_had_looked_at_was_a_hit() -> None:
    """BuildKit leaves it out of the second stream, and names what both share after the first one's digests."""
    texts = ("FROM x", "COPY a .", "COPY b .", "RUN c", "RUN d")
    names = [f"[a {index}/5] {text}" for index, text in enumerate(texts, 1)]
    heard: list[Event] = [vertex(names[0], 0, 0.1)]
    heard += [vertex(name, inputs=(below,)) for below, name in pairwise(names[:-1])]
    heard += [vertex(names[3], 1, 2, digest="the first one's", inputs=("what this one never hears of",))]
    heard += [vertex(names[4], 3, 4, inputs=("the first one's",)), vertex("[b 1/1] RUN e", inputs=(names[0],))]
    wanted = {"a:1": "hit", "a:2": "hit", "a:3": "hit", "a:4": "miss", "a:5": "miss", "b:1": "skipped"}
    assert verdicts(fold(heard, announce(*texts))) == wanted
    given_up = [*heard, vertex(names[2], 1, 2, error="context canceled", inputs=(names[1],))]
    assert verdicts(fold(given_up, announce(*texts))) == wanted
    for status in (Status.FAILED, Status.CANCELED):
        assert verdicts(fold(heard, announce(*texts), status))["a:2"] == "skipped"


def test_two_platforms_that_come_to_the_same_are_one_work() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    folding.hear(vertex("[linux/amd64 1/1] COPY . /", 0, 1, digest="1"), 0.0)
    folding.hear(
        vertex("[linux/arm64 1/1] COPY . /", 0, 1, error="context canceled: context canceled", digest="2"), 0.0
    )
    assert sorted(verdicts(folding.build(1.0)).values()) == ["canceled", "miss"]
    folding.end(Status.SUCCEEDED, 1.0)
    assert set(verdicts(folding.build(1.0)).values()) == {"miss"}


BOTH = ("linux/amd64", "linux/arm64")


@pytest.mark.parametrize("named", ["linux/amd64", "linux/arm64", "linux/amd64->arm64"])
@pytest.mark.parametrize("target", ["", "web"])
@pytest.mark.parametrize("foreign", [False, True])
def test_a_step_that_platforms_share_may_be_named_after_any_of_them(named: str, target: str, foreign: bool) -> None:
    announced = announce("FROM x", "COPY src /", platform=BOTH[0])
    announced += [each for cpu in BOTH for each in announce("RUN one", stage="b", platform=cpu)]
    heard = [
        vertex("[linux/amd64 a 1/2] FROM x", 0, 1),
        vertex(f"[{named} a 2/2] COPY src /", 0, 1, digest="f"),
        *(vertex(f"[{cpu} b 1/1] RUN one", 0, 1) for cpu in BOTH),
    ]
    for order in permutations(heard):
        folding = Fold(
            Build(status=Status.RUNNING), announced, bake_target=target, foreign={"f"} if foreign else frozenset()
        )
        before = folding.build(0.0)
        for event in order:
            folding.hear(event, 0.0)
        folding.end(Status.SUCCEEDED, 1.0)
        after = folding.build(1.0)
        assert [(step.id, step.place) for step in after.steps] == [(step.id, step.place) for step in before.steps]
        assert [step.verdict.value for step in after.steps] == ["hit", "miss", "miss", "miss"]


@pytest.mark.parametrize("named", [*BOTH, "linux/amd64->arm64"])
def test_a_step_that_platforms_and_targets_share_may_be_named_after_any_of_them(named: str) -> None:
    own = announce("COPY src /", "RUN one", stage="own", platform="linux/amd64")
    folding = Fold(Build(status=Status.RUNNING), own, bake_target="web")
    folding.hear(vertex(f"[{named} other 3/7] COPY src /", 0, 1), 0.0)
    assert verdicts(folding.build(1.0)) == {"web:linux/amd64:own:1": "miss", "web:linux/amd64:own:2": "pending"}


def test_a_from_under_the_tag_of_another_target_is_the_announced_one_of_the_same_image() -> None:
    announced = [*announce("FROM ruby", stage="own"), *announce("FROM node", "RUN a", stage="last")]
    gone = "context canceled: context canceled"
    heard = [
        vertex("[own 1/1] FROM docker.io/library/ruby@sha256:1", 0, 1, error=gone),
        vertex("[last 1/2] FROM docker.io/library/node@sha256:2", 0, 1, error=gone),
        vertex("[other 1/7] FROM docker.io/library/ruby:3@sha256:1", 1, 2),
        vertex("[more 1/7] FROM docker.io/library/node:22@sha256:2", 1, 2),
        vertex("[last 2/2] RUN a", 2, 3),
    ]
    for known in (heard, heard[1:3] + heard[4:], heard[2:]):
        folding = Fold(Build(status=Status.RUNNING), announced, bake_target="web")
        for event in known:
            folding.hear(event, 0.0)
        ids = [step.id for step in folding.build(1.0).steps]
        assert ids == ["web:own:1", "web:last:1", "web:last:2"]
        assert folding.build(1.0).steps[0].verdict is Verdict.HIT
        assert folding.build(1.0).steps[-1].verdict is Verdict.MISS


def test_a_from_that_turns_out_to_be_another_targets_leaves_the_announced_one() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("FROM ruby", "RUN a", stage="own"), bake_target="web")
    folding.hear(vertex("[base 1/2] FROM docker.io/library/node@sha256:2", 0, 1, digest="f"), 0.0)
    folding.disown("f")
    assert verdicts(folding.build(1.0)) == {"web:own:1": "pending", "web:own:2": "pending"}
    folding.hear(vertex("[own 1/2] FROM docker.io/library/ruby@sha256:1", 0, 1), 0.0)
    assert verdicts(folding.build(1.0)) == {"web:own:1": "hit", "web:own:2": "pending"}


def test_steps_of_another_target_that_were_not_announced_are_not_shown() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("RUN a", stage="own"), foreign={"f", "g"})
    folding.hear(vertex("[base 2/2] RUN base", 0, 1, digest="f"), 0.0)
    folding.hear(vertex("[base 1/2] RUN a", 0, 1, digest="g"), 0.0)
    assert verdicts(folding.build(1.0)) == {"own:1": "miss"}


# --- what is made anew ----------------------------------------------------------------


def test_only_what_changed_is_made_anew() -> None:
    folding = Fold(Build(status=Status.RUNNING), announce("FROM x", "RUN y") + announce("RUN z", stage="b"))
    before = folding.build(0.0)
    assert folding.build(1.0).stages is not None
    assert all(map(same, before.stages, folding.build(1.0).stages))
    folding.hear(vertex("[a 2/2] RUN y", 0), 1.0)
    after = folding.build(2.0)
    assert after.stages[1] is before.stages[1]
    assert after.stages[0] is not before.stages[0]
    assert after.steps[0] is before.steps[0]
    assert after.steps[1] is not before.steps[1]
    folding.hear(vertex("[a 2/2] RUN y", 0), 3.0)
    again = folding.build(3.0)
    assert all(map(same, after.stages, again.stages)), "the same report again changes nothing"
    folding.hear(vertex("[a 2/2] RUN y", 0, 1), 3.0)
    folding.hear(vertex("[a 1/2] FROM x", 0, 1), 3.0)
    folding.hear(vertex("[b 1/1] RUN z", 0, 1, cached=True), 3.0)
    done = folding.build(3.0)
    folding.end(Status.SUCCEEDED, 4.0)
    assert all(map(same, done.stages, folding.build(4.0).stages))


def same(one: Stage, other: Stage) -> bool:
    return one is other


# --- times, sizes, words ----------------------------------------------------------------


def test_intervals_of_a_step_are_merged() -> None:
    parts = [vertex(NAME, 0, 1), vertex(NAME, 5, 7), vertex(NAME, 6, 8)]
    step = only(*parts, *parts)
    assert (step.duration_s, step.started) == (4.0, at(0))
    both = only(vertex(COPY, 0, 4, group=COPY), vertex(LINK, 2, 5, group=COPY))
    assert both.duration_s == 5.0


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELED])
def test_a_step_whose_end_was_never_told_lasted_until_the_builds(status: Status) -> None:
    folding = Fold(Build(status=Status.RUNNING))
    folding.hear(vertex(NAME, 0, 1), 1.0)
    folding.hear(vertex(NAME, 5), 1.5)
    folding.hear(vertex("exporting to image", 5), 2.0)
    running = folding.build(4.0).steps[0]
    assert running.elapsed_s(4.0) == 3.5
    folding.end(status, 4.0)
    build = folding.build(99.0)
    assert (build.steps[0].verdict, build.steps[0].elapsed_s(99.0)) == (Verdict.CANCELED, 3.5)
    assert build.internals[0].duration_s == 2.0


def test_the_time_a_step_took_last_is_what_its_hit_saved() -> None:
    known = {(None, "a", "RUN x"): 4.5}
    for cached, saved in ((True, 4.5), (False, 0.0)):
        folding = Fold(Build(status=Status.RUNNING), durations=lambda *name: known.get(name))
        folding.hear(vertex(NAME, 0, 1, cached=cached), 0.0)
        folding.hear(vertex("[a 2/2] RUN new", 0, 0, cached=True), 0.0)
        folding.end(Status.SUCCEEDED, 2.0)
        build = folding.build(2.0)
        assert [step.last_s for step in build.steps] == [4.5, None]
        assert build.saved_s == saved


def test_only_the_build_context_counts_as_context() -> None:
    heard: list[Event] = []
    for name in ("[internal] load build context", "[context more] load from client", "[internal] load .dockerignore"):
        heard += [
            Progress(statuses=(Progressed("transferring context:", name, current=size),)) for size in (10, 70, 40)
        ]
        heard += [vertex(name, 0, 1)]
    assert fold(heard).context_bytes == 140


def test_a_running_step_says_what_it_does() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    folding.hear(vertex("[a 1/1] FROM x", 0), 0.0)
    for status, words in [
        (Progressed("sha256:1", "[a 1/1] FROM x", current=12_300_000, total=40_100_000), "12.3 of 40.1 MB"),
        (Progressed("extracting sha256:1", "[a 1/1] FROM x"), "extracting"),
        (Progressed("extracting sha256:1", "[a 1/1] FROM x", completed=at(1)), ""),
    ]:
        folding.hear(Progress(statuses=(status,)), 0.0)
        assert folding.build(0.0).steps[0].activity == words


def test_the_clock_runs_until_the_end() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    assert folding.build(3.0).duration_s == 3.0
    folding.end(Status.SUCCEEDED, 4.0, image="sha256:1", ref="abc")
    build = folding.build(99.0)
    assert (build.duration_s, build.image, build.ref) == (4.0, "sha256:1", "abc")


def test_counts() -> None:
    build = folded("failed")
    assert (build.hits, build.misses, len(build.steps)) == (1, 1, 6)
    assert build.count(Verdict.SKIPPED) == 3


def test_half_a_character_at_a_steps_end_is_shown_as_such() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    folding.hear(vertex(NAME, 0), 0.0)
    folding.hear(Progress(logs=(Log(NAME, 1, b"a \xe4\xb8"),)), 0.0)
    folding.hear(vertex(NAME, 0, 1), 0.0)
    log = folding.logs.get("a:1")
    assert log is not None
    assert log.texts() == ["a �"]


def test_text_without_end_does_not_fill_the_memory() -> None:
    folding = Fold(Build(status=Status.RUNNING))
    for number in range(5000):
        folding.hear(Text(f"line {number}"), 0.0)
    text = folding.build(0.0).text
    assert len(text) <= 2000
    assert text[-1] == "line 4999"


def test_a_check_without_a_line() -> None:
    build = fold(streams.events(b'{"warnings":[{"vertex":"v","short":"bm8gbGluZQ==","detail":["YQ==","Yg=="]}]}'))
    assert build.checks == (Check("no line", "a\nb", "", "", 0),)


BARE = "FROM docker.io/library/busybox:latest@sha256:1"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("FROM busybox\nCOPY --from=busybox /bin/ls /l\n", "stage-0:1"),
        ("FROM busybox AS app\nRUN --mount=from=busybox,target=/m ls /m\n", "app:1"),
        ("FROM busybox AS a\nRUN x\nFROM busybox AS b\nCOPY --from=a /x /\nCOPY --from=busybox /l /\n", "a:1"),
    ],
)
def test_an_image_that_is_copied_from_too_is_the_announced_from(text: str, step: str) -> None:
    """BuildKit takes both for one, and may show it without stage and number."""
    expected = definition.announce(parse(text), "Dockerfile")
    folding = Fold(Build(status=Status.RUNNING), expected)
    before = [each.id for each in folding.build(0.0).steps]
    assert step in before
    folding.hear(vertex(BARE, 0, 1), 1.0)
    build = folding.build(1.0)
    assert [each.id for each in build.steps] == before
    assert [each.id for each in build.steps if each.verdict is Verdict.HIT] == [step]
    assert not build.internals


def test_an_image_that_is_only_copied_from_is_no_step() -> None:
    expected = definition.announce(parse("FROM alpine\nCOPY --from=busybox /bin/ls /l\n"), "Dockerfile")
    build = fold([vertex(BARE, 0, 1)], expected)
    assert not build.steps
    assert [each.instruction for each in build.internals] == [BARE]
