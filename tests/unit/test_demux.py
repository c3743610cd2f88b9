"""The stream of several targets, taken apart; and their builds, put together again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from hitmiss.build.demux import Demux, hand_over
from hitmiss.build.fold import Fold
from hitmiss.build.merged import merged, shared
from hitmiss.build.model import Build, Cause, CauseKind, Status, Step, Verdict
from hitmiss.build.progress import Log, Progress, Vertex

START = datetime(2026, 11, 21, tzinfo=UTC)


def vertex(name: str, digest: str, *, cached: bool = False) -> Vertex:
    return Vertex(digest, name, started=START, completed=START + timedelta(seconds=1), cached=cached)


def names(found: dict[str, Progress]) -> dict[str, list[str]]:
    return {target: [each.name for each in event.vertexes or ()] for target, event in found.items()}


def test_each_target_hears_its_own() -> None:
    demux = Demux(["web", "api"])
    event = Progress(
        vertexes=(
            vertex("[internal] load local bake definitions", "0"),
            vertex("[web internal] load build definition from Dockerfile", "1"),
            vertex("[web linux/amd64 build 2/4] RUN [ -e x ]", "2"),
            vertex("[api 2/2] RUN web", "3"),
            vertex("[api] exporting to image", "4"),
        )
    )
    assert names(demux.split(event)) == {
        "web": ["[internal] load build definition from Dockerfile", "[linux/amd64 build 2/4] RUN [ -e x ]"],
        "api": ["[2/2] RUN web", "exporting to image"],
    }


def test_a_sole_target_is_named_nowhere() -> None:
    demux = Demux(["web"])
    event = Progress(vertexes=(vertex("[internal] load local bake definitions", "0"), vertex("[a 1/2] RUN x", "1")))
    assert names(demux.split(event)) == {"web": ["[a 1/2] RUN x"]}


def test_output_goes_to_all_that_have_the_step() -> None:
    demux = Demux(["web", "api", "db"])
    demux.split(Progress(vertexes=(vertex("[web a 1/2] RUN x", "1"), vertex("[api a 1/2] RUN x", "1"))))
    found = demux.split(Progress(logs=(Log("1", data=b"hello"), Log("9", data=b"of nobody"))))
    assert {target: event.logs for target, event in found.items()} == {
        "web": (Log("1", data=b"hello"),),
        "api": (Log("1", data=b"hello"),),
    }


def test_what_a_target_builds_on_is_not_its_own() -> None:
    demux = Demux(["base", "api"], {"api": frozenset({"base"})})
    folds = {
        name: Fold(Build(status=Status.RUNNING), bake_target=name, foreign=demux.foreign[name])
        for name in ("base", "api")
    }
    for event in (
        Progress(vertexes=(vertex("[base 1/2] FROM x", "1"), vertex("[base 2/2] RUN base", "2"))),
        Progress(vertexes=(vertex("[api 2/2] RUN base", "2"), vertex("[api 1/3] RUN own", "3"))),
        Progress(logs=(Log("2", data=b"of base\n"),)),
    ):
        for name, part in demux.split(event).items():
            folds[name].hear(part, 0.0)
    assert [step.instruction for step in folds["api"].build(1.0).steps] == ["RUN own"]
    assert [step.instruction for step in folds["base"].build(1.0).steps] == ["FROM x", "RUN base"]
    assert folds["base"].logs.get("base:stage-0:2") is not None


def test_steps_of_what_a_target_builds_on_may_be_told_as_its_own_first() -> None:
    demux = Demux(["app"], {"app": frozenset({"base", "deep"})})
    early = (vertex("[app internal] load .dockerignore", "0"), vertex("[app 2/2] RUN base", "2"))
    assert names(demux.split(Progress(vertexes=early[:1]))) == {"app": ["[internal] load .dockerignore"]}
    assert demux.split(Progress(vertexes=(msgspec.structs.replace(early[1], completed=None),))) == {}
    assert demux.split(Progress(logs=(Log("2", data=b"of base"),))) == {}
    assert demux.split(Progress(vertexes=(vertex("[deep 1/1] FROM x", "1"),))) == {}
    found = demux.split(Progress(vertexes=(vertex("[base 2/2] RUN base", "2"), vertex("[app 1/3] RUN own", "3"))))
    assert names(found) == {"app": ["[2/2] RUN base", "[1/3] RUN own"]}
    assert found["app"].logs is None, "it is that of another target"
    assert demux.foreign == {"app": {"2"}}
    later = demux.split(Progress(vertexes=(vertex("[app 2/3] RUN more", "4"),), logs=(Log("4", data=b"own"),)))
    assert later["app"].logs == (Log("4", data=b"own"),)


def test_a_step_that_was_told_too_early_moves_to_the_target_whose_it_is() -> None:
    """Each target has a stream of its own: on a busy machine that of the one below can lag far behind."""
    demux = Demux(["base", "app"], {"app": frozenset({"base"})})
    folds = {
        name: Fold(Build(status=Status.RUNNING), bake_target=name, foreign=demux.foreign[name])
        for name in ("base", "app")
    }

    def hear(*vertexes: Vertex, log: bytes = b"") -> None:
        parts = demux.split(Progress(vertexes=vertexes, logs=(Log("2", data=log),) if log else None))
        hand_over(demux.moved, folds)
        for name, part in parts.items():
            folds[name].hear(part, 0.0)

    hear(vertex("[base 1/2] FROM x", "1"), vertex("[app 1/3] RUN own", "3"))
    hear(msgspec.structs.replace(vertex("[app 2/2] RUN base", "2"), completed=None), log=b"first\n")
    assert [step.instruction for step in folds["app"].build(1.0).steps] == ["RUN own", "RUN base"]
    hear(vertex("[base 2/2] RUN base", "2"), log=b"second\n")
    hear(vertex("[app 2/2] RUN base", "2"), log=b"third\n")
    assert [step.instruction for step in folds["app"].build(1.0).steps] == ["RUN own"]
    assert folds["base"].build(1.0).steps[-1].verdict is Verdict.MISS
    log = folds["base"].logs.get("base:stage-0:2")
    assert log is not None
    assert log.texts() == ["first", "second", "third"]
    assert not any(folds["app"].logs.get(name) for name in ("2", "app:stage-0:2"))


def test_a_target_whose_base_shows_nothing_is_told_all_the_same() -> None:
    demux = Demux(["app"], {"app": frozenset({"empty"})})
    running = msgspec.structs.replace(vertex("[app 1/2] RUN own", "1"), completed=None)
    assert demux.split(Progress(vertexes=(running,))) == {}
    assert names(demux.split(Progress(vertexes=(vertex("[app 1/2] RUN own", "1"),)))) == {
        "app": ["[1/2] RUN own", "[1/2] RUN own"]
    }
    late = Demux(["app"], {"app": frozenset({"empty"})})
    late.split(Progress(vertexes=(running,), logs=(Log("1", data=b"said"),)))
    rest = late.rest()
    assert names(rest) == {"app": ["[1/2] RUN own"]}
    assert rest["app"].logs == (Log("1", data=b"said"),)
    assert late.rest() == {}


def test_of_two_that_meet_at_a_step_the_one_that_ran_is_shown() -> None:
    web, api = build("web", "x", "y"), build("api", "x", "z")
    (stage,) = web.stages
    hit = msgspec.structs.replace(stage.steps[0], verdict=Verdict.HIT, duration_s=0.0)
    web = msgspec.structs.replace(web, stages=(msgspec.structs.replace(stage, steps=(hit, *stage.steps[1:])),))
    first = merged({"web": web, "api": api}).steps[0]
    assert (first.id, first.bake_target, first.verdict) == ("web:a:1", "web", Verdict.MISS)
    later = msgspec.structs.replace(web, number=5)
    assert merged({"web": later, "api": api}).steps[0].verdict is Verdict.HIT, "the latest build counts"


def test_causes_speak_of_the_steps_that_are_shown() -> None:
    web, api = build("web", "x", "y"), build("api", "x", "z")
    (stage,) = api.stages
    cause = Cause(CauseKind.PARENT_MISSED, "api:a:1", "RUN x ran.")
    steps = (stage.steps[0], msgspec.structs.replace(stage.steps[1], cause=cause))
    api = msgspec.structs.replace(api, stages=(msgspec.structs.replace(stage, steps=steps),))
    shown = merged({"web": web, "api": api}).step("api:a:2")
    assert shown is not None
    assert shown.cause is not None
    assert shown.cause.root == "web:a:1"


def build(name: str, *works: str, status: Status = Status.SUCCEEDED, start: float = 0.0) -> Build:
    fold = Fold(Build(status=Status.RUNNING, started=START + timedelta(seconds=start)), bake_target=name)
    for index, work in enumerate(works, 1):
        fold.hear(Progress(vertexes=(vertex(f"[a {index}/{len(works)}] RUN {work}", work),)), 0.0)
    fold.end(status, 2.0, error=f"{name} broke" if status is Status.FAILED else "")
    return fold.build(2.0)


def ids(steps: tuple[Step, ...]) -> list[str]:
    return [step.id for step in steps]


def test_shared_steps_stand_once_with_the_first_target() -> None:
    web, api = build("web", "x", "y"), build("api", "x", "z")
    whole = merged({"web": web, "api": api}, target="default")
    assert ids(whole.steps) == ["web:a:1", "web:a:2", "api:a:2"]
    assert whole.misses == 3
    assert shared([web, api]) == {"api:a:1": "web:a:1"}
    assert whole.target == "default"
    assert [(part.name, part.note) for part in whole.parts] == [("web", ""), ("api", "1 step shared with web")]


def test_a_stage_that_is_shared_altogether_is_not_shown_twice() -> None:
    whole = merged({"web": build("web", "x"), "api": build("api", "x")})
    assert [stage.id for stage in whole.stages] == ["web:a"]


def test_two_equal_steps_of_one_target_both_stand() -> None:
    web = build("web", "x", "y")
    double = merged({"web": web, "api": build("api", "z")})
    assert ids(double.steps) == ["web:a:1", "web:a:2", "api:a:1"]


def test_equal_steps_of_one_target_are_not_shared_with_itself() -> None:
    """As its FROMs are, of two tags of one image."""

    def twice(name: str) -> Build:
        found = build(name, "x", "y")
        (stage,) = found.stages
        steps = tuple(msgspec.structs.replace(step, work="x") for step in stage.steps)
        return msgspec.structs.replace(found, stages=(msgspec.structs.replace(stage, steps=steps),))

    whole = merged({"web": twice("web"), "api": twice("api")})
    assert ids(whole.steps) == ["web:a:1", "web:a:2"]
    assert [part.note for part in whole.parts] == ["", "2 steps shared with web"]


def test_the_whole_stands_as_its_worst_part_and_lasts_from_first_to_last() -> None:
    whole = merged({"web": build("web", "x"), "api": build("api", "z", status=Status.FAILED, start=5.0)})
    assert whole.status is Status.FAILED
    assert whole.error == "api broke"
    assert whole.duration_s == 7.0
    assert merged({"api": Build(), "web": build("web", "x")}).status is Status.SUCCEEDED


def test_one_build_stays_as_it_is() -> None:
    web = build("web", "x")
    assert merged({"web": web}) is web
