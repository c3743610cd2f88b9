"""The tree of stages and steps: one line each, drawn only when it is on the screen and only anew when it changed.

It shows the build that it is given; which step is looked at is the only state of its own.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from hitmiss.build.model import Build, Planned, Stage, Step, Verdict
from hitmiss.symbols import ALARM, NOTES, OFF_PLAN, PLANS, SYMBOLS, about, plain, seconds, symbol_of
from hitmiss.ui.widgets.own_work import INTERNAL_STAGE, OWN, own_work

_WORD_WIDTH = max(len(symbol.word) for symbol in (*SYMBOLS.values(), *PLANS.values()))
_SHORTEST_TIME = 7
_WORDY = 76
"""Views of so many columns have room to say that something was not planned."""
_FOLDED = (*(SYMBOLS[each] for each in (Verdict.HIT, Verdict.MISS, Verdict.RUNNING, Verdict.FAILED)), *PLANS.values())


class Row(NamedTuple):
    """A line of the tree: a stage's title, or one of its steps; or the title of a target, as a stage of all its steps.

    `depth` is how far it is moved to the right.
    """

    stage: Stage
    step: Step | None
    depth: int = 0

    @property
    def id(self) -> str:
        return self.step.id if self.step else f"stage {self.stage.id}"


class StepTree(ScrollView, can_focus=True):
    """Stages that fold, steps with shape, word, colour and time."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "steps--hit",
        "steps--miss",
        "steps--running",
        "steps--failed",
        "steps--dim",
        "steps--text",
        "steps--stage",
        "steps--warning",
        "steps--cursor",
        "steps--cursor-blurred",
    }
    DEFAULT_CSS = """
    StepTree {
        background: $background;
        overflow-x: hidden;
        & > .steps--hit { color: $hit; }
        & > .steps--miss { color: $miss; }
        & > .steps--running { color: $running; }
        & > .steps--failed { color: $failed; text-style: bold; }
        & > .steps--dim { color: $dim; }
        & > .steps--text { color: $foreground; }
        & > .steps--stage { color: $foreground; text-style: bold; }
        & > .steps--warning { color: $warning; text-style: bold; }
        & > .steps--cursor { background: $block-cursor-background; }
        & > .steps--cursor-blurred { background: $block-cursor-blurred-background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "edge(0)", "first", show=False),
        Binding("end,G", "edge(-1)", "last", show=False),
        Binding("left", "fold(True)", "fold the stage", show=False),
        Binding("right", "fold(False)", "unfold the stage", show=False),
        Binding("space", "turn", "fold or unfold", show=False),
        Binding("enter", "choose", "open", show=False),
    ]

    cursor: var[int] = var(0)

    class Selected(Message):
        """Another line is looked at; `by_user` tells a key or a click from the tree's own following."""

        def __init__(self, row: Row, *, by_user: bool) -> None:
            super().__init__()
            self.row = row
            self.by_user = by_user

    class Chosen(Message):
        """Enter or a second click on a step."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.user_chose = False
        """Whether the user has moved to the line that is looked at; known at once, before any message is handled."""
        self._build = Build()
        self._now = 0.0
        self._rows: list[Row] = []
        self._folded: set[str] = {INTERNAL_STAGE.id}
        self._time_width = _SHORTEST_TIME
        self._word_width = _WORD_WIDTH
        self._measured: dict[str, tuple[Step, bool, int, int]] = {}
        """Columns that word and time of a step take, by its id, for as long as nothing of it changes."""
        self._selected_id = ""
        self._notes: dict[str, str] = {}
        """What there is to say of targets, by the ids of their titles."""
        self._strips: dict[str, tuple[object, tuple[object, ...], Strip]] = {}
        self._styles: dict[str, Style] = {}

    def show(self, build: Build, now: float) -> None:
        """Show this build; the line that is looked at stays the same step wherever it has moved."""
        same_tree = build.stages is self._build.stages and build.internals is self._build.internals
        same_tree = same_tree and (build.written, build.text) == (self._build.written, self._build.text)
        same_rest = build.resting == self._build.resting
        self._build, self._now = build, now
        before = self._rows
        same_lines = same_tree or self._lay_out()
        if self._measure() or not same_lines or not same_rest:
            self.refresh()
            return
        top = self.scroll_offset.y
        for index in range(top, min(top + self.scrollable_content_region.height, len(self._rows))):
            row = self._rows[index]
            if row.step is not before[index].step or row.step is None or _moving(row):
                self.refresh_line(index)

    @property
    def selected(self) -> Row | None:
        """The line that is looked at."""
        return self._rows[self.cursor] if 0 <= self.cursor < len(self._rows) else None

    def select(self, step_id: str) -> None:
        """Look at a step, without the user having asked for it; unfolds its stage."""
        index = self._line_of(step_id)
        if index is None:
            stages = (*self._build.stages, *own_work(self._build))
            self._folded -= {stage.id for stage in stages if any(step.id == step_id for step in stage.steps)}
            self._lay_out()
            index = self._line_of(step_id)
        if index is not None and (index, step_id) != (self.cursor, self._selected_id):
            self._go(index, by_user=False)  # what was scrolled away from stays there

    def _line_of(self, step_id: str) -> int | None:
        return next((at for at, row in enumerate(self._rows) if row.step and row.step.id == step_id), None)

    def _measure(self) -> bool:
        """The columns of words and times are as wide as what they hold, so that instructions get all the room there is.

        Says whether a width has changed.
        """
        wordy = self.scrollable_content_region.width >= _WORDY
        steps = [row.step for row in self._rows if row.step]
        known, self._measured = self._measured, {}
        for step in steps:
            entry = known.get(step.id)
            if entry is None or entry[0] is not step or entry[1] != wordy or step.running_since is not None:
                pieces = _words(step, wordy)
                # A word that says more than the verdict keeps its distance from the time.
                words = sum(len(text) for text, _ in pieces) + (len(pieces) > 1)
                entry = (step, wordy, words, len(self._time(step)))
            self._measured[step.id] = entry
        words = max((entry[2] for entry in self._measured.values()), default=0)
        widest = max((entry[3] for entry in self._measured.values()), default=0)
        before = (self._time_width, self._word_width)
        if not _SHORTEST_TIME <= widest <= self._time_width or widest < self._time_width - 4:
            self._time_width = max(widest, _SHORTEST_TIME)
        self._word_width = max(words, _WORD_WIDTH)
        if before != (self._time_width, self._word_width):
            self._strips.clear()
            return True
        return False

    def _lay_out(self) -> bool:
        """Which lines there are now; keeps the cursor on the step it was on. Says whether they are the same lines."""
        stages = [*self._build.stages, *own_work(self._build)]
        rows: list[Row] = []
        for group in self._groups():
            if group:
                rows.append(Row(group, None))
                if group.id in self._folded:
                    continue
            depth = int(group is not None)
            target = group.bake_target if group else None
            for stage in (each for each in stages if target == (each.bake_target if self._build.parts else None)):
                rows.append(Row(stage, None, depth))
                if stage.id not in self._folded:
                    rows += [Row(stage, step, depth) for step in stage.steps]
        before, self._rows = self._rows, rows
        if len(rows) == len(before) and all(new.id == old.id for new, old in zip(rows, before, strict=True)):
            return True
        ids = {row.id: index for index, row in enumerate(rows)}
        if self._strips.keys() - ids.keys():
            self._strips = {key: value for key, value in self._strips.items() if key in ids}
        self.virtual_size = Size(self.scrollable_content_region.width, len(rows))
        self.cursor = ids.get(self._selected_id, min(self.cursor, max(len(rows) - 1, 0)))
        if not self._selected_id and len(rows) > 1:
            self.cursor = 1
        return False

    def _groups(self) -> list[Stage | None]:
        """The targets, where there are several; None stands for what is no target's."""
        groups = []
        self._notes = {f"target {part.name}": part.note for part in self._build.parts}
        for part in self._build.parts:
            steps = [step for stage in self._build.stages if stage.bake_target == part.name for step in stage.steps]
            groups.append(Stage(f"target {part.name}", part.name, None, tuple(steps), bake_target=part.name))
        return [*groups, None]

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[index]
        clock = round(self._now * 10) if _moving(row) else 0
        note = "" if row.step else self._notes.get(row.stage.id, "")
        resting = row.id in self._build.resting
        state = (width, clock, index == self.cursor and self.has_focus, index == self.cursor, row.depth, note, resting)
        thing: object = row.step or row.stage
        known = self._strips.get(row.id)
        if known and known[1] == state and (known[0] is thing or (note and known[0] == thing)):
            return known[2]
        base = self.rich_style
        if index == self.cursor:
            base += self._style("cursor" if self.has_focus else "cursor-blurred")
        segments = self._step(row.step, width - row.depth) if row.step else self._stage(row, note)
        if row.depth:
            segments.insert(0, (" " * row.depth, Style.null()))
        if resting:
            segments = [(text, self._style("dim")) for text, _ in segments]
        strip = Strip([Segment(text, base + style) for text, style in segments])
        strip = strip.adjust_cell_length(width, base)
        self._strips[row.id] = (thing, state, strip)
        return strip

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self.get_component_rich_style(f"steps--{name}", partial=True)
            self._styles[name] = style
        return style

    def notify_style_update(self) -> None:
        self._styles.clear()
        self._strips.clear()
        super().notify_style_update()

    def _stage(self, row: Row, note: str = "") -> list[tuple[str, Style]]:
        stage = row.stage
        folded = stage.id in self._folded
        own = stage.id in OWN
        group = stage.id in self._notes
        parts = [
            (" ▸ " if folded else " ▾ ", self._style("dim")),
            (plain(stage.title), self._style("dim" if own else "text" if row.depth else "stage")),
        ]
        if own and folded:
            busy = next((step for step in stage.steps if step.running_since is not None), None)
            if busy:
                parts.append((f"  {plain(busy.instruction)} {busy.activity}", self._style("running")))
        elif folded or group:
            shown = [symbol_of(step) for step in stage.steps]
            resting = bool(stage.steps) and stage.steps[-1].id in self._build.resting
            for symbol in _FOLDED:
                count = shown.count(symbol)
                if count:
                    parts.append((f"  {symbol.glyph} {count}", self._style("dim" if resting else symbol.colour)))
        return [*parts, (f"  {plain(note)}", self._style("dim"))] if note else parts

    def _step(self, step: Step, width: int) -> list[tuple[str, Style]]:
        symbol = symbol_of(step)
        colour, dim = self._style(symbol.colour), self._style("dim")
        time = self._time(step)
        columns: list[tuple[str, Style]] = []
        own = not step.stage
        if width >= 56 and not own:
            line = str(step.place.line) if step.place else ""
            columns.append((f"{line:>4}  ", dim))
        if width >= 36 and not own:
            words = _words(step, width >= _WORDY)
            columns += [(text, self._style(name)) for text, name in words[:-1]]
            last, name = words[-1]
            columns.append(
                (f"{last:<{self._word_width - sum(len(text) for text, _ in words[:-1])}}", self._style(name))
            )
        columns.append(
            (f"{time:>{self._time_width}} ", self._style("running") if step.verdict is Verdict.RUNNING else dim)
        )
        room = max(4, width - 5 - sum(cell_len(text) for text, _ in columns))
        keyword, _, rest = plain(step.instruction).partition(" ")
        loud = step.verdict in (Verdict.MISS, Verdict.RUNNING, Verdict.FAILED)
        quiet = step.verdict in (Verdict.SKIPPED, Verdict.INTERNAL)
        quiet = quiet or (step.verdict is Verdict.PENDING and step.planned is not Planned.RUN)
        keyword_style = dim if quiet else self._style("text") + Style(bold=loud)
        text = f"{keyword} {rest}"
        shown = set_cell_size(text if cell_len(text) <= room else _cut(text, room), room)
        return [
            (f"   {symbol.glyph} ", colour),
            (shown[: len(keyword)], keyword_style),
            (shown[len(keyword) :], self._style("text") if loud else dim),
            *columns,
        ]

    def _time(self, step: Step) -> str:
        usual = step.expected_s if step.expected_s is not None else step.last_s
        known = usual if usual is not None and usual >= 0.05 else None
        if step.verdict is Verdict.RUNNING or (step.verdict is Verdict.INTERNAL and step.running_since is not None):
            time = seconds(step.elapsed_s(self._now))
            return f"{time} │{seconds(known)}" if known and step.verdict is Verdict.RUNNING else time
        if step.verdict is Verdict.HIT:
            return f"saved {seconds(step.saved_s)}" if step.saved_s >= 0.05 else ""
        if step.verdict is Verdict.PENDING:
            return about(known) if known and step.planned is not Planned.HIT else ""
        return "" if step.verdict is Verdict.SKIPPED else seconds(step.duration_s)

    # Moving

    def watch_cursor(self, old: int, new: int) -> None:
        if self.selected:
            self._selected_id = self.selected.id
        self.refresh_line(old)
        self.refresh_line(new)

    def _go(self, index: int, *, by_user: bool = True) -> None:
        if not self._rows:
            return
        self.user_chose = self.user_chose or by_user
        self.cursor = max(0, min(index, len(self._rows) - 1))
        self._selected_id = self._rows[self.cursor].id
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
        self.post_message(self.Selected(self._rows[self.cursor], by_user=by_user))

    def action_move(self, by: int) -> None:
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self.cursor + by * max(1, self.scrollable_content_region.height - 1))

    def action_edge(self, index: int) -> None:
        self._go(index if index >= 0 else len(self._rows) + index)

    def action_fold(self, fold: bool) -> None:
        row = self.selected
        if row is None:
            return
        if fold:
            self._folded.add(row.stage.id)
        else:
            self._folded.discard(row.stage.id)
        self._selected_id = f"stage {row.stage.id}" if fold else row.id
        self._strips.pop(f"stage {row.stage.id}", None)
        self._lay_out()
        self._go(self.cursor)
        self.refresh()

    def action_turn(self) -> None:
        row = self.selected
        if row:
            self.action_fold(row.stage.id not in self._folded)

    def action_choose(self) -> None:
        row = self.selected
        if row and row.step:
            self.post_message(self.Chosen(row))
        elif row:
            self.action_turn()

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if not 0 <= index < len(self._rows):
            return
        self._go(index)
        if self._rows[index].step is None:
            self.action_turn()
        elif event.chain >= 2:
            self.action_choose()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self._measure()
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)


def _words(step: Step, wordy: bool) -> list[tuple[str, str]]:
    """What the word column says of a step, each piece with the name of its colour."""
    symbol = symbol_of(step)
    words = [(symbol.word, symbol.colour)]
    if step.verdict is Verdict.HIT and step.note:
        words.append((f" {NOTES[step.note]}", "dim"))
    if step.alarm:
        words.append((f" {ALARM}", "warning"))
    if step.plan_was_wrong:
        words.append((f" {OFF_PLAN} not planned" if wordy else f" {OFF_PLAN}", "warning"))
    return words


def _moving(row: Row) -> bool:
    if row.step:
        return row.step.running_since is not None
    return row.stage.id in OWN


def _cut(text: str, room: int) -> str:
    return set_cell_size(text, max(1, room - 2)) + "… "
