"""What a person would read on the screen of a Textual app, and waiting for it."""

from __future__ import annotations

import html
import re
from typing import Any

from textual.app import App
from textual.events import Key
from textual.pilot import Pilot
from textual.widget import Widget

from hitmiss.ui import theme
from tests.support.wait import wait_for_async


class Host(App[Any]):
    """An app with hitmiss's themes and nothing on it, to push a screen onto; `given` are the screen's answers."""

    def __init__(self, theme_name: str = theme.DARK.name) -> None:
        super().__init__()
        self.given: list[Any] = []
        self._wanted_theme = theme_name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theme.FALLBACK

    def on_mount(self) -> None:
        self.register_theme(theme.DARK)
        self.register_theme(theme.LIGHT)
        self.theme = self._wanted_theme


def shown(app: App[Any]) -> str:
    """The screen's text, line by line."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for attributes, text in re.findall(r"<text ([^>]*)>([^<]*)</text>", app.export_screenshot()):
        x, y = (float(re.search(rf'\b{name}="([\d.]+)"', attributes)[1]) for name in "xy")  # type: ignore[index]
        lines.setdefault(y, []).append((x, html.unescape(text).replace("\xa0", " ")))
    return "\n".join("".join(text for _, text in sorted(parts)) for _, parts in sorted(lines.items()))


async def sees(pilot: Pilot[Any], *texts: str) -> None:
    """Wait until all of these texts are on the screen."""

    def there() -> bool:
        return all(text in shown(pilot.app) for text in texts)

    try:
        await wait_for_async(there, 40, f"{texts!r} on the screen")
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{shown(pilot.app)}") from None


def all_inside(app: App[Any], *selectors: str) -> bool:
    """Whether these widgets lie wholly on the screen."""
    return all(app.screen.region.contains_region(app.screen.query_one(each).region) for each in selectors)


def type_at_once(app: App[Any], *keys: str) -> None:
    """Press keys without waiting for what they do, as they come over a slow line."""
    characters = {"slash": "/"}
    for key in keys:
        app.post_message(Key(key, characters.get(key) or (key if len(key) == 1 else None)))


async def scroll(widget: Widget, y: int) -> None:
    """Scroll a widget down to this row, once its lines have been laid out: before that it cannot be scrolled."""
    await wait_for_async(lambda: widget.show_vertical_scrollbar and widget.max_scroll_y >= y, 10, "enough to scroll")
    widget.scroll_to(y=y, animate=False)
    await wait_for_async(lambda: widget.scroll_y == y, 10, "it to be scrolled")
