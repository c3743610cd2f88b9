"""What the next build will do and why the last one did what it did, for one project on one builder.

It ties the rooms together: the definition's operations, the files as they are, the engine's records and what is
remembered become a `Plan`; a plan and the finished build become causes, and are remembered. It holds the manifests,
which follow the watch. It starts no build and knows no screen. `plan` and `explain` take milliseconds to tens of them
and may be called in a thread; what asks the engine is a coroutine.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from hitmiss import sending
from hitmiss.build.model import Build, Expected, FileChange, Foreseen, Planned, Status, Step, Verdict
from hitmiss.cache import alarms, notes, timing
from hitmiss.cache import causes as reasons
from hitmiss.cache import doubts as doubting
from hitmiss.cache import plan as planning
from hitmiss.cache.derive import derive
from hitmiss.cache.doubts import Doubts
from hitmiss.cache.facts import BuildFacts, Key, Known, Rules, StepFacts
from hitmiss.cache.hidden import Hider
from hitmiss.cache.keys import Keys, contents_of, shapes_of
from hitmiss.cache.operations import Operations, Selected, StepRef
from hitmiss.cache.retold import as_build
from hitmiss.docker import cache_records
from hitmiss.docker.copies import copies
from hitmiss.history.store import Store
from hitmiss.inquiry import Engine, Left, Records, left_by
from hitmiss.outcome import imports, outcome, ref, told
from hitmiss.past import past_of
from hitmiss.project import difference
from hitmiss.project.definition import Definition, announce
from hitmiss.project.manifest import Manifest
from hitmiss.project.watch import Change, Kind
from hitmiss.runner import Runner
from hitmiss.sending import Reading
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Past, StepFiles
from hitmiss.step_files import files_of

_PAST = 40
"""So many earlier builds are compared with."""
_SMALL = 5_000
"""A context of no more entries is looked at as a whole after each build: that takes some ten milliseconds."""
_GRAIN_NS = 20_000_000
"""The kernel's times may be so much too early."""
_MOST_TOLD = 10_000
"""So many saves are remembered with their time."""
_FEW = 40
"""So many files are read at once to see whether a save changed anything."""


class Plan(msgspec.Struct, frozen=True):
    """What is expected of a build.

    `facts` is the build as far as it is known before it begins, `foreseen` what its steps will do, `seconds` how long
    it should take (None where a step that will run never ran before). The rest is what `explain` goes on from.
    """

    facts: BuildFacts
    foreseen: Mapping[StepRef, Foreseen]
    seconds: float | None
    engine: Engine
    evidence: reasons.Evidence
    memory: planning.Memory
    keys: Keys
    reading: Reading

    @property
    def build(self) -> Build:
        """The build as it stands before it begins."""
        return as_build(self.facts)


async def foresee(
    forecaster: Forecaster, runner: Runner, definition: Definition, options: BuildOptions, engine: Awaitable[Engine]
) -> Plan | None:
    """Plan a build that begins now, and tell its fold: asked for while the client starts, so that nothing waits."""
    asked = msgspec.structs.replace(await engine, at_rest=False)
    plan = await asyncio.to_thread(forecaster.plan, definition, options, asked)
    if plan:
        runner.foresee(plan.foreseen, forecaster.part)
    return plan


async def explained(forecaster: Forecaster, plan: Plan, build: Build, there: Awaitable[Records]) -> Build:
    """The finished build with what there is to say about it; it is remembered, unless nothing of it was looked at.

    `there` are the engine's cache records after it.
    """
    if not any(step.verdict.looked_at for step in build.steps):
        return build
    left = left_by(plan.engine, await there, build)
    return await asyncio.to_thread(forecaster.explain, plan, build, left)


