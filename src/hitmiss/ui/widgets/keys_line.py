"""The keys at the bottom of the screen: Textual's footer, which lets go of what it no longer shows."""

from __future__ import annotations

from textual.widgets import Footer


class KeysLine(Footer):
    """A footer that can be drawn anew all day.

    Each key is bound to the footer's `compact`, and the footer keeps whatever was bound to it until that one changes
    (`textual.reactive`, `_check_watchers`): 50 widgets for each build, as the keys change when one begins and ends.
    """

    async def recompose(self) -> None:
        """Make the keys that there are now."""
        await super().recompose()
        self.mutate_reactive(Footer.compact)
