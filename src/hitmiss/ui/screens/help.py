"""Help: the keys that matter, and what the glyphs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.screen import ModalScreen


@dataclass(frozen=True, slots=True)
class HelpKey:
    """A key (or keys), the action's title and what it does."""

    keys: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class HelpGroup:
    """Keys that belong together."""

    title: str
    keys: tuple[HelpKey, ...]


@dataclass(frozen=True, slots=True)
class Glyph:
    """A glyph of the screen, its word, what it means, and the style to draw it in (a Textual colour or variable)."""

    glyph: str
    word: str
    meaning: str
    style: str = ""


class HelpScreen(ModalScreen[None]):
    """Shows keys and glyphs; escape closes it."""

    def __init__(self, groups: Sequence[HelpGroup], glyphs: Sequence[Glyph] = ()) -> None:
        super().__init__()
        self._groups = tuple(groups)
        self._glyphs = tuple(glyphs)
