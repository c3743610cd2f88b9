"""Which stage of an earlier build is the same one as a stage of now, whatever the two are called.

Pure. A name that both Dockerfiles give is one stage. What is left are stages that got another name, or none, or another
number: they are paired by what they run and copy, and by their place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from functools import cache, lru_cache, partial

from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.errors import UsageError
from hitmiss.project.dockerfile import Dockerfile, Stage, parse

_FROM = re.compile(r"(--from=|--mount=\S*?\bfrom=)([^\s,]+)", re.IGNORECASE)
_WORK = ("ADD", "COPY", "RUN")
_ALIKE = 0.8
"""From here on a text is another one that was edited."""


@lru_cache(maxsize=64)
def parsed_text(dockerfile: str) -> Dockerfile | None:
    """The Dockerfile of a remembered build, parsed once; None where it does not parse."""
    try:
        return parse(dockerfile)
    except UsageError:
        return None


def counterpart(now: BuildFacts, stage: str, then: BuildFacts) -> str:
    """The stage of `then` that is `stage` of `now`; "" where it is new since."""
    pairs = _between(now, then)
    return stage if pairs is None else pairs.get(stage, "")


def text(build: BuildFacts, step: StepFacts, then: BuildFacts | None = None) -> str:
    """The text of a step, with the stages that it reads called by name; by those that they had in `then`."""
    if "from=" not in step.text.lower():
        return step.text
    other = then if then and _comparable(build, then) else build
    return _naming(build.dockerfile, other.dockerfile)(step.text)


@lru_cache(maxsize=64)
def _naming(now: str, then: str) -> Callable[[str], str]:
    """What calls the stages in a text of the Dockerfile `now` by name; it works a text out once."""
    order = [stage.shown for stage in _stages(now)]
    names = frozenset(order)
    pairs = _pairs(now, then) or {}

    def named(found: re.Match[str]) -> str:
        name = found[2].lower()
        if name.isdecimal() and int(name) < len(order):
            name = order[int(name)]
        return found[1] + pairs.get(name, name) if name in names else found[0]

    return cache(partial(_FROM.sub, named))


def _between(now: BuildFacts, then: BuildFacts) -> Mapping[str, str] | None:
    """The stages of `now` that `then` had, with their names there; None where each has the name that it had."""
    return _pairs(now.dockerfile, then.dockerfile) if _comparable(now, then) else None


def _comparable(now: BuildFacts, then: BuildFacts) -> bool:
    """Of builds of two Dockerfiles nothing but names is compared."""
    return (now.part, now.dockerfile_name) == (then.part, then.dockerfile_name)


@lru_cache(maxsize=64)
def _pairs(now: str, then: str) -> Mapping[str, str] | None:
    if now == then:
        return None
    mine, theirs = _stages(now), _stages(then)
    if [stage.name for stage in mine] == [stage.name for stage in theirs] or not (mine and theirs):
        return None
    kept = {stage.name for stage in mine} & {stage.name for stage in theirs} - {""}
    pairs = {name: name for name in kept}
    rivals = []
    for one in mine:
        for other in theirs:
            if one.name in kept or other.name in kept:
                continue
            # The last stage stays the last one, whatever is put above it.
            away = abs((len(mine) - one.index) - (len(theirs) - other.index))
            if common := _common(one, other, same_place=not away):
                rivals.append((-common, away, one.index, one.shown, other.shown))
    for *_, name, before in sorted(rivals):
        if name not in pairs and before not in pairs.values():
            pairs[name] = before
    return pairs


def _common(one: Stage, other: Stage, *, same_place: bool) -> float:
    """How many steps two stages have in common; at the same place it is enough that one was edited, or no name."""
    mine, theirs = _work(one), _work(other)
    common = sum(text in theirs for text in mine)
    if common or not same_place:
        return common
    if not (one.name or other.name):
        return 0.5
    return 0.5 * any(
        SequenceMatcher(None, was, text, autojunk=False).ratio() >= _ALIKE for text in mine for was in theirs
    )


def _work(stage: Stage) -> list[str]:
    return [each.original for each in stage.instructions if each.keyword in _WORK]


def _stages(dockerfile: str) -> tuple[Stage, ...]:
    """The stages from the top; none where the text does not parse."""
    parsed = parsed_text(dockerfile)
    return parsed.stages if parsed else ()
