"""Digests of what sources select of a manifest's entries, kept up to date as entries change.

It reads no file; `manifest.py` tells it of every change. The digests are equal exactly where those of BuildKit's
`cache/contenthash/checksum.go` are: a plain path counts with all that lies under it and its place there; a wildcard or
patterns make a list of the files and folders that are left, each with its last name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hitmiss.project.chosen import Chosen, Held, Selected, Source
from hitmiss.project.entries import DIGEST_SIZE, FOLDER, LINK, Entry, digest_of
from hitmiss.project.patterns import clean

_MOST_LINKS: Final = 255
"""Links followed for one path before BuildKit gives up."""
_MOST_SUMS: Final = 512
"""Folders and lists that are kept up to date; more are forgotten and made anew."""
_SIZE: Final = 1 << (8 * DIGEST_SIZE)
_MISSING: Final = digest_of(b"missing")
"""What stands for a path that is not there, or a link to nowhere: BuildKit fails on it."""

_Item = tuple[str, str, bool]
"""A path as the source names it, the entry's own path, whether it is followed where it is a link."""


class _List:
    """What a wildcard or patterns leave: per path its name and record."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.parts: dict[str, bytes] | None = None
        self.links: list[str] = []
        """Those whose target counts instead."""
        self.digest: bytes | None = None


class Contents:
    """The digests over `entries`, which are in `folders` (each folder's paths); both belong to the manifest."""

    def __init__(self, entries: Mapping[str, Entry], folders: Mapping[str, set[str]], *, by_path: bool) -> None:
        self._entries = entries
        self._folders = folders
        self._by_path = by_path
        self._records: dict[str, bytes] = {}
        self._sums: dict[str, int] = {}
        self._lists: dict[tuple[object, ...], _List] = {}
        self._plain: dict[tuple[object, ...], Chosen] = {}

    def changed(self, path: str, before: Entry | None, after: Entry | None) -> None:
        """An entry is another one now."""
        old = self._records.pop(path, None)
        self._change_sums(path, before, after, old)
        for each in self._lists.values():
            if each.parts is None:
                continue
            if before and after and before.kind == after.kind and after.kind != LINK:
                if (part := each.parts.get(path)) is not None:
                    each.parts[path] = part[:-DIGEST_SIZE] + self._record(path)
                    each.digest = None
            else:
                each.parts = None

    def content(self, selected: Selected) -> bytes:
        """The digest of what is selected."""
        key = (selected.source, selected.wildcards, selected.include, selected.exclude, selected.follow)
        chosen = self._plain.get(key)
        if chosen:
            return self._plain_digest(chosen.path, chosen.follow)
        known = self._lists.get(key)
        if known is None:
            chosen = Chosen(selected)
            if not chosen.filtered:
                _make_room(self._plain)
                self._plain[key] = chosen
                return self._plain_digest(chosen.path, chosen.follow)
            _make_room(self._lists)
            known = self._lists[key] = _List(chosen)
        return self._list_digest(known)

    def found(self, chosen: Chosen) -> bool:
        """Whether all of it is there: BuildKit fails on a path that is not, and on a link to nowhere."""
        if self._resolved(chosen.prefix, chosen.wild or chosen.follow) is None:
            return False
        return not chosen.filtered or not any(
            followed and path and self._entries[path].kind == LINK and self._resolved(path, True) is None
            for _, path, followed in self._walk(chosen)
        )

    def covered(self, chosen: Chosen) -> set[str]:
        """The paths that are selected, those behind links that are followed too."""
        if not chosen.filtered:
            return set(self._all_at(self._resolved(chosen.path, chosen.follow)))
        found: set[str] = set()
        for _, path, followed in self._walk(chosen):
            found.add(path)
            if followed and path and self._entries[path].kind == LINK:
                found.update(self._all_at(self._resolved(path, chosen.follow)))
        return found

    def behind(self, chosen: Chosen, selected: Selected) -> tuple[Source, ...]:
        """What is selected through links, as sources of their own."""
        found: list[Source] = []
        if not chosen.filtered:
            target = self._resolved(chosen.path, chosen.follow)
            return (Source(f"/{target}"),) if target is not None and target != chosen.path else ()
        start = self._resolved(chosen.prefix, chosen.wild)
        if start is not None and start != chosen.prefix:
            rest = chosen.path[len(chosen.prefix) :]
            shown = "".join(f"\\{char}" if char in "*?[\\" else char for char in start) if selected.wildcards else start
            found.append(Source(f"/{shown}{rest}", selected.wildcards, selected.include, selected.exclude))
        for _, path, followed in self._walk(chosen):
            if followed and path and self._entries[path].kind == LINK:
                target = self._resolved(path, True)
                if target is not None:
                    found.append(Source(f"/{target}"))
        return tuple(found)

    # Plain paths

    def _plain_digest(self, path: str, follow: bool) -> bytes:
        at = self._resolved(path, follow)
        if at is None:
            return _MISSING
        if at and self._entries[at].kind != FOLDER:
            return self._record(at)
        total = self._sums.get(at)
        if total is None:
            total = 0
            for each in self._all_at(at):
                total += _term(at, each, self._record(each))
            _make_room(self._sums)
            self._sums[at] = total = total % _SIZE
        return total.to_bytes(DIGEST_SIZE, "little")

    def _change_sums(self, path: str, before: Entry | None, after: Entry | None, old: bytes | None) -> None:
        if not self._sums:
            return
        for folder in _and_above(path):
            total = self._sums.get(folder)
            if total is None:
                continue
            if before:
                old = old or digest_of(before.pack())
                total -= _term(folder, path, old)
            if after:
                total += _term(folder, path, self._record(path))
            self._sums[folder] = total % _SIZE

    def _record(self, path: str) -> bytes:
        """The digest of one entry without its name."""
        found = self._records.get(path)
        if found is None:
            found = self._records[path] = digest_of(self._entries[path].pack())
        return found

    def _all_at(self, path: str | None) -> Iterator[str]:
        """`path` and all that lies under it."""
        waiting = [] if path is None else [path]
        while waiting:
            at = waiting.pop()
            if at in self._entries:
                yield at
            elif at:
                continue
            waiting += self._folders.get(at, ())

    # Wildcards and patterns

    def _list_digest(self, known: _List) -> bytes:
        if known.parts is None:
            known.parts, known.links, known.digest = {}, [], None
            for shown, path, followed in self._walk(known.chosen):
                name = shown[len(known.chosen.prefix) :] if self._by_path else shown.rpartition("/")[2]
                known.parts[path] = os.fsencode(name) + b"\0" + self._record(path)
                if followed and self._entries[path].kind == LINK:
                    known.links.append(path)
        parts = known.parts
        for path in known.links:
            part = parts[path][:-DIGEST_SIZE] + self._plain_digest(path, True)
            if part != parts[path]:
                parts[path], known.digest = part, None
        if known.digest is None:
            if len(parts) == 1:
                (part,) = parts.values()
                last = os.fsencode(known.chosen.path.rpartition("/")[2])
                base = part[: -DIGEST_SIZE - 1].rpartition(b"/")[2]
                alone = base == last or (self._by_path and not base)
                known.digest = part[-DIGEST_SIZE:] if alone else digest_of(part)
            else:
                known.digest = digest_of(b"\0".join(parts.values()))
        return known.digest

    def _walk(self, chosen: Chosen) -> list[_Item]:
        """What is selected, in BuildKit's order."""
        found: list[_Item] = []
        start = self._resolved(chosen.prefix, chosen.wild)
        if start is None:
            return found
        if not chosen.wild:
            self._visit(chosen, found, chosen.prefix, start, "", None, ())
            return found
        for shown, path in self._matches(chosen, start):
            self._visit(chosen, found, shown, path, "", None, ())
        return found

    def _matches(self, chosen: Chosen, start: str) -> list[tuple[str, str]]:
        found = [(chosen.prefix, start)]
        if chosen.whole is not None:
            test = chosen.whole
            reached: list[tuple[str, str]] = []
            while found:
                shown, path = found.pop()
                if test(shown):
                    reached.append((shown, path))
                else:
                    found += reversed(list(self._held(shown, path)))
            return reached
        for test in chosen.tests:
            found = [
                each for shown, path in found for each in self._held(shown, path) if test(each[1].rpartition("/")[2])
            ]
        return found

    def _held(self, shown: str, path: str) -> Iterator[tuple[str, str]]:
        """The entries of a folder, as the source names them and as they are called."""
        start = len(path) + 1 if path else 0
        for each in sorted(self._folders.get(path, ()), key=os.fsencode):
            if each in self._entries:
                yield (f"{shown}/{each[start:]}" if shown else each[start:]), each

    def _visit(
        self, chosen: Chosen, found: list[_Item], shown: str, path: str, rest: str, above: Held | None,
        headers: tuple[list[_Item], ...],
    ) -> None:  # fmt: skip
        """Add what counts at `path` and below; `headers` are the folders above that are added with the first of it."""
        inner = headers
        held = above
        if path or chosen.path:
            counts, held = chosen.enter(rest, above)
            item = (shown, path, chosen.follow and not headers)
            is_folder = not path or self._entries[path].kind == FOLDER
            if is_folder:
                inner = (*headers, [item])
            if counts:
                for header in inner:
                    found += header
                    header.clear()
                if not is_folder:
                    found.append(item)
            if not is_folder or (not counts and _closed(chosen, rest, held)):
                return
        for name, each in self._held("", path):
            under = f"{rest}/{name}" if rest else name
            self._visit(chosen, found, f"{shown}/{name}" if shown else name, each, under, held, inner)

    def _resolved(self, path: str, follow: bool) -> str | None:
        """The path that `path` means, links followed on the way and, if `follow`, at its end; None for none."""
        entry = self._entries.get(path)
        if (entry and not (follow and entry.kind == LINK)) or not path:
            return path
        at, walked = "", 0
        waiting = path.split("/")[::-1]
        while waiting:
            part = waiting.pop()
            ahead = clean(f"/{at}/{part}").lstrip("/")
            entry = self._entries.get(ahead)
            if entry is None or entry.kind != LINK:
                at = ahead
                continue
            if not follow and not waiting:
                return ahead
            walked += 1
            if walked > _MOST_LINKS:
                return None
            if entry.link.startswith("/"):
                at = ""
            waiting += entry.link.split("/")[::-1]
        return at if not at or at in self._entries else None


def _closed(chosen: Chosen, rest: str, held: Held | None) -> bool:
    """Whether nothing under a folder that does not count can count."""
    if chosen.include is None:
        return chosen.exclude is not None and not chosen.exclude.has_exceptions
    return bool(rest) and not any((held and held[0]) or ()) and not chosen.include.may_match_under(rest)


def _and_above(path: str) -> Iterator[str]:
    """A path, the folders above it, and the root."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def _term(folder: str, path: str, record: bytes) -> int:
    """What an entry adds to its folder's sum."""
    place = path[len(folder) + 1 :] if folder else path
    return int.from_bytes(digest_of(os.fsencode(place) + b"\0" + record), "little")


def _make_room(kept: dict[Any, Any]) -> None:
    """Forget the oldest where there are too many."""
    if len(kept) >= _MOST_SUMS:
        del kept[next(iter(kept))]
