"""Keys in the order in which they are typed: each goes to what has the focus when the one before it is through.

Textual hands every key on at once. One that comes while the one before it is still on its way, as over a slow line,
goes to what had the focus before: of `/npm` the letters would be keys of the screen, not what is searched. It knows no
widget of hitmiss.
"""

from __future__ import annotations

import time
from collections import deque

from textual.app import App
from textual.events import Event, Key
from textual.message_pump import MessagePump

_STUCK_S = 1.0
"""A key that is on its way for longer, in a widget that is busy or gone, holds up no other."""


class InTurn(App[int]):
    """An app whose keys do not overtake what they do."""

    _typed: deque[Key] | None = None
    """The key that is on its way, and those that wait for it."""
    _since = 0.0

    async def on_event(self, event: Event) -> None:
        """As Textual does it, but one key after the other."""
        if not isinstance(event, Key) or event.is_forwarded:
            await super().on_event(event)
            return
        if self._typed and time.monotonic() - self._since < _STUCK_S:
            self._typed.append(event)
            return
        waiting = list(self._typed or ())[1:]
        self._typed = deque([*waiting, event])
        await self._hand_on()

    async def _hand_on(self) -> None:
        """The next key goes on its way; what follows it through the same queues tells when it is through."""
        assert self._typed
        key = self._typed[0]
        self._since = time.monotonic()
        screen = self.screen
        target = self.focused or screen
        await super().on_event(key)
        self._trail(target, key, screen)

    def _trail(self, node: MessagePump | None, key: Key, screen: MessagePump) -> None:
        """What a widget does with a key it does when it comes to it; what it leaves goes to the one around it."""
        if node is None or node is self or not node.call_later(self._trail, node._parent, key, screen):
            self.call_later(self._through, key, screen)

    async def _through(self, key: Key, screen: MessagePump) -> None:
        if self.screen is not screen:  # it has opened another one, which has to be there first
            self._trail(self.screen, key, self.screen)
        elif self._typed and self._typed[0] is key:
            self._typed.popleft()
            if self._typed:
                await self._hand_on()
