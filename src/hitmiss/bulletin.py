"""What a session has to say: one message about what happened last, and notices that stand for as long as they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Bulletin:
    """One message, and notices under keys."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.message = ""
        self._notices: dict[str, tuple[str, ...]] = {}
        self._on_change = on_change

    def say(self, text: str) -> None:
        """Let this be the message."""
        self.message = text
        self._on_change()

    def notice(self, key: str, text: str) -> None:
        """Let this stand under a key; "" when it no longer holds."""
        self.tell(key, [text] if text else ())

    def tell(self, key: str, texts: Iterable[str]) -> None:
        """Let these stand under a key; none when they no longer hold."""
        self._notices[key] = tuple(texts)
        self._on_change()

    def stands(self, key: str) -> bool:
        """Whether there is a notice under a key."""
        return bool(self._notices.get(key))

    def notices(self) -> tuple[str, ...]:
        """All notices; that the files which say what is built cannot be read comes first."""
        keys = sorted(self._notices, key=lambda key: key != "files")
        return tuple(text for key in keys for text in self._notices[key])
