"""The right-hand panels, one shown at a time; their names stand on the border, so tabs cost no line."""

from __future__ import annotations

from textual.widgets import ContentSwitcher


class Panels(ContentSwitcher):
    """Switches between panels by their ids; a click on a name in the border shows that panel."""

    TITLES = (
        ("why", "Why"),
        ("log", "Log"),
        ("dockerfile", "Dockerfile"),
        ("files", "Files"),
        ("image", "Image"),
        ("history", "History"),
    )
    _BETWEEN = ((54, " │ "), (49, "  "), (0, " "))
    """What stands between the names, by the columns that a panel must have for it."""
    _SHORT = (44, "Dockerfile", "Source")
    """Panels of fewer columns have a shorter name for one."""

    chosen = ""
    """The panel that the user asked for last; "" while that was left to the screen."""

    def on_mount(self) -> None:
        self.call_next(self._write_title)  # the base class sets the first panel after this

    def watch_current(self, old: str | None, new: str | None) -> None:
        super().watch_current(old, new)
        self._write_title()

    def _write_title(self) -> None:
        width, long, short = self._SHORT
        names = []
        for panel, title in self.TITLES:
            style = "bold $foreground underline" if panel == self.current else "$dim"
            name = short if title == long and self.outer_size.width < width else title
            names.append(f"[{style} @click=app.act('{panel}')]{name}[/]")
        between = next(text for room, text in self._BETWEEN if self.outer_size.width >= room)
        self.border_title = between.join(names)

    def on_resize(self) -> None:
        """The names fit in the border."""
        self._write_title()
