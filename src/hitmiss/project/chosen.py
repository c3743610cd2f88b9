"""What one source of a step selects of a context, by the rules of BuildKit's content hash.

Pure: it is asked about paths and never looks at the disk. How BuildKit does it: `cache/contenthash/checksum.go`;
`tests/engine/test_content.py` holds it against an engine. A folder's name is relative, with `/`; "" is the root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from hitmiss.project.patterns import (
    Flags,
    Match,
    Matcher,
    PatternError,
    clean,
    crosses_folders,
    glob,
    has_wildcards,
)


class Selected(Protocol):
    """A path, or a pattern where `wildcards`; patterns for what lies under it; whether a link is followed."""

    @property
    def source(self) -> str: ...
    @property
    def wildcards(self) -> bool: ...
    @property
    def include(self) -> tuple[str, ...]: ...
    @property
    def exclude(self) -> tuple[str, ...]: ...
    @property
    def follow(self) -> bool: ...


class Source(NamedTuple):
    """A `Selected` of this room."""

    source: str
    wildcards: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow: bool = False


Held = tuple[Flags | None, Flags | None]
"""For a walk: which rules of `include` and of `exclude` hold for a folder; None above the selection."""


class Chosen:
    """A `Selected`, ready to be asked. A pattern that BuildKit would refuse selects nothing."""

    def __init__(self, selected: Selected) -> None:
        self.path = clean("/" + selected.source).lstrip("/")
        """What is selected, without a slash in front; a pattern where `wild`."""
        self.follow = selected.follow
        self.include = _matcher(selected.include)
        self.exclude = _matcher(selected.exclude)
        parts = self.path.split("/") if self.path else []
        first = next((at for at, part in enumerate(parts) if has_wildcards(part)), len(parts))
        self.wild = selected.wildcards and first < len(parts)
        self.prefix = "/".join(parts[:first]) if self.wild else self.path
        """The part before the first wildcard, in which links are followed."""
        self.tests: tuple[Match, ...] = ()
        """One test for each part behind the prefix."""
        self.whole: Match | None = None
        """A test for the whole path, where the parts cannot be told apart."""
        if self.wild:
            self.tests, self.whole = _tests(self.path, parts[first:])
        self.filtered = self.wild or self.include is not None or self.exclude is not None

    def covers(self, path: str, is_folder: bool = False) -> bool:
        """Whether the entry at `path` counts: its kind, mode, target and bytes. Of links on the way it knows nothing.

        A folder that `include` leaves out counts here where something in it may be included.
        """
        return any(self._counts(path[len(root) :].lstrip("/"), is_folder) for root in self._roots(path))

    def reaches(self, folder: str) -> bool:
        """Whether it makes a difference what is in `folder`, or that it is one."""
        if any(self._counts(folder[len(root) :].lstrip("/"), True) for root in self._roots(folder)):
            return True
        if self.whole is not None or not folder:
            return True
        parts, above = self.prefix.split("/") if self.prefix else [], folder.split("/")
        checks = [*(part.__eq__ for part in parts), *self.tests]
        if len(above) > len(checks):
            return any(True for _ in self._roots(folder)) and bool(self.exclude and self.exclude.has_exceptions)
        return all(check(part) for check, part in zip(checks, above, strict=False))

    def enter(self, rest: str, above: Held | None) -> tuple[bool, Held]:
        """For a walk: whether what lies at `rest` under the selected path counts, and what to hand on to its entries.

        `rest` is "" for the selected path itself, `above` None for that and for what lies in the root.
        """
        include, exclude = above or (None, None)
        counts = True
        if self.include is not None:
            counts, include = self.include.enter(rest, include)
        if self.exclude is not None:
            left_out, exclude = self.exclude.enter(rest, exclude)
            counts = counts and not left_out
        return counts, (include, exclude)

    def _roots(self, path: str) -> Iterator[str]:
        """The selected paths that are `path` or above it."""
        if not self.wild:
            if not self.prefix or path == self.prefix or path.startswith(self.prefix + "/"):
                yield self.prefix
            return
        parts = path.split("/")
        if self.whole is not None:
            found = ("/".join(parts[: at + 1]) for at in range(len(parts)))
            yield from (root for root in found if self.whole(root))
            return
        before = self.prefix.split("/") if self.prefix else []
        length = len(before) + len(self.tests)
        matched = parts[: len(before)] == before and len(parts) >= length
        if matched and all(test(part) for test, part in zip(self.tests, parts[len(before) :], strict=False)):
            yield "/".join(parts[:length])

    def _counts(self, rest: str, is_folder: bool) -> bool:
        if not self.filtered or (self.include is None and self.exclude is None):
            return True
        held: Held | None = None
        counts = True
        if self.path:
            counts, held = self.enter("", None)
        at = -1
        while rest and at < len(rest):
            at = rest.find("/", at + 1)
            at = at if at >= 0 else len(rest)
            counts, held = self.enter(rest[:at], held)
        if counts or not is_folder:
            return counts
        return self.include is not None and (not rest or self.include.may_match_under(rest))


def _matcher(patterns: tuple[str, ...]) -> Matcher | None:
    try:
        return Matcher(patterns) if patterns else None
    except PatternError:
        return None


def _tests(pattern: str, parts: list[str]) -> tuple[tuple[Match, ...], Match | None]:
    """A test for each part, or one for the whole path."""
    never: Callable[[str], bool] = lambda _: False  # noqa: E731
    try:
        if any(crosses_folders(part) for part in parts):
            return (), glob(pattern)
        return tuple(glob(part) for part in parts), None
    except PatternError:
        return (never,), None
