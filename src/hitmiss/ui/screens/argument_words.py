"""What the editor of build arguments holds and says: the changes that were typed, the words for them. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.content import Content

from hitmiss.build.model import Planned
from hitmiss.snapshot import ArgumentRow, Changes, Cost
from hitmiss.symbols import PLANS, about, plain

_ORIGIN = 16
"""Cells for who set a value."""
_MOST = 60
"""So many steps are listed."""
_DOTS = "•••"


class Draft:
    """What was typed and is not confirmed: by target and name a new value, or None to take back what was set here."""

    def __init__(self, rows: Sequence[ArgumentRow]) -> None:
        self._rows = tuple(rows)
        self._typed: dict[tuple[str, str], str | None] = {}

    def write(self, row: ArgumentRow, text: str) -> None:
        """The value is now `text`; what is as it was before is no change."""
        self._typed.pop(_key(row), None)
        if row.secret:
            if text:
                self._typed[_key(row)] = text
        elif row.kept and text == (row.before or ""):
            self._typed[_key(row)] = None
        elif text != (row.value or ""):
            self._typed[_key(row)] = text

    def take_back(self, row: ArgumentRow) -> None:
        """What was typed, or set here before, counts no more."""
        self._typed.pop(_key(row), None)
        if row.kept:
            self._typed[_key(row)] = None

    def clear(self) -> None:
        """Take all of it back."""
        for row in self._rows:
            self.take_back(row)

    @property
    def clearable(self) -> bool:
        """Whether there is anything to take back."""
        return any((_key(row) in self._typed) if not row.kept else self.value(row)[1] for row in self._rows)

    def changes(self) -> Changes:
        """All of it, by target."""
        found: dict[str, dict[str, str | None]] = {}
        for (target, name), value in self._typed.items():
            found.setdefault(target, {})[name] = value
        return found

    def changed(self, row: ArgumentRow) -> bool:
        """Whether its value will be another one."""
        return _key(row) in self._typed

    def value(self, row: ArgumentRow) -> tuple[str | None, bool]:
        """What it will be, and whether that is set here; a secret one in dots."""
        if _key(row) not in self._typed:
            return row.value, row.kept
        typed = self._typed[_key(row)]
        if typed is None:
            return row.before, False
        return (_DOTS if row.secret else typed), True

    def text(self, row: ArgumentRow) -> str:
        """What stands in the input: of a secret one only what was typed just now."""
        if row.secret:
            return self._typed.get(_key(row)) or ""
        return self.value(row)[0] or ""


def _key(row: ArgumentRow) -> tuple[str, str]:
    return row.target, row.name


def line(row: ArgumentRow, draft: Draft, names: int, width: int, *, indent: int = 0) -> Content:
    """`◆ PYTHON_VERSION   3.13   kept here`."""
    value, here = draft.value(row)
    changed = draft.changed(row)
    origin = "changed" if changed and here else row.before_origin if changed else row.origin
    shown = "not set" if value is None else plain(value) or '""'
    room = max(8, width - indent - names - _ORIGIN - 5)
    colour = "bold $accent" if changed else "bold" if here else ""
    return Content.assemble(
        " " * indent,
        ("◆ " if changed else "● " if here else "  ", "$accent"),
        (_cut(plain(row.name), names).ljust(names), "bold" if here or changed else ""),
        "  ",
        (_cut(shown, room).ljust(room), colour if value is not None else "$foreground 50% italic"),
        " ",
        (_cut(origin or "", _ORIGIN), "$foreground 65%"),
    )


def described(row: ArgumentRow, draft: Draft) -> str:
    """Where the chosen argument is declared, and what it is when nothing is set here."""
    words: list[str] = []
    if draft.value(row)[1]:
        before = "not set" if row.before is None else plain(row.before) or '""'
        words.append(f"otherwise {before}" + (f" ({row.before_origin})" if row.before_origin else ""))
    if not row.line:
        return " · ".join(["no ARG of that name in the Dockerfile", *words])
    stages = [f"stage {plain(stage)}" if stage else "before the first FROM" for stage in row.stages]
    words.append(f"{plain(row.file)}:{row.line}, {', '.join(stages)}")
    if row.secret:
        words.append("looks secret: never stored, gone when hitmiss ends")
    return " · ".join(words)


def cost_words(cost: Cost | None, draft: Draft, *, waiting: bool) -> str:
    """What a build with these values will do: `◇ 4 steps will run, ~41 s · 5 hit`."""
    if cost is None:
        return "Looking what that costs …" if waiting else "Change a value to see what it will cost."
    if cost.problem:
        return f"✖ {plain(cost.problem)}"
    if not draft.changes():
        return "Change a value to see what it will cost."
    words: list[str] = []
    run = sum(not step.depends for step in cost.steps)
    if run:
        time = about(cost.seconds) if cost.seconds is not None else "how long is not known yet"
        words.append(f"{PLANS[Planned.RUN].glyph} {run} step{'s' if run > 1 else ''} will run, {time}")
    else:
        words.append(f"{PLANS[Planned.HIT].glyph} No step is sure to run")
    if not cost.steps:
        words = [f"{PLANS[Planned.HIT].glyph} All steps hit, nothing will run"]
    if depends := len(cost.steps) - run:
        words.append(f"{depends} depend{'s' if depends == 1 else ''} on what they write")
    if cost.hits and cost.steps:
        words.append(f"{cost.hits} hit")
    if cost.after:
        words.append(f"then {', '.join(map(plain, cost.after))}")
    if cost.fetched:
        words.append(f"{', '.join(map(plain, cost.fetched))} is fetched first")
    return " · ".join(words)


def cost_steps(cost: Cost | None) -> Iterator[tuple[Planned, tuple[str, str]]]:
    """The steps that will run or depend: how, their text and their time."""
    if cost is None:
        return
    several = len(cost.targets) > 1
    for step in cost.steps[:_MOST]:
        text = f"{plain(step.target)}  {plain(step.instruction)}" if several else plain(step.instruction)
        time = about(step.expected_s) if step.expected_s is not None else ""
        yield (Planned.DEPENDS if step.depends else Planned.RUN), (text, time)
    if len(cost.steps) > _MOST:
        yield Planned.RUN, (f"{len(cost.steps) - _MOST} more", "")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
