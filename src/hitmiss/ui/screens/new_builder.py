"""The dialog for a new builder: its driver, its name, and where a remote one listens. It makes nothing itself."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from hitmiss.docker.fleet import CONTAINER, DRIVERS, KUBERNETES, REMOTE, Wanted
from hitmiss.symbols import plain
from hitmiss.ui.screens.choices import Choice

_MEANS = {
    CONTAINER: "BuildKit in a container on this engine: exports caches, builds several platforms.",
    REMOTE: "A BuildKit that runs elsewhere and listens on an address.",
    KUBERNETES: "BuildKit in pods of the cluster that kubectl talks to.",
}


class NewBuilderScreen(ModalScreen[Wanted | None]):
    """Gives the builder to make, or None."""

    CSS_PATH = "new_builder.tcss"
    AUTO_FOCUS = "#name"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, taken: Collection[str] = ()) -> None:
        super().__init__()
        self._taken = frozenset(taken)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("New builder")
            dialog.border_subtitle = Content("enter makes it · esc closes")
            with Horizontal(classes="row"):
                yield Label("Driver    ")
                yield Choice(DRIVERS, id="driver")
            with Horizontal(classes="row"):
                yield Label("Name      ")
                yield Input(placeholder="such as big", compact=True, id="name")
            with Horizontal(classes="row", id="where"):
                yield Label("Endpoint  ")
                yield Input(placeholder="tcp://HOST:1234", compact=True, id="endpoint")
            yield Static(id="note", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Make it", id="make", variant="primary", compact=True)
                yield Button("Close", id="close", compact=True)

    def on_mount(self) -> None:
        self._driver_changed()

    @property
    def wanted(self) -> Wanted:
        """What the inputs say."""
        driver = DRIVERS[self.query_one("#driver", Choice).index]
        endpoint = self.query_one("#endpoint", Input).value.strip() if driver == REMOTE else ""
        return Wanted(self.query_one("#name", Input).value.strip(), driver, endpoint)

    @on(Choice.Changed)
    def _driver_changed(self) -> None:
        driver = self.wanted.driver
        self.query_one("#where").display = driver == REMOTE
        self._note(_MEANS[driver])

    @on(Input.Changed)
    def _typed(self) -> None:
        self._note(_MEANS[self.wanted.driver])

    @on(Button.Pressed, "#make")
    @on(Input.Submitted)
    def _entered(self) -> None:
        wanted = self.wanted
        if wrong := wrong_with(wanted, self._taken):
            self._note(wrong, error=True)
            self.set_focus(self.query_one("#endpoint" if "endpoint" in wrong else "#name", Input))
        else:
            self.dismiss(wanted)

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        """Close without a builder."""
        self.dismiss(None)

    def _note(self, text: str, *, error: bool = False) -> None:
        note = self.query_one("#note", Static)
        note.set_class(error, "-error")
        note.update(Content(f"✖ {plain(text)}" if error else text))


def wrong_with(wanted: Wanted, taken: Collection[str]) -> str:
    """Why such a builder cannot be made, in one sentence; "" where nothing is known against it.

    What a name may be is buildx's rule (docker/buildx, `store.ValidateName`).
    """
    if not wanted.name:
        return "Give it a name."
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9._-]*", wanted.name):
        return "A name starts with a letter and has letters, digits and . _ - only."
    if wanted.name in taken:
        return f"There is a builder called {wanted.name} already."
    if wanted.driver == REMOTE and not re.match(r"[a-z][a-z0-9+-]*://.", wanted.endpoint):
        return "A remote builder needs an endpoint, such as tcp://HOST:1234."
    return ""
