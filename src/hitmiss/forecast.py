"""What the next build will do and why the last one did what it did, for one project on one builder.

It ties the rooms together: the definition's operations, the files as they are, the engine's records and what is
remembered become a `Plan`; a plan and the finished build become causes, and are remembered. It holds the manifests,
which follow the watch. It starts no build and knows no screen. `plan` and `explain` take milliseconds to tens of them
and may be called in a thread; what asks the engine is a coroutine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from hitmiss.build.model import Build, Expected, FileChange, Foreseen, Planned, Status, Step, Verdict
from hitmiss.cache import alarms, notes, timing
from hitmiss.cache import causes as reasons
from hitmiss.cache import plan as planning
from hitmiss.cache.derive import derive
from hitmiss.cache.facts import BuildFacts, Key, Known, StepFacts
from hitmiss.cache.hidden import Hider
from hitmiss.cache.keys import Keys, contents_of, shapes_of
from hitmiss.cache.operations import Operations, Selected, StepRef
from hitmiss.cache.retold import as_build
from hitmiss.docker import cache_records
from hitmiss.history.store import Store
from hitmiss.inquiry import Engine, Left, ask, left_by
from hitmiss.outcome import imports, outcome, ref, told
from hitmiss.past import past_of
from hitmiss.project import difference
from hitmiss.project.definition import Definition, announce
from hitmiss.project.manifest import Manifest
from hitmiss.project.watch import Change, Kind
from hitmiss.runner import Runner
from hitmiss.settings import BuildOptions
from hitmiss.snapshot import Past, StepFiles
from hitmiss.step_files import files_of

_PAST = 40
"""So many earlier builds are compared with."""
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

    @property
    def build(self) -> Build:
        """The build as it stands before it begins."""
        return as_build(self.facts)


async def foresee(forecaster: Forecaster, runner: Runner, definition: Definition, options: BuildOptions) -> Plan | None:
    """Plan a build that begins now, and tell its fold: asked for while the client starts, so that nothing waits."""
    engine = await ask(definition, forecaster.builder)
    engine = msgspec.structs.replace(engine, at_rest=False)
    plan = await asyncio.to_thread(forecaster.plan, definition, options, engine)
    if plan:
        runner.foresee(plan.foreseen)
    return plan


async def explained(forecaster: Forecaster, plan: Plan, build: Build) -> Build:
    """The finished build with what there is to say about it; it is remembered, unless nothing of it was looked at."""
    if not any(step.verdict.looked_at for step in build.steps):
        return build
    left = await left_by(forecaster.builder, plan.engine, build)
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
    ) -> None:
        """`hidden` are values that nobody may see, `secrets` gives the lines of a build's secrets by their ids."""
        self._store = store
        self._project = project
        self.builder = builder
        self._salt = store.salt()
        self._hider = Hider(hidden, self._salt)
        self._secrets = secrets
        self._lock = threading.Lock()
        self._manifests: dict[str, tuple[tuple[object, ...], Manifest]] = {}
        self._changed: dict[str, set[str]] = {}
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
                if known is None or change.folder or known[1].refresh([change.path]):
                    return False
            return True
        finally:
            self._lock.release()

    def look(self, engine: Engine) -> None:
        """Take note of what the engine's cache holds while nothing is built: whether it was pruned."""
        if engine.records is not None:
            self._saw(engine.records)

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
            manifests = self._read(definition)
            platforms = options.platform_list()
            operations = self._hider.operations(derive(definition.question, platforms, images=engine.images))
            contents = contents_of(operations, lambda name, selected: _content(manifests, name, selected))
            facts = self._facts(definition, options, engine, operations, contents)
            return self._planned(facts, definition, options, engine, manifests)

    def explain(self, plan: Plan, build: Build, left: Left) -> Build:
        """The finished build with plan, causes and notes; it is remembered.

        `left` is what it left behind on the engine.
        """
        if left.there:
            self._saw(left.there, built=True)
        with self._lock:
            done = {ref(step): step for step in build.steps}
            facts = self._happened(plan, build, done)
            ran = {step.id for step in facts.steps if step.verdict in (Verdict.MISS, Verdict.FAILED)}
            known = self._store.known(self.builder, facts.keys)
            why = reasons.causes(msgspec.structs.replace(plan.evidence, now=facts, ran=ran, known=known))
            stories = notes.notes(facts, self._earlier(), known, imported=imports(build))
            warned = alarms.alarms(facts, self._earlier(), self._unseen, now=time.time())
            steps = tuple(
                msgspec.structs.replace(
                    step, cause=why.get(step.id), note=stories.get(step.id), alarm=warned.get(step.id, "")
                )
                for step in facts.steps
            )
            number = self._remember(plan, msgspec.structs.replace(facts, steps=steps), left.records)
            return told(build, {ref(step): step for step in steps}, number)

    def compared(self, before: BuildFacts, after: BuildFacts) -> Build:
        """`after`, every step that differs from `before` with what made it so."""
        with self._lock:
            known = {key: Known(before.number, before.started) for key in before.keys}
            differ = {step.id for step in after.steps if step.operation < 0 or after.keys[step.operation] not in known}
            why = reasons.causes(reasons.Evidence(after, differ, [before], known, self._changes(after, {})))
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
        self._whole = False
        return found

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
            builder=self.builder,
            target=definition.target,
            started=time.time(),
            status=Status.IDLE,
            platforms=options.platform_list(),
            dockerfile=self._hider.text(definition.text),
            dockerfile_name=definition.name,
            arguments=self._hider.arguments(given),
            contexts={name: str(path) for name, path in definition.contexts.folders()},
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
            facts, ran, past, memory.known, self._changes(facts, fresh), request, self._elsewhere(past)
        )
        why = reasons.causes(evidence)
        steps = tuple(msgspec.structs.replace(step, cause=why.get(step.id)) for step in steps)
        facts = msgspec.structs.replace(facts, steps=steps)
        foreseen = {ref(step): Foreseen(step.planned, step.expected_s, step.cause) for step in steps if step.planned}
        return Plan(facts, foreseen, timing.seconds(facts, past), engine, evidence, memory, keys)

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
            pruned = self._saw(engine.records, at_rest=engine.at_rest)
            lost = cache_records.lost(known, engine.records, pruned, at_rest=engine.at_rest)
        return planning.Memory(known, lost, shapes)

    def _saw(self, records: Sequence[cache_records.CacheRecord], *, at_rest: bool = True, built: bool = False) -> float:
        """Take note of all records there are; when a prune was last noticed, in seconds since 1970."""
        passing = {each.id for each in records if each.in_use or (each.type != "regular" and not at_rest)}
        return self._store.saw_records(self.builder, [each.id for each in records], passing, built=built)

    def _step(
        self,
        each: Expected,
        plans: Mapping[StepRef, Planned],
        operations: Operations,
        times: Mapping[tuple[str, str, str], float],
    ) -> StepFacts:
        place = ":".join(filter(None, (each.platform, each.stage)))
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

        def load(digest: bytes) -> bytes | None:
            return fresh.get(digest) or self._store.blob(digest)

        def changes(then: BuildFacts, name: str, selected: tuple[Selected, ...]) -> tuple[FileChange, ...]:
            old, new = then.trees.get(name), facts.trees.get(name)
            if not old or not new:
                return ()
            if (old, new) not in found:
                found[old, new] = difference.difference(load, old, new)
            manifest = self._manifests_by_name().get(name)
            behind = [source for each in selected for source in manifest.behind(each)] if manifest else []
            kept = difference.covered(found[old, new], (*selected, *behind))
            return tuple(msgspec.structs.replace(each, context=name) for each in kept)

        return changes

    # Explaining

    def _unseen(self, name: str, selected: tuple[Selected, ...]) -> list[str]:
        """Paths whose bytes BuildKit did not see change."""
        manifest = self._manifests_by_name().get(name)
        if manifest is None or not manifest.stale:
            return []
        return sorted(path for path in manifest.stale if any(path in manifest.covered(each) for each in selected))

    def _happened(self, plan: Plan, build: Build, done: Mapping[StepRef, Step]) -> BuildFacts:
        """The facts of the plan with what came of them."""
        steps = tuple(outcome(each, done.get(ref(each))) for each in plan.facts.steps)
        succeeded = build.status is Status.SUCCEEDED
        hits = {step.operation for step in steps if succeeded and step.verdict is Verdict.HIT and step.operation >= 0}
        keys, learned = planning.settled(plan.keys, hits, plan.memory)
        if learned:
            self._store.remember_aliases(self.builder, learned)
        right, planned = notes.score(steps)
        return msgspec.structs.replace(
            plan.facts,
            keys=keys,
            steps=steps,
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

    def _remember(self, plan: Plan, facts: BuildFacts, records: Mapping[str, str]) -> int:
        """Keep the build; gives its number.

        A lost result that nobody read is called a hit, and is no less lost. In a build that failed BuildKit calls a
        step cached that was never built (where a COPY finds no file, all above it): there a hit confirms nothing new.
        """
        lost = plan.memory.lost
        sure = plan.memory.known if facts.status is not Status.SUCCEEDED else facts.keys
        confirmed = {
            facts.keys[step.operation]: step.id
            for step in facts.steps
            if step.operation >= 0
            and step.confirmed
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


def _content(manifests: Mapping[str, Manifest], name: str, selected: Selected) -> bytes:
    manifest = manifests.get(name)
    return manifest.content(selected) if manifest else b""
