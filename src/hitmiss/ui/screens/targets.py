"""The list of targets: type to filter, enter to choose."""

from __future__ import annotations

from collections.abc import Sequence

from textual.screen import ModalScreen

from hitmiss.docker.targets import Target


class TargetScreen(ModalScreen[str | None]):
    """Gives the name of the chosen target, or None."""

    def __init__(self, targets: Sequence[Target], current: str = "") -> None:
        super().__init__()
        self._targets = tuple(targets)
        self._current = current