class Forecaster:
    """Plans and explains the builds of one project on one builder."""

    def __init__(
        self,
        store: Store,
        project: Path,
        builder: str,
        hidden: Iterable[str] = (),
        secrets: Callable[[], Mapping[str, Sequence[str]]] = dict,
        *,
        part: str = "",
    ) -> None:
        """`hidden` are values that nobody may see, `secrets` gives the lines of a build's secrets by their ids.

        `part` is the target that it is for, where the project has several.
        """
        self.part = part
        self._store = store
        self._project = project
        self.builder = builder
        self._salt = store.salt()
        self._hider = Hider(hidden, self._salt)
        self._secrets = secrets
        self._lock = threading.Lock()
        self._manifests: dict[str, tuple[tuple[object, ...], Manifest]] = {}
        self._changed: dict[str, set[str]] = {}
        self._told: deque[tuple[float, str, str]] = deque(maxlen=_MOST_TOLD)
        """When the watch told of which path of which context."""
        self._unplanned: dict[str, set[str]] = {}
        """Paths that the manifests have as no plan saw them: the watch has yet to tell of them."""
        self._past: list[BuildFacts] | None = None
        self._history: tuple[Past, ...] = ()
        self._known: dict[Key, Known] = {}
        """Those of the keys of `_past` that were confirmed."""
        self._followed = False
        self._whole = True
        self.score = (0, 0)
        """Of all planned steps of the project: how many came out as planned, and how many they are."""

    def follow(self) -> None:
        """From now on `saved` is told of every change: files are no longer all looked at for each plan."""
        self._followed = True
        self._whole = True

    def saved(self, changes: Iterable[Change]) -> None:
        """Paths that the next plan has to look at again; all of them, where a context came back."""
        for change in changes:
            if change.kind in (Kind.GONE, Kind.BACK):
                self._whole = True
            if not change.path.startswith("/"):
                self._told.append((time.time(), change.context, change.path))
                self._changed.setdefault(change.context, set()).add(change.path)

    def same_as_before(self, changes: Iterable[Change]) -> bool:
        """Whether the files that were saved hold what they held: nothing that BuildKit could see has changed.

        False where finding out would take long.
        """
        found = list(changes)
        if self._whole or len(found) > _FEW or not self._lock.acquire(blocking=False):
            return False
        try:
            for change in found:
                known = self._manifests.get(change.context)
                if known is None or change.folder or change.path in self._unplanned.get(change.context, ()):
                    return False
                if known[1].refresh([change.path]):
                    return False
            return True
        finally:
            self._lock.release()

    def look(self, engine: Engine) -> None:
        """Take note of what the engine's cache holds while nothing is built: whether it was pruned."""
        if engine.records is not None:
            self._saw(engine.records, engine.asked)

    def number(self) -> int:
        """The number of the latest remembered build of the project."""
        return self._store.latest(self._project)

    def history(self) -> tuple[Past, ...]:
        """The remembered builds of this project on this builder, newest first; empty until the first plan was made."""
        return self._history

    def files(self, plan: Plan, build: Build, step_id: str) -> StepFiles | None:
        """What a step reads of the contexts, changed files first; None for a step that is not known."""
        step = next((each for each in plan.facts.steps if each.id == step_id), None)
        if step is None or step.operation < 0:
            return None
        shown = build.step(step_id)
        cause = shown.cause if shown else None
        with self._lock:
            return files_of(plan.facts.operations, step.operation, self._manifests_by_name(), cause)

    def plan(self, definition: Definition, options: BuildOptions, engine: Engine) -> Plan | None:
        """What a build of `definition` would do now; None where that cannot be told: a context that is no folder, a
        Dockerfile that does not parse.
        """
        if definition.question is None or definition.contexts.root is None:
            return None
        with self._lock:
            began = time.time()
            manifests = self._read(definition)
            reading = Reading(began, time.time())
            self._forget_stale(engine)
            platforms = options.platform_list()
            operations = self._hider.operations(derive(definition.question, platforms, images=engine.images))
            contents = contents_of(operations, lambda name, selected: _content(manifests, name, selected))
            facts = self._facts(definition, options, engine, operations, contents)
            return self._planned(facts, definition, options, engine, manifests, reading)

    def explain(self, plan: Plan, build: Build, left: Left) -> Build:
        """The finished build with plan, causes and notes; it is remembered.

        `left` is what it left behind on the engine.
        """
        if left.there:
            self._saw(left.there, left.asked, built=True)
        with self._lock:
            done = {ref(step): step for step in build.steps}
            doubts = self._doubts(plan, build)
            plan = self._as_read(plan, doubts, done)
            facts = self._happened(plan, build, done, doubts)
            facts = msgspec.structs.replace(facts, copies=self._copies(facts, build, left))
            ran = {step.id for step in facts.steps if step.verdict in (Verdict.MISS, Verdict.FAILED)}
            known = self._store.known(self.builder, facts.keys)
            why = reasons.causes(msgspec.structs.replace(plan.evidence, now=facts, ran=ran, known=known))
            stories = notes.notes(facts, self._earlier(), known, imported=imports(build))
            warned = alarms.alarms(facts, self._earlier(), self._unseen, now=time.time(), sent=doubts.paths)
            steps = tuple(
                msgspec.structs.replace(
                    step, cause=why.get(step.id), note=stories.get(step.id), alarm=warned.get(step.id, "")
                )
                for step in facts.steps
            )
            number = self._remember(plan, msgspec.structs.replace(facts, steps=steps), left.records, doubts)
            return told(build, {ref(step): step for step in steps}, number)

    def compared(self, before: BuildFacts, after: BuildFacts) -> Build:
        """`after`, every step that differs from `before` with what made it so."""
        with self._lock:
            known = {key: Known(before.number, before.started) for key in before.keys}
            differ = {step.id for step in after.steps if step.operation < 0 or after.keys[step.operation] not in known}
            why = reasons.causes(
                reasons.Evidence(after, differ, [before], known, self._changes(after, {}), there=self._there)
            )
            steps = tuple(msgspec.structs.replace(step, cause=why.get(step.id), note=None) for step in after.steps)
            return as_build(msgspec.structs.replace(after, steps=steps))

    # Planning

    def _read(self, definition: Definition) -> dict[str, Manifest]:
        """The manifests as the files are now."""
        rules = definition.contexts.rules()
        found: dict[str, Manifest] = {}
        for name, path in definition.contexts.folders():
            sign = (str(path), rules[name])
            known = self._manifests.get(name)
            if known is None or known[0] != sign:
                manifest = Manifest(str(path), rules[name], self._store.index(path))
                manifest.read()
                self._store.keep_index(path, manifest.index())
                self._manifests[name] = (sign, manifest)
            else:
                manifest = known[1]
                if not self._followed or self._whole:
                    manifest.read()
                elif paths := self._changed.get(name):
                    manifest.refresh(paths)
            self._changed.pop(name, None)
            found[name] = manifest
        self._unplanned.clear()
        self._whole = False
        return found

    def _forget_stale(self, engine: Engine) -> None:
        """Where BuildKit has no copy of a context any more, it reads anew what it did not see change."""
        past = self._earlier()
        for name, manifest in self._manifests_by_name().items():
            if engine.records is None or not (manifest.stale or manifest.stale_modes):
                continue
            root = manifest.tree.root
            copies = (each.copies[name] for each in past if name in each.copies and each.contexts.get(name) == root)
            copy = next(copies, None)
            gone = copy not in {record.id for record in engine.records} if copy else not past
            if gone:
                manifest.forget_stale()
                self._store.keep_index(root, manifest.index())

    def _rules(self, definition: Definition) -> dict[str, Rules]:
        """The ignore rules of each context, and where they stand."""
        found: dict[str, Rules] = {}
        for name, manifest in self._manifests_by_name().items():
            named = (definition.contexts.named[name] / ".dockerignore",) if name in definition.contexts.named else ()
            file = next((path.name for path in named or definition.contexts.ignore_files if path.is_file()), "")
            found[name] = Rules(file, manifest.tree.rules.patterns)
        return found

    def _there(self, name: str, path: str) -> bool:
        """Whether that path of a context is on disk, visible or not."""
        manifest = self._manifests_by_name().get(name)
        return manifest is not None and os.path.lexists(f"{manifest.tree.root}/{path}")

    def _manifests_by_name(self) -> dict[str, Manifest]:
        return {name: manifest for name, (_, manifest) in self._manifests.items()}

    def _facts(
        self,
        definition: Definition,
        options: BuildOptions,
        engine: Engine,
        operations: Operations,
        contents: tuple[tuple[bytes, ...], ...],
    ) -> BuildFacts:
        given = definition.question.build_args if definition.question else {}
        keys = self._keys(operations, contents).all()
        return BuildFacts(
            number=0,
            project=str(self._project),
            part=self.part,
            builder=self.builder,
            target=definition.target,
            started=time.time(),
            status=Status.IDLE,
            platforms=options.platform_list(),
            dockerfile=self._hider.text(definition.text),
            dockerfile_name=definition.name,
            arguments=self._hider.arguments(given),
            contexts={name: str(path) for name, path in definition.contexts.folders()},
            rules=self._rules(definition),
            images=engine.images,
            operations=operations,
            keys=keys,
            contents=contents,
            secrets={name: self._hider.digest("\n".join(lines)) for name, lines in self._secrets().items()},
        )

    def _planned(
        self,
        facts: BuildFacts,
        definition: Definition,
        options: BuildOptions,
        engine: Engine,
        manifests: Mapping[str, Manifest],
        reading: Reading,
    ) -> Plan:
        past = self._earlier()
        announced = _announced(definition, options, engine)
        request = planning.Request(options.no_cache, frozenset(each.lower() for each in options.no_cache_filter))
        memory = self._memory(facts.keys, past, engine)
        keys = self._keys(facts.operations, facts.contents)
        plans = planning.planned(facts.operations.steps, planning.fates(keys, memory, request))
        times = self._store.expected(self._project, self.builder)
        steps = tuple(self._step(each, plans, facts.operations, times) for each in announced)
        trees, fresh = self._freeze(manifests)
        facts = msgspec.structs.replace(facts, steps=steps, trees=trees)
        ran = {step.id for step in steps if step.planned is Planned.RUN}
        evidence = reasons.Evidence(
            facts,
            ran,
            past,
            memory.known,
            self._changes(facts, fresh),
            request,
            self._elsewhere(past),
            self._there,
        )
        why = reasons.causes(evidence)
        steps = tuple(
            msgspec.structs.replace(step, cause=why.get(step.id), alarm=alarms.open_question(facts, step, past))
            for step in steps
        )
        facts = msgspec.structs.replace(facts, steps=steps)
        foreseen = {ref(step): Foreseen(step.planned, step.expected_s, step.cause) for step in steps if step.planned}
        return Plan(facts, foreseen, timing.seconds(facts, past), engine, evidence, memory, keys, reading)

    def _keys(self, operations: Operations, contents: Sequence[Sequence[bytes]]) -> Keys:
        return Keys(operations, contents, salt=self._salt, same_as=self._store.aliases(self.builder))

    def _earlier(self) -> list[BuildFacts]:
        if self._past is None:
            self._past = self._store.builds(self._project, self.builder, limit=_PAST)
            self._known = self._store.known(self.builder, {key for build in self._past for key in build.keys})
            self.score = self._store.plan_score(self._project)
            self._history = tuple(map(past_of, self._past))
        return self._past

    def _elsewhere(self, past: Sequence[BuildFacts]) -> bool:
        return not past and bool(self._store.summaries(self._project, 1))

    def _memory(self, keys: Sequence[Key], past: Sequence[BuildFacts], engine: Engine) -> planning.Memory:
        shapes = shapes_of(past, salt=self._salt)
        known = self._known | self._store.known(self.builder, keys)
        lost: frozenset[Key] = frozenset()
        if engine.records is not None:
            pruned = self._saw(engine.records, engine.asked, at_rest=engine.at_rest)
            lost = cache_records.lost(known, engine.records, pruned, at_rest=engine.at_rest)
        doubted = {key for build in past for key in build.doubted}
        return planning.Memory(known, lost, shapes, doubted)

    def _saw(
        self,
        records: Sequence[cache_records.CacheRecord],
        asked: float,
        *,
        at_rest: bool = True,
        built: bool = False,
    ) -> float:
        """Take note of all records there were when the engine was `asked`; when a prune was last noticed, in seconds
        since 1970.
        """
        passing = {each.id for each in records if each.in_use or (each.type != "regular" and not at_rest)}
        ids = [each.id for each in records]
        return self._store.saw_records(self.builder, ids, passing, built=built, asked=asked)

    def _step(
        self,
        each: Expected,
        plans: Mapping[StepRef, Planned],
        operations: Operations,
        times: Mapping[tuple[str, str, str], float],
    ) -> StepFacts:
        place = ":".join(filter(None, (self.part, each.platform, each.stage)))
        return StepFacts(
            f"{place}:{each.index}", each.stage, each.index, each.of, self._hider.text(each.instruction),
            self._hider.text(each.text), each.platform or "", each.place, operations.steps.get(ref(each), -1),
            planned=plans.get(ref(each)), expected_s=times.get((each.platform or "", each.stage, each.instruction)),
        )  # fmt: skip

    def _freeze(self, manifests: Mapping[str, Manifest]) -> tuple[dict[str, bytes], dict[bytes, bytes]]:
        trees: dict[str, bytes] = {}
        fresh: dict[bytes, bytes] = {}
        for name, manifest in manifests.items():
            trees[name], blobs = manifest.freeze()
            fresh |= dict(blobs)
        self._store.put_blobs(list(fresh.items()))
        return trees, fresh

    def _changes(self, facts: BuildFacts, fresh: Mapping[bytes, bytes]) -> reasons.Changes:
        """What differs between an earlier build's files and those of `facts`."""
        found: dict[tuple[bytes, bytes], tuple[FileChange, ...]] = {}

        def changes(then: BuildFacts, name: str, selected: tuple[Selected, ...]) -> tuple[FileChange, ...]:
            old, new = then.trees.get(name), facts.trees.get(name)
            if not old or not new:
                return ()
            if (old, new) not in found:
                found[old, new] = self._differing(old, new, fresh)
            kept = self._covered(name, found[old, new], selected)
            return tuple(msgspec.structs.replace(each, context=name) for each in kept)

        return changes

    def _differing(self, old: bytes, new: bytes, fresh: Mapping[bytes, bytes]) -> tuple[FileChange, ...]:
        """What differs between two frozen manifests; `fresh` are folders that may not be in the store."""
        return difference.difference(lambda digest: fresh.get(digest) or self._store.blob(digest), old, new)

    def _covered(
        self, name: str, changes: Sequence[FileChange], selected: tuple[Selected, ...]
    ) -> tuple[FileChange, ...]:
        """Those of the changes in a context that make a difference to what is selected of it."""
        if not changes:
            return ()
        manifest = self._manifests_by_name().get(name)
        behind = [source for each in selected for source in manifest.behind(each)] if manifest else []
        return difference.covered(changes, (*selected, *behind))

    # Explaining

    def _unseen(self, name: str, selected: tuple[Selected, ...]) -> alarms.Stale:
        """Paths of which BuildKit did not see that they changed."""
        manifest = self._manifests_by_name().get(name)
        if manifest is None or not (manifest.stale or manifest.stale_modes):
            return alarms.Stale()
        covered = {path for each in selected for path in manifest.covered(each)}
        return alarms.Stale(sorted(covered & manifest.stale.keys()), sorted(covered & manifest.stale_modes.keys()))

    def _doubts(self, plan: Plan, build: Build) -> Doubts:
        """What the build may have read otherwise than was planned: files changed before all of them were sent."""
        operations = plan.facts.operations
        window = sending.window(build, plan.reading)
        found: dict[str, sending.Meanwhile] = {}
        for name in doubting.contexts(operations):
            manifest = self._manifests_by_name().get(name)
            same_place = manifest and manifest.tree.root == plan.facts.contexts.get(name)
            # What other rules hide or show has no time of its own.
            if manifest and same_place and _same_rules(manifest, plan.facts, name):
                found[name] = self._meanwhile(name, manifest, plan, window)
        if not any(map(any, found.values())):
            return doubting.NONE

        def covers(when: int) -> doubting.Reached:
            return lambda name, selected: self._covered(name, found[name][when] if name in found else (), selected)

        doubts = doubting.doubts(operations, covers(0), covers(1), covers(2))
        if not doubts.paths and not doubts.anew:
            return doubts
        manifests = self._manifests_by_name()
        now = contents_of(operations, lambda name, selected: _content(manifests, name, selected))
        concerned = doubts.anew | doubts.paths.keys()
        contents = tuple(each if place in concerned else plan.facts.contents[place] for place, each in enumerate(now))
        return msgspec.structs.replace(doubts, contents=contents, keys=self._keys(operations, contents).all())

    def _copies(self, facts: BuildFacts, build: Build, left: Left) -> dict[str, str]:
        """The engine's records of its copies of the contexts."""
        before = next((each for each in self._earlier() if each.copies and each.contexts == facts.contexts), facts)
        return copies(doubting.contexts(facts.operations), before.copies, left.there, build)

    def _meanwhile(self, name: str, manifest: Manifest, plan: Plan, window: sending.Window) -> sending.Meanwhile:
        """What changed in a context since the plan; where the watch follows a large one, as far as it has told."""
        told: dict[str, float] = {}
        for when, context, path in tuple(self._told):
            if context == name and when >= plan.reading.began:
                told.setdefault(path, when)
        if self._followed and len(manifest.entries) > _SMALL:
            manifest.refresh(told)
        else:
            manifest.catch_up(int(plan.reading.began * 1e9) - _GRAIN_NS)
        trees, fresh = self._freeze({name: manifest})
        differing = self._differing(plan.facts.trees[name], trees[name], fresh)
        self._unplanned.setdefault(name, set()).update(path for each in differing for path in (each.path, each.old))
        return sending.meanwhile(manifest, differing, window, told)

    def _as_read(self, plan: Plan, doubts: Doubts, done: Mapping[StepRef, Step]) -> Plan:
        """The plan as it would have been for what the build has read, as far as its verdicts tell."""
        steps = tuple(outcome(each, done.get(ref(each))) for each in plan.facts.steps)
        facts = msgspec.structs.replace(plan.facts, steps=steps)
        now = doubts.anew | doubting.read_anew(facts, doubts, plan.memory.known)
        if not now:
            return plan
        contents = tuple(
            doubts.contents[place] if place in now else each for place, each in enumerate(plan.facts.contents)
        )
        keys = self._keys(plan.facts.operations, contents)
        trees, fresh = self._freeze(self._manifests_by_name())
        facts = msgspec.structs.replace(plan.facts, contents=contents, keys=keys.all())
        changes = self._changes(msgspec.structs.replace(facts, trees=trees), fresh)
        evidence = msgspec.structs.replace(plan.evidence, changes=changes)
        return msgspec.structs.replace(plan, facts=facts, keys=keys, evidence=evidence)

    def _happened(self, plan: Plan, build: Build, done: Mapping[StepRef, Step], doubts: Doubts) -> BuildFacts:
        """The facts of the plan with what came of them."""
        steps = tuple(outcome(each, done.get(ref(each))) for each in plan.facts.steps)
        succeeded = build.status is Status.SUCCEEDED
        hits = {step.operation for step in steps if succeeded and step.verdict is Verdict.HIT and step.operation >= 0}
        keys, learned = planning.settled(plan.keys, hits - doubts.unsure, plan.memory)
        if learned:
            self._store.remember_aliases(self.builder, learned)
        right, planned = notes.score(steps)
        return msgspec.structs.replace(
            plan.facts,
            keys=keys,
            steps=steps,
            doubted=doubting.doubted(msgspec.structs.replace(plan.facts, steps=steps), doubts, plan.memory.known),
            target=build.target,
            started=build.started.timestamp() if build.started else time.time(),
            number=build.number,
            status=build.status,
            duration_s=build.duration_s,
            ref=build.ref,
            platforms=build.platforms,
            plan_right=right,
            plan_steps=planned,
        )

    def _remember(self, plan: Plan, facts: BuildFacts, records: Mapping[str, str], doubts: Doubts) -> int:
        """Keep the build; gives its number.

        A lost result that nobody read is called a hit, and is no less lost. In a build that failed BuildKit calls a
        step cached that was never built (where a COPY finds no file, all above it): there a hit confirms nothing new.
        Nor does a step that read files which changed while they were sent.
        """
        lost = plan.memory.lost
        sure = plan.memory.known if facts.status is not Status.SUCCEEDED else facts.keys
        confirmed = {
            facts.keys[step.operation]: step.id
            for step in facts.steps
            if step.operation >= 0
            and step.confirmed
            and step.operation not in doubts.unsure
            and (step.ran or (facts.keys[step.operation] not in lost and facts.keys[step.operation] in sure))
        }
        kept = self._store.remember(
            facts,
            confirmed=confirmed,
            records={key: records[step_id] for key, step_id in confirmed.items() if step_id in records},
        )
        self._known |= self._store.known(self.builder, confirmed)
        self.score = self.score[0] + facts.plan_right, self.score[1] + facts.plan_steps
        if kept.status is not Status.CANCELED:
            self._past = [kept, *self._earlier()][:_PAST]
            self._history = (past_of(kept), *self._history)[:_PAST]
        return kept.number


def _announced(definition: Definition, options: BuildOptions, engine: Engine) -> tuple[Expected, ...]:
    """The steps that BuildKit will show, those of the bases' ONBUILD lines among them."""
    triggers = {name: image.triggers for name, image in engine.images.items() if image.triggers}
    question = definition.question
    if question is None or not triggers:
        return definition.expected
    return announce(
        question.dockerfile,
        definition.name,
        target=question.target,
        values=question.build_args,
        platforms=options.platform_list(),
        named=question.contexts,
        own=question.build_platform,
        triggers=triggers,
    )


def _same_rules(manifest: Manifest, facts: BuildFacts, name: str) -> bool:
    return name in facts.rules and manifest.tree.rules.patterns == facts.rules[name].patterns


def _content(manifests: Mapping[str, Manifest], name: str, selected: Selected) -> bytes:
    manifest = manifests.get(name)
    return manifest.content(selected) if manifest else b""
