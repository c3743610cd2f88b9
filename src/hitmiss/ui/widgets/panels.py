"""The right-hand panels, one shown at a time; their names stand on the border, so tabs cost no line."""

from __future__ import annotations

from textual.widgets import ContentSwitcher


class Panels(ContentSwitcher):
    """Switches between panels by their ids; a click on a name in the border shows that panel."""

    TITLES = (("log", "Log"), ("dockerfile", "Dockerfile"))

    def on_mount(self) -> None:
        self.call_next(self._write_title)  # the base class sets the first panel after this

    def watch_current(self, old: str | None, new: str | None) -> None:
        super().watch_current(old, new)
        self._write_title()

    def _write_title(self) -> None:
        names = []
        for panel, title in self.TITLES:
            style = "bold $foreground underline" if panel == self.current else "$dim"
            names.append(f"[{style} @click=app.act('{panel}')]{title}[/]")
        self.border_title = " │ ".join(names)
