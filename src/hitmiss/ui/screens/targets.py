"""The list of targets: type to filter, enter to choose. It shows what it is given and asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import Matcher
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from hitmiss.docker.targets import Target
from hitmiss.symbols import plain

_NAME_WIDTH = 24
_NAMELESS = "(last stage)"
_FUZZY_LIMIT = 48
"""The longest name, in letters, that is matched letter by letter: the work grows steeply with the length."""


def rank(targets: Sequence[Target], query: str) -> tuple[Target, ...]:
    """The targets that match, the best first; all of them, in their order, when nothing was typed.

    A name matches by Textual's `Matcher`; below those come targets whose base or description holds the text.
    """
    query = query.strip()
    if not query:
        return tuple(targets)
    matcher = Matcher(query)
    scored = [(_score(target, matcher), target) for target in targets]
    return tuple(target for score, target in sorted(scored, key=lambda pair: -pair[0]) if score)


def _score(target: Target, matcher: Matcher) -> float:
    query, name = matcher.query.lower(), target.name.lower()
    if len(name) <= _FUZZY_LIMIT or query in name:
        score = matcher.match(target.name)
        if score:
            return 1 + score
    return 0.5 if query in f"{target.base} {target.file} {target.description}".lower() else 0.0


class TargetScreen(ModalScreen[str | None]):
    """Gives the name of the chosen target (empty: a last stage without a name), or None."""

    CSS_PATH = "targets.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
    ]

    def __init__(self, targets: Sequence[Target], current: str = "") -> None:
        super().__init__()
        self._targets = tuple(targets)
        self._current = current or next((target.name for target in targets if target.default), "")
        self._listed: tuple[Target, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("Build which target?")
            dialog.border_subtitle = Content("enter chooses · esc closes")
            yield Input(placeholder="type to filter", compact=True, id="filter")
            yield OptionList(id="targets", compact=True, markup=False)
            yield Static("No target is called like that.", id="none", markup=False)

    def on_mount(self) -> None:
        targets = self.query_one(OptionList)
        targets.can_focus = False
        self._list("")
        names = [target.name for target in self._listed]
        targets.highlighted = names.index(self._current) if self._current in names else 0

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._list(event.value)

    @on(Input.Submitted)
    def _entered(self) -> None:
        chosen = self.query_one(OptionList).highlighted
        if chosen is not None and self._listed:
            self.dismiss(self._listed[chosen].name)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._listed[event.option_index].name)

    def on_resize(self) -> None:
        """Keep the chosen line in sight."""
        self.call_after_refresh(self.query_one(OptionList).scroll_to_highlight)

    def action_move(self, by: int) -> None:
        """Move in the list, as far as it goes, while the input keeps the focus."""
        targets = self.query_one(OptionList)
        if self._listed:
            targets.highlighted = max(0, min(len(self._listed) - 1, (targets.highlighted or 0) + by))

    def action_close(self) -> None:
        """Close without a choice."""
        self.dismiss(None)

    def _list(self, query: str) -> None:
        self._listed = rank(self._targets, query)
        targets = self.query_one(OptionList)
        width = min(_NAME_WIDTH, max((len(plain(target.name) or _NAMELESS) for target in self._targets), default=0))
        targets.set_options(Option(self._line(target, query, width)) for target in self._listed)
        targets.highlighted = 0 if self._listed else None
        targets.display = bool(self._listed)
        none = self.query_one("#none", Static)
        none.display = not self._listed
        none.update("No target is called like that." if self._targets else "The Dockerfile has no targets.")

    def _line(self, target: Target, query: str, width: int) -> Content:
        """`▸ final  FROM base  default, current`, and the description below it where there is one."""
        current = target.name == self._current
        name = plain(target.name) or _NAMELESS
        shown = Content(name).stylize("bold")
        if query.strip() and len(name) <= _FUZZY_LIMIT:
            for offset in Matcher(query.strip()).fuzzy_search.match(query.strip(), name)[1]:
                shown = shown.stylize("$accent underline", offset, offset + 1)
        notes = [word for word, true in (("default", target.default), ("current", current)) if true]
        notes += [target.platform] if target.platform else []
        line = Content.assemble(
            ("▸ " if current else "  ", "bold $primary"),
            shown,
            " " * (max(0, width - len(name)) + 2),
            (plain(target.file) or (f"FROM {plain(target.base)}" if target.base else ""), "$foreground 65%"),
            (f"  {', '.join(notes)}" if notes else "", "$primary"),
        )
        if target.description:
            line += Content.assemble("\n    ", (plain(target.description), "$foreground 65% italic"))
        return line
