"""The dialog that prunes the build cache: what would go, how much, and only then the deed.

It asks two callables and shows what they say; it knows no engine.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from time import monotonic
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.validation import Function
from textual.widgets import Button, Input, Label, Static

from hitmiss.docker.storage import CacheRecord, Preview, Pruned, PruneFilter
from hitmiss.errors import HitmissError
from hitmiss.symbols import plain, size
from hitmiss.ui.screens.choices import Choice, Tick

_AGES: tuple[tuple[str, float | None], ...] = (
    ("any", None),
    ("1 h", 1.0),
    ("24 h", 24.0),
    ("7 d", 168.0),
    ("30 d", 720.0),
)
_DEBOUNCE_S = 0.2
"""How long the filters must rest before the cache is asked again, in seconds."""
_DOUBLE_S = 0.4
"""A second press sooner than this belongs to the same double click and is no answer; in seconds."""
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPIN_S = 0.1
_ROWS = 200
"""The most records that are listed; the rest is counted."""

_TYPES = {
    "regular": "step",
    "exec.cachemount": "cache mount",
    "source.local": "context",
    "source.git.checkout": "git source",
    "frontend": "frontend",
    "internal": "internal",
}


class Stage(Enum):
    """How far the dialog has come."""

    LOOKING = auto()
    """The filters changed; what they reach is being asked for."""
    READY = auto()
    SURE = auto()
    """The first press was made; the second deletes."""
    DELETING = auto()
    STUCK = auto()
    """There is nothing to delete, or no answer."""


def parse_keep(text: str) -> int | None:
    """The bytes to keep: gigabytes (10⁹) as a person writes them; None for nothing. Raises `ValueError`."""
    text = text.strip().replace(",", ".")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,6}(\.\d*)?|\.\d+", text):
        raise ValueError(text)
    return round(float(text) * 10**9) or None


def _is_keep(text: str) -> bool:
    try:
        parse_keep(text)
    except ValueError:
        return False
    return True


def what(record: CacheRecord) -> str:
    """A record's description in fewer words: BuildKit's `mount / from exec /bin/sh -c make` is the step `RUN make`."""
    text = plain(record.description)
    if found := re.match(r"mount / from exec (?:/bin/sh -c )?(.*)", text):
        return f"RUN {found[1]}"
    if found := re.match(r"cached mount (\S+) from exec (?:/bin/sh -c )?(.*?)(?: with id \"(.*)\")?$", text):
        return f"{found[1]}  RUN {found[2]}"
    return text or "layer of an image"


class PruneScreen(ModalScreen[Pruned | None]):
    """Asks what to prune. Gives what was freed in all, or None when nothing was deleted."""

    CSS_PATH = "prune.tcss"
    AUTO_FOCUS = "#age"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "scroll(1)", "Down", show=False),
        Binding("up", "scroll(-1)", "Up", show=False),
    ]

    def __init__(
        self,
        preview: Callable[[PruneFilter], Awaitable[Preview]],
        prune: Callable[[PruneFilter], Awaitable[Pruned]],
        *,
        builder: str = "",
    ) -> None:
        super().__init__()
        self._ask_preview = preview
        self._ask_prune = prune
        self._builder = builder
        self._stage = Stage.LOOKING
        self._seen: Preview | None = None
        self._done: Pruned | None = None
        self._said = ""
        self._error = ""
        self._rest: Timer | None = None
        self._frame = 0
        self._asked = 0.0

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("Prune the build cache")
            dialog.border_subtitle = Content(f"{plain(self._builder)} · esc closes" if self._builder else "esc closes")
            with Horizontal(classes="filters"):
                yield Label("Unused since ")
                yield Choice([word for word, _ in _AGES], id="age")
            with Horizontal(classes="filters"):
                yield Tick("cache mounts only", id="mounts")
                yield Tick("shared with images too", id="all")
            with Horizontal(classes="filters"):
                yield Label("Keep ")
                yield Input(
                    placeholder="0",
                    max_length=8,
                    validators=[Function(_is_keep)],
                    valid_empty=True,
                    compact=True,
                    id="keep",
                )
                yield Label(" GB")
            yield Static(id="summary", markup=False)
            with VerticalScroll(id="records"):
                yield Static(id="table", markup=False)
            yield Static(id="note", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Looking …", id="delete", variant="warning", disabled=True, compact=True)
                yield Button("Close", id="close", compact=True)

    def on_mount(self) -> None:
        self.set_interval(_SPIN_S, self._spin)
        self._show()
        self._look()

    @property
    def wanted(self) -> PruneFilter | None:
        """What the inputs ask for; None while the size to keep is not a size."""
        keep = self.query_one("#keep", Input).value
        if not _is_keep(keep):
            return None
        return PruneFilter(
            unused_since=_AGES[self.query_one("#age", Choice).index][1],
            cache_mounts_only=self.query_one("#mounts", Tick).value,
            keep_bytes=parse_keep(keep),
            all=self.query_one("#all", Tick).value,
        )

    # What people do

    @on(Choice.Changed)
    @on(Tick.Changed)
    @on(Input.Changed)
    def _filters_changed(self) -> None:
        if self._stage is Stage.DELETING:
            return
        self.workers.cancel_group(self, "preview")
        if self._rest:
            self._rest.stop()
        self._said = self._error = ""
        self._stage = Stage.LOOKING
        if self.wanted is None:
            self._stage, self._error = Stage.STUCK, "Keep how many GB? A number such as 5 or 0.5."
        else:
            self._rest = self.set_timer(_DEBOUNCE_S, self._look)
        self._show()

    @on(Button.Pressed, "#delete")
    def _delete_pressed(self) -> None:
        if self._stage is Stage.READY:
            self._stage, self._asked = Stage.SURE, monotonic()
            self._show()
        elif self._stage is Stage.SURE and self.wanted and monotonic() - self._asked > _DOUBLE_S:
            self._stage = Stage.DELETING
            self._show()
            self._delete(self.wanted)

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        """Close the dialog. A prune that runs is stopped: what is gone is gone."""
        self.dismiss(self._done)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one("#delete", Button).focus()

    def action_scroll(self, by: int) -> None:
        """Scroll the records, wherever the focus is."""
        self.query_one("#records").scroll_relative(y=by, animate=False)

    # What is asked

    @work(exclusive=True, group="preview", exit_on_error=False)
    async def _look(self) -> None:
        wanted = self.wanted
        if wanted is None:
            return
        try:
            self._seen = await self._ask_preview(wanted)
            self._stage = Stage.READY if self._seen.records else Stage.STUCK
        except (HitmissError, OSError) as error:
            self._stage, self._error = Stage.STUCK, str(error)
        self._show()

    @work(exclusive=True, group="prune", exit_on_error=False)
    async def _delete(self, wanted: PruneFilter) -> None:
        try:
            pruned = await self._ask_prune(wanted)
        except (HitmissError, OSError) as error:
            self._stage, self._error = Stage.STUCK, str(error)
            self._show()
            return
        before = self._done or Pruned()
        self._done = Pruned(before.freed + pruned.freed, before.count + pruned.count)
        self._said = f"Freed {size(pruned.freed)}: {_counted(pruned.count)} gone."
        self._stage = Stage.LOOKING
        self._show()
        self._look()
        self.query_one("#close", Button).focus()

    # What is shown

    def _show(self) -> None:
        """Bring everything below the filters in line with the state."""
        seen = self._seen or Preview()
        self._show_summary()
        self.query_one("#table", Static).update(_table(seen.records))
        self.query_one("#note", Static).update("" if self._error else _note(seen, self.wanted))
        button = self.query_one("#delete", Button)
        about = "" if seen.exact else "about "
        button.label = {
            Stage.LOOKING: "Looking …",
            Stage.READY: f"Delete {about}{size(seen.size)} of build cache",
            Stage.SURE: f"Yes, delete {about}{size(seen.size)}",
            Stage.DELETING: "Deleting …",
            Stage.STUCK: "Delete" if self._error else "Nothing to delete",
        }[self._stage]
        button.variant = "error" if self._stage is Stage.SURE else "warning"
        button.refresh(layout=True)
        button.disabled = self._stage not in (Stage.READY, Stage.SURE)
        for each in self.query("Choice, Tick, Input"):
            each.disabled = self._stage is Stage.DELETING

    def _show_summary(self) -> None:
        summary = self.query_one("#summary", Static)
        summary.set_class(bool(self._error), "-error")
        summary.set_class(bool(self._said) and not self._error, "-done")
        if self._error:
            summary.update(Content(f"✖ {plain(self._error)}"))
            return
        busy = self._stage in (Stage.LOOKING, Stage.DELETING)
        mark = _SPINNER[self._frame % len(_SPINNER)] if busy else "●" if self._said else "◆" if self._sure else "○"
        words = _summary(self._seen)
        if self._said:
            words = self._said if busy or not self._seen else f"{self._said} {_have(self._seen)} left."
        if self._stage is Stage.DELETING:
            words = "Deleting; escape stops it …"
        elif self._sure:
            words = "Sure? Press once more to delete, or escape to keep all of it."
        summary.update(Content(f"{mark} {words}"))

    @property
    def _sure(self) -> bool:
        return self._stage is Stage.SURE

    def _spin(self) -> None:
        if self._stage in (Stage.LOOKING, Stage.DELETING):
            self._frame += 1
            self._show_summary()


def _counted(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def _summary(seen: Preview | None) -> str:
    if seen is None:
        return "Looking at the build cache …"
    if not seen.total_count:
        return "The build cache is empty."
    if not seen.records:
        return f"Nothing would go of {_have(seen)}."
    about = "" if seen.exact else "About "
    return f"{about}{size(seen.size)} in {_counted(len(seen.records))} would go, of {_have(seen)}."


def _have(seen: Preview) -> str:
    return f"{size(seen.total)} in {_counted(seen.total_count)}"


def _note(seen: Preview, wanted: PruneFilter | None) -> str:
    """What has to be known of the figures, in one or two sentences."""
    notes: list[str] = []
    if seen.shared:
        notes.append(f"Images share {size(seen.shared)} of it; what an image still needs stays on the disk.")
    if wanted and wanted.keep_bytes and not seen.records and seen.total_count:
        notes.append(f"{size(seen.private)} count for the size to keep; what images share does not.")
    elif not seen.exact:
        keep = wanted is not None and wanted.keep_bytes
        notes.append("BuildKit decides which go, the least used first." if keep else "Ages are known in words only.")
    if not notes and seen.records:
        notes.append("Steps that need what goes will run again.")
    return " ".join(notes)


def _table(records: tuple[CacheRecord, ...]) -> Table:
    """The largest records, one a line, cut off at the width there is."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(justify="right", no_wrap=True, width=8)
    table.add_column(no_wrap=True, width=11)
    table.add_column(no_wrap=True, width=14, style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for record in records[:_ROWS]:
        kind = Text(plain(_TYPES.get(record.type, record.type)))
        if record.type == "exec.cachemount":
            kind.stylize("bold")
        used = plain(record.last_used).replace("Less than a second", "1 second")
        table.add_row(Text(size(record.size), style="bold"), kind, Text(used), Text(what(record)))
    if len(records) > _ROWS:
        rest = records[_ROWS:]
        table.add_row(
            Text(size(sum(record.size for record in rest))), Text(""), Text(""), Text(f"in {_counted(len(rest))} more")
        )
    return table
