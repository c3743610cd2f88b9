"""The editor of build arguments: each with its value and where that comes from, and what a change will cost.

It is given rows and one question to ask, and gives changes back; it knows no session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
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
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from hitmiss.errors import HitmissError
from hitmiss.snapshot import ArgumentRow, Changes, Cost
from hitmiss.symbols import PLANS, plain
from hitmiss.ui.screens.argument_words import Draft, cost_steps, cost_words, described, line

_DEBOUNCE_S = 0.2
"""How long the keys must rest before it is asked what it costs, in seconds."""

Ask = Callable[[Changes], Awaitable[Cost]]


class ArgumentScreen(ModalScreen[Changes | None]):
    """Gives the changes that were confirmed, or None where nothing is to change."""

    CSS_PATH = "arguments.tcss"
    AUTO_FOCUS = "#value"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("tab", "next_field(1)", "Next", show=False),
        Binding("shift+tab", "next_field(-1)", "Before", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("ctrl+r", "take_back", "Take back", show=False),
        Binding("ctrl+l", "clear", "Clear all", show=False),
    ]

    def __init__(self, rows: Sequence[ArgumentRow], ask: Ask) -> None:
        super().__init__()
        self._rows = tuple(row for row in rows if not row.automatic)
        self._automatic = tuple(dict.fromkeys(row.name for row in rows if row.automatic))
        self._ask = ask
        self._draft = Draft(self._rows)
        self._at = 0
        self._cost: Cost | None = None
        self._waiting = False
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("Build arguments")
            dialog.border_subtitle = Content("enter builds · ^r takes back · ^l clears all · esc closes")
            yield OptionList(id="arguments", compact=True, markup=False)
            with Horizontal(id="edit"):
                yield Label(id="name", markup=False)
                yield Input(compact=True, id="value")
            yield Static(id="about", markup=False)
            yield Static(id="cost", markup=False)
            with VerticalScroll(id="steps", can_focus=False):
                yield Static(id="table", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Build with these", id="build", variant="primary", disabled=True, compact=True)
                yield Button("Clear all", id="clear", compact=True)
                yield Button("Close", id="close", compact=True)

    def on_mount(self) -> None:
        self.query_one(OptionList).can_focus = False
        self._go(0)

    def on_resize(self) -> None:
        """The columns are as wide as there is room for."""
        self.call_after_refresh(self._list)

    # What the user does

    def action_move(self, by: int) -> None:
        """Go to another argument, while the input keeps the focus."""
        if self._rows:
            self._go(max(0, min(len(self._rows) - 1, self._at + by)))

    def action_next_field(self, by: int) -> None:
        """As in a form: on to the next argument, and after the last (before the first) to the buttons."""
        if self.focused is self.query_one("#value", Input) and 0 <= self._at + by < len(self._rows):
            self._go(self._at + by)
        elif by > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_take_back(self) -> None:
        """What was set of the chosen argument here counts no more."""
        if self._rows:
            self._draft.take_back(self._row)
            self._go(self._at)
            self._changed()

    @on(Button.Pressed, "#clear")
    def action_clear(self) -> None:
        """Nothing that was set here counts any more."""
        self._draft.clear()
        self._go(self._at)
        self._changed()
        self.set_focus(self.query_one("#value", Input))

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        """Close; all stays as it was."""
        self.dismiss(None)

    @on(Input.Submitted)
    @on(Button.Pressed, "#build")
    def _confirmed(self) -> None:
        changes = self._draft.changes()
        if not (changes and self._cost and self._cost.refused):
            self.dismiss(changes or None)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if self._rows:
            self._draft.write(self._row, event.value)
            self._changed()

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if event.option_id:
            self._go(int(event.option_id))
        self.set_focus(self.query_one("#value", Input))

    # What it costs

    def _changed(self) -> None:
        """Another value: say so in the list, and ask what it costs when the keys rest."""
        self.workers.cancel_group(self, "cost")
        if self._rest:
            self._rest.stop()
        self._cost, self._waiting = None, bool(self._draft.changes())
        if self._waiting:
            self._rest = self.set_timer(_DEBOUNCE_S, self._look)
        self._list()
        self._show_cost()

    @work(exclusive=True, group="cost", exit_on_error=False)
    async def _look(self) -> None:
        try:
            self._cost = await self._ask(self._draft.changes())
        except (HitmissError, OSError) as error:
            self._cost = Cost(problem=str(error))
        self._waiting = False
        self._show_cost()

    # What is shown

    @property
    def _row(self) -> ArgumentRow:
        return self._rows[self._at]

    def _go(self, at: int) -> None:
        """Choose an argument: its value goes into the input."""
        self._at = at
        field = self.query_one("#value", Input)
        field.disabled = not self._rows
        if self._rows:
            row = self._row
            with self.prevent(Input.Changed):
                field.password = row.secret
                field.value = self._draft.text(row)
            field.placeholder = "a new value" if row.secret else "not set" if row.before is None else "empty"
            field.cursor_position = len(field.value)
            self.query_one("#name", Label).update(f"{plain(row.name)} ")
        self._list()
        self._show_cost()

    def _list(self) -> None:
        listed = self.query_one(OptionList)
        width = max(40, listed.size.width or 76)
        several = len({row.target for row in self._rows}) > 1
        options: list[Option] = []
        highlighted: int | None = None
        for at, row in enumerate(self._rows):
            if several and (at == 0 or self._rows[at - 1].target != row.target):
                options.append(Option(Content(plain(row.target)).stylize("bold $primary"), disabled=True))
            if at == self._at:
                highlighted = len(options)
            options.append(Option(line(row, self._draft, self._names, width, indent=2 * several), id=str(at)))
        if self._automatic:
            words = f"set by BuildKit itself: {', '.join(map(plain, self._automatic))}"
            options.append(Option(Content(words).stylize("$foreground 50%"), disabled=True))
        if not self._rows:
            options.insert(0, Option(Content("The Dockerfile has no ARG to set."), disabled=True))
        listed.set_options(options)
        listed.highlighted = highlighted
        listed.scroll_to_highlight()
        self.query_one("#about", Static).update(described(self._row, self._draft) if self._rows else "")
        self.query_one("#clear", Button).disabled = not self._draft.clearable
        self.query_one("#build", Button).disabled = not self._draft.changes()

    @property
    def _names(self) -> int:
        return min(30, max((len(plain(row.name)) for row in self._rows), default=0))

    def _show_cost(self) -> None:
        words = self.query_one("#cost", Static)
        problem = self._cost is not None and bool(self._cost.problem)
        words.set_class(problem, "-error")
        words.set_class(self._cost is None, "-quiet")
        words.update(Content(cost_words(self._cost, self._draft, waiting=self._waiting)))
        self.query_one("#table", Static).update(self._table())

    def _table(self) -> Table:
        """The steps that will run, one a line."""
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(no_wrap=True, width=1)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(justify="right", no_wrap=True)
        for step, words in cost_steps(self._cost):
            symbol = PLANS[step]
            colour = self.app.theme_variables.get(symbol.colour, "")
            table.add_row(Text(symbol.glyph, colour), Text(words[0]), Text(words[1], "dim"))
        return table
