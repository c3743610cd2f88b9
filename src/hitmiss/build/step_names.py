"""The names of steps without the values of credentials that BuildKit fills into them. Pure.

A variable whose name looks secret stands in a step's name as the Dockerfile has it, whatever its value: nobody reads
the value, and a step is called the same when it changes. The values themselves are not enough for that: `${X%%:*}`
puts a part of one into a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hitmiss.build.model import Expected

_NAME = re.compile(r"\[(?P<head>[^\]]*?) *(?P<index>\d+)/(?P<of>\d+)\] (?P<link>LINK )?(?P<text>.*)", re.DOTALL)
_QUOTED = re.compile(r"(?P<before>\s*> )(?P<name>\[.*\] .*):(?P<after>\s*)", re.DOTALL)
"""How the client begins the output of a step that failed."""

_Place = tuple[tuple[str, ...], int, int]


class StepNames:
    """Knows the names that must not be read, and what to call those steps instead."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._places: dict[_Place, str] = {}

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, steps: Iterable[Expected], target: str = "") -> None:
        """Take note of the steps that a Dockerfile announces; `target` is one of several that are built at once."""
        for step in steps:
            if not step.secret:
                continue
            self._texts[step.secret] = step.instruction
            platform = (step.platform,) if step.platform else ()
            # A stage that is alone is not named, nor is a target that is.
            for stage in ((step.stage,), ()):
                for first in ((target,), ()) if target else ((),):
                    self._places[(*first, *platform, *stage), step.index, step.of] = step.instruction

    def clean(self, name: str) -> str:
        """A vertex's name without the values; the same where it holds none.

        Where the Dockerfile alone does not tell the whole name (the base image sets a variable in it), the step's place
        counts.
        """
        found = _NAME.fullmatch(name)
        if not found:
            return name
        text = self._texts.get(found["text"])
        if text is None:
            where = (tuple(found["head"].split()), int(found["index"]), int(found["of"]))
            there = self._places.get(where, "")
            text = there if _word(there) == _word(found["text"]) else None
        return name if text is None else name[: found.start("text")] + text

    def line(self, text: str) -> str:
        """A line of the client's own without the values: it repeats the name of the step that failed."""
        found = _QUOTED.fullmatch(text)
        return f"{found['before']}{self.clean(found['name'])}:{found['after']}" if found else text


def parted(name: str) -> tuple[str, str]:
    """A vertex's name as what says which step it is (`[build 2/4] `; "" where it is none), and the rest."""
    found = _NAME.fullmatch(name)
    at = found.end("of") + 2 if found else 0
    return name[:at], name[at:]


def _word(text: str) -> str:
    return text.partition(" ")[0].upper()
