"""The operations of a target from the Dockerfile's text, before anything was built.

Pure. They come out as BuildKit's own frontend (`dockerfile2llb`) makes them: `tests/engine/test_operations.py` holds
them against what the engine says of its builds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from hitmiss.build.model import stage_id
from hitmiss.cache import derive_exec, derive_files
from hitmiss.cache.canonical import NOTHING, Operated
from hitmiss.cache.operations import Image, Operations, StepRef
from hitmiss.project import platforms as names
from hitmiss.project.operations import Key, Pass, Question, full_name, image_of, stream_platform
from hitmiss.project.operations import Operation as Work
from hitmiss.project.scope import Base
from hitmiss.project.stages import SCRATCH, Graph, State
from hitmiss.project.syntax import DockerfileError
from hitmiss.project.words import WordError


def image_names(question: Question, platforms: Sequence[str] = ()) -> tuple[str, ...]:
    """The images that a target starts from or reads, by their names in the Dockerfile; none for what is refused."""
    graph: Graph = Pass(question, _wanted(question, platforms)[0], {}).graph
    found = [image_of(state, question.contexts) for state in graph.needed if state.base is None]
    found += [name for linked in question.linked.values() for name in image_names(linked, platforms)]
    return tuple(dict.fromkeys(name for name in found if name and name != SCRATCH))


def derive(
    question: Question, platforms: Sequence[str] = (), *, images: Mapping[str, Image] | None = None
) -> Operations:
    """The operations of the target that `question` asks for, for one or several `platforms`.

    `images` is what is known of base images, by their names in the Dockerfile: the ONBUILD lines of known ones take
    part. The contexts of a linked target are named after it: `base:` is its main one, `base:shared` another. Raises
    `UsageError` for an unknown target, `DockerfileError` for what BuildKit refuses.
    """
    question = _informed(question, {name: image for name, image in (images or {}).items() if image.known})
    wanted = _wanted(question, platforms)
    keys: dict[object, Key] = {}
    out = Operated()
    steps: dict[StepRef, int] = {}
    linked: dict[int, str] = {}
    for platform in wanted:
        Deriver(Pass(question, platform, keys), images or {}, out, steps, linked, several=len(wanted) > 1).all()
    return Operations(tuple(out.all), steps, linked)


def _wanted(question: Question, platforms: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names.shown(platform) for platform in platforms)) or (question.build_platform,)


def _informed(question: Question, known: Mapping[str, Image]) -> Question:
    """The question, and those that it is linked to, with what is known of base images."""
    return replace(
        question,
        triggers={**{name: image.triggers for name, image in known.items()}, **question.triggers},
        bases={**{name: _base(image) for name, image in known.items()}, **question.bases},
        linked={name: _informed(linked, known) for name, linked in question.linked.items()},
    )


def _base(image: Image) -> Base:
    return Base(image.env, image.workdir or "/", image.user, image.shell)


class Deriver:
    """The operations for one platform."""

    def __init__(
        self,
        run: Pass,
        images: Mapping[str, Image],
        out: Operated,
        steps: dict[StepRef, int],
        linked: dict[int, str],
        *,
        several: bool = False,
        prefix: str = "",
    ) -> None:
        """`prefix` stands before the names of contexts."""
        self.run = run
        self.prefix = prefix
        self.images = images
        self.out = out
        self.steps = steps
        self.linked = linked
        self.several = several
        self.places: dict[Work, int] = {}
        """What later operations are put on."""
        args = run.question.build_args
        self.cache_namespace = args.get("BUILDKIT_CACHE_MOUNT_NS", "")
        epoch = args.get("SOURCE_DATE_EPOCH", "")
        self.created = int(epoch) * 10**9 if epoch.isascii() and epoch.isdecimal() else None

    def all(self) -> None:
        """Add every operation that the target needs."""
        for work in self.run.in_order():
            try:
                shown, self.places[work] = self._add(work)
            except WordError as error:
                line = work.instruction.start if work.instruction else 0
                raise DockerfileError(str(error), line) from None
            if work.index:
                platform = stream_platform(work) if self.several else ""
                self.steps.setdefault((platform, work.state.name, work.index), shown)

    def _add(self, work: Work) -> tuple[int, int]:
        """The place of an operation, and of what later ones are put on: they differ for a COPY --link."""
        if work.command is None:
            place = self._source(work)
            return place, place
        match work.command.instruction.keyword:
            case "RUN":
                place = derive_exec.run(self, work)
                return place, place
            case "WORKDIR":
                place = derive_files.workdir(self, work)
                return place, place
        return derive_files.copy(self, work)

    def _source(self, work: Work) -> int:
        """An image or a named context."""
        state, contexts = work.state, self.run.question.contexts
        name = image_of(state, contexts)
        if name:
            image, full = self.images.get(name), full_name(name)
            return self.out.image(image.identity if image else full, work.platform, full)
        context = state.context or ""
        value = contexts.get(context, "")
        if context in self.run.question.linked:
            return self._linked(context, value.partition(":")[2])
        if "://" in value or value.startswith(("target:", "input:", "git@", "github.com/")):
            return self.out.remote(value, {})
        return self.out.local(self.prefix + context)

    def _linked(self, context: str, name: str) -> int:
        """What another target puts out: all its operations, and the place of the last."""
        run = Pass(self.run.question.linked[context], self.run.platform, {})
        prefix = f"{self.prefix}{name}:"
        other = Deriver(run, self.images, self.out, {}, self.linked, several=self.several, prefix=prefix)
        other.all()
        for (platform, stage, index), place in other.steps.items():
            self.linked.setdefault(place, f"{stage_id(name, platform, stage)}:{index}")
        return other.last(run.graph.target)

    # What the other files ask for

    def below(self, work: Work) -> int:
        """What an operation is put on."""
        return self.places[work.below] if work.below else NOTHING

    def last(self, state: State) -> int:
        """What a stage, image or context puts out in the end."""
        work = self.run.last.get(state)
        if work and work not in self.places:
            line = state.stage.start if state.stage else 0
            raise DockerfileError(f"cannot copy from stage {state.name}, it is not there yet", line)
        return self.places[work] if work else NOTHING

    @cached_property
    def main(self) -> int:
        """The main context."""
        return self.out.local(self.prefix)
