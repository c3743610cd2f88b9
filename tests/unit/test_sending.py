"""When a context was sent, what changed in it meanwhile, and what of a build that leaves open."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hitmiss.build.model import Alteration, Build, FileChange, Planned, Step, Verdict
from hitmiss.cache import doubts as doubting
from hitmiss.cache.alarms import Stale, alarms, open_question
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.keys import Keys, shapes_of
from hitmiss.cache.operations import Selected
from hitmiss.cache.plan import Memory, fates
from hitmiss.project import difference
from hitmiss.project.ignore import NOTHING_IGNORED, parse
from hitmiss.project.manifest import Manifest
from hitmiss.sending import Reading, Window, meanwhile, window
from tests.support.imagined import SALT, Asked, Cache
from tests.support.project import Project

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ASKED = Asked(
    "FROM busybox AS a\nCOPY src/ /src\nRUN make\n"
    "FROM busybox AS b\nCOPY docs/ /docs\nRUN --mount=from=a,target=/m x\n",
    {"src/m": "1", "docs/d": "1"},
)


def after(seconds: float) -> int:
    return int((BEGAN.timestamp() + seconds) * 1e9)


def internal(name: str, start: float, took: float) -> Step:
    began = BEGAN + timedelta(seconds=start)
    return Step(name, "", 0, 0, name, verdict=Verdict.INTERNAL, started=began, duration_s=took)


def near(found: Window, since: float, until: float) -> bool:
    """Within the grain of the clock and the slack at its end."""
    return -0.001 <= since - (found.since - after(0)) / 1e9 <= 0.03 and (
        -0.001 <= (found.until - after(0)) / 1e9 - until <= 0.06
    )


def test_the_time_in_which_contexts_were_sent() -> None:
    reading = Reading(BEGAN.timestamp() - 0.1, BEGAN.timestamp() + 0.1)
    loads = (
        internal("[internal] load build definition from Dockerfile", 0.1, 0.1),
        internal("[internal] load build context", 0.5, 1.0),
        internal("[context extra] load from client", 0.6, 2.0),
        internal("[context extra] load .dockerignore", 0.2, 0.1),
        internal("exporting to image", 5.0, 2.0),
    )
    build = Build(started=BEGAN, duration_s=8.0, internals=loads)
    assert near(window(build, reading), 0.5, 2.6)
    late = Reading(BEGAN.timestamp() + 1, BEGAN.timestamp() + 4)
    assert near(window(build, late), 0.5, 4.0), "the plan has read after it"
    bare = msgspec.structs.replace(build, internals=())
    assert near(window(bare, reading), 0.0, 8.0), "nobody says when"


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_an_engine_with_another_clock(skew: float) -> None:
    loads = (internal("[internal] load build context", 0.0 + skew, 1.0), internal("exporting", 2.0 + skew, 1.0))
    build = Build(started=BEGAN, duration_s=3.0, internals=loads)
    found = window(build, Reading(BEGAN.timestamp(), BEGAN.timestamp() + 0.1))
    assert 0 - 0.03 <= (found.since - after(0)) / 1e9 <= 1.5
    assert 1 - 0.03 <= (found.until - after(0)) / 1e9 <= 2.5


def test_what_changed_before_during_and_after(project: Project) -> None:
    for name in ("same", "before", "during", "after", "gone", "twice", "again"):
        project.write(name, name)
    manifest = Manifest(str(project.path), NOTHING_IGNORED)
    manifest.read()
    old, blobs = manifest.freeze()
    kept = dict(blobs)
    time.sleep(0.03)
    project.save("before", "1")
    time.sleep(0.03)
    since = time.time_ns()
    time.sleep(0.03)
    project.save("during", "1")
    project.save("again", "again")
    project.remove("gone")
    heard = time.time()
    time.sleep(0.03)
    until = time.time_ns()
    time.sleep(0.03)
    (project / "after").write_text("1")
    (project / "twice").write_text("1")
    (project / "same").touch()
    manifest.read()
    new, blobs = manifest.freeze()
    kept |= dict(blobs)
    differ = difference.difference(kept.get, old, new)
    found = meanwhile(manifest, differ, Window(since, until), {"twice": heard, "same": heard})
    assert [[change.path for change in changes] for changes in found] == [
        ["before"], ["during", "gone", "twice", "again"], ["after"],
    ]  # fmt: skip
    assert not any(meanwhile(manifest, (), Window(until, until), {}))


def test_catching_up_finds_what_a_whole_reading_does(project: Project) -> None:
    for name in ("a/same", "a/changed", "a/gone", "b/c/mode", "b/kind", "lost/x", "hid/den"):
        project.write(name, name)
    rules = parse("hid\nskip*\n")
    manifest, fresh = (Manifest(str(project.path), rules) for _ in range(2))
    manifest.read()
    time.sleep(0.03)
    since = time.time_ns()
    time.sleep(0.03)
    project.write("a/changed", "1")
    project.remove("a/gone")
    (project / "b/c/mode").chmod(0o600)
    project.remove("b/kind")
    project.write("b/kind/new", "now a folder")
    project.write("skipped", "nobody sees it")
    project.write("n/e/w", "new")
    project.write("top", "new")
    project.remove("lost/x")
    (project / "lost").rmdir()
    (project / "b/link").symlink_to("c")
    manifest.catch_up(since)
    fresh.read()
    assert manifest.entries == fresh.entries
    before = dict(manifest.entries)
    (project / "b").chmod(0o711)
    manifest.catch_up(since)
    assert (manifest.entries, manifest.stale_modes) == (before, {"b": 0o711})


def test_when_a_path_became_what_it_is(project: Project) -> None:
    path = project.write("a/b", "x")
    manifest = Manifest(str(project.path), NOTHING_IGNORED)
    manifest.read()
    status = path.stat()
    os.utime(path, ns=(1, 1))
    assert manifest.when("a/b") >= status.st_ctime_ns, "nobody can set it"
    path.unlink()
    assert manifest.when("a/b") == manifest.when("a/b/c") == (project / "a").stat().st_ctime_ns
    manifest = Manifest(str(project / "nowhere"), NOTHING_IGNORED)
    assert manifest.when("a") == 0


def reaches(*paths: str) -> doubting.Reached:
    changes = [FileChange(path, Alteration.MODIFIED) for path in paths]
    return lambda _, selected: difference.covered(changes, selected)


def doubts_of(facts: BuildFacts, before: str = "", during: str = "", after: str = "") -> doubting.Doubts:
    found = (reaches(*filter(None, [each])) for each in (before, during, after))
    return doubting.doubts(facts.operations, *found)


def names(facts: BuildFacts, places: object) -> set[str]:
    assert isinstance(places, frozenset | dict)
    return {step.id for step in facts.steps if step.operation in places}


def test_which_steps_it_concerns() -> None:
    facts = Cache().build(ASKED).facts
    found = doubts_of(facts, during="src/m")
    assert names(facts, found.unsure) == {"a:2", "a:3", "b:3"}, "what reads it, and all below"
    assert (names(facts, found.paths), found.anew) == ({"a:2"}, frozenset())
    found = doubts_of(facts, before="src/m", after="docs/d")
    assert (found.paths, names(facts, found.anew)) == ({}, {"a:2"}), "it was read as it is now"
    found = doubts_of(facts, before="src/m", after="src/n")
    assert (names(facts, found.paths), found.anew) == ({"a:2"}, frozenset()), "neither the plan nor now"
    assert doubts_of(facts, after="src/m") == doubting.NONE
    assert doubting.contexts(facts.operations) == {""}


def raced(verdict: Verdict) -> tuple[BuildFacts, doubting.Doubts]:
    """A build whose `src/m` changed, with what the reader of it did, and all below it."""
    cache = Cache()
    facts = cache.build(ASKED).facts
    later = cache.build(ASKED.but(files={**ASKED.files, "src/m": "2"})).facts
    doubts = doubts_of(facts, during="src/m")
    doubts = msgspec.structs.replace(doubts, contents=later.contents, keys=later.keys)
    steps = tuple(_with(step, verdict) if step.operation in doubts.unsure else step for step in facts.steps)
    return msgspec.structs.replace(facts, steps=steps), doubts


def _with(step: StepFacts, verdict: Verdict) -> StepFacts:
    return msgspec.structs.replace(step, verdict=verdict)


def test_what_a_verdict_says() -> None:
    facts, doubts = raced(Verdict.MISS)
    (reader,) = doubts.paths
    then, now = facts.keys[reader], doubts.keys[reader]
    assert doubting.read_anew(facts, doubts, {then}) == {reader}, "it would have hit with the bytes of the plan"
    assert doubting.read_anew(facts, doubts, set()) == frozenset(), "both would have missed"
    assert doubting.read_anew(facts, doubts, {then, now}) == frozenset(), "neither would have"
    facts, doubts = raced(Verdict.HIT)
    assert doubting.read_anew(facts, doubts, {now}) == {reader}
    assert doubting.read_anew(facts, doubts, {then}) == frozenset()


def test_what_ran_is_doubted_with_the_bytes_of_then_and_now() -> None:
    facts, doubts = raced(Verdict.MISS)
    places = [step.operation for step in facts.steps if step.id in ("a:2", "a:3", "b:3")]
    both = {keys[place] for place in places for keys in (facts.keys, doubts.keys)}
    assert set(doubting.doubted(facts, doubts, set())) == both
    assert set(doubting.doubted(facts, doubts, {facts.keys[places[0]]})) == both - {facts.keys[places[0]]}
    facts, doubts = raced(Verdict.HIT)
    assert doubting.doubted(facts, doubts, set()) == (), "what hit, it had before"


def test_a_plan_with_doubted_keys() -> None:
    facts, doubts = raced(Verdict.MISS)
    keys = Keys(facts.operations, facts.contents, salt=SALT, same_as={})
    place = {step.id: step.operation for step in facts.steps}

    def planned(**memory: object) -> dict[str, Planned]:
        found = fates(keys, Memory(**memory))  # type: ignore[arg-type]
        return {step: found[at].planned for step, at in place.items() if not step.endswith(":1")}

    doubted = doubting.doubted(facts, doubts, set())
    plan = planned(doubted=doubted)
    assert [plan[step] for step in ("a:2", "a:3", "b:2", "b:3")] == [
        Planned.DEPENDS, Planned.DEPENDS, Planned.RUN, Planned.DEPENDS,
    ]  # fmt: skip
    known = dict.fromkeys(facts.keys)
    assert set(planned(known=known, doubted=doubted).values()) == {Planned.HIT}, "a later build has told"
    assert planned(known=known, lost=set(doubted), doubted=doubted)["a:2"] is Planned.RUN


def test_a_doubted_key_stands_for_no_reading_of_a_stage() -> None:
    facts, doubts = raced(Verdict.MISS)
    (place,) = [step.operation for step in facts.steps if step.id == "b:3"]
    assert (facts.keys[place],) in shapes_of([facts], salt=SALT).values()
    facts = msgspec.structs.replace(facts, doubted=doubting.doubted(facts, doubts, set()))
    assert (facts.keys[place],) not in shapes_of([facts], salt=SALT).values()


def test_what_is_said() -> None:
    facts, doubts = raced(Verdict.MISS)

    def unseen(_name: str, _selected: tuple[Selected, ...]) -> Stale:
        return Stale()

    said = alarms(facts, [], unseen, now=0, sent={next(iter(doubts.paths)): ["src/m"]})
    assert said == {
        "a:2": "src/m changed while it was being sent: what this step read is not sure; the next build will tell."
    }
    said = alarms(facts, [], unseen, now=0, sent={next(iter(doubts.paths)): ["a", "b", "c"]})
    assert said["a:2"].startswith("a and 2 more changed while they were being sent: ")
    past = msgspec.structs.replace(facts, number=7, doubted=doubting.doubted(facts, doubts, set()))
    step = msgspec.structs.replace(next(each for each in facts.steps if each.id == "a:2"), planned=Planned.DEPENDS)
    assert open_question(facts, step, [past]) == (
        "Files changed while build 7 was sent them: whether it made this step is not sure."
    )
    assert open_question(facts, step, [facts]) == ""
    assert open_question(facts, msgspec.structs.replace(step, planned=Planned.RUN), [past]) == ""


def test_a_mode_that_is_not_noted_is_said_too() -> None:
    facts, _ = raced(Verdict.HIT)

    def found(stale: Stale) -> str:
        return alarms(facts, [], lambda _, selected: stale, now=0).get("a:2", "")

    assert found(Stale((), ("src",))) == "The mode of src/ changed: BuildKit keeps that of a folder that it has."
    assert found(Stale(("src/m",), ("src",))).startswith("src/m changed, but not in size and time")
    assert found(Stale()) == ""
