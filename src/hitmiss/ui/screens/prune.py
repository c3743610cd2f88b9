"""The dialog that prunes the build cache: what would go, how much, and only then the deed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual.screen import ModalScreen

from hitmiss.docker.storage import Preview, Pruned, PruneFilter


class PruneScreen(ModalScreen[Pruned | None]):
    """Asks what to prune. Gives what was freed, or None when nothing was deleted."""

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
