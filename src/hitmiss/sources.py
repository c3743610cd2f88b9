"""The files that a target reads, as they are now, and how they differ from what they were.

It holds the manifests of the contexts, which follow the watch; targets that read the same folder under the same rules
share one. It asks no engine and knows no screen.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from hitmiss import sending
from hitmiss.build.model import FileChange
from hitmiss.cache import alarms
from hitmiss.cache import causes as reasons
from hitmiss.cache.facts import BuildFacts, Rules
from hitmiss.cache.operations import Selected
from hitmiss.history.store import Store
from hitmiss.project import difference
from hitmiss.project.definition import Definition
from hitmiss.project.entries import FOLDER, Entry
from hitmiss.project.ignore import IgnoreRules
from hitmiss.project.manifest import Manifest
from hitmiss.project.watch import Change, Kind

_SMALL = 5_000
"""A context of no more entries is looked at as a whole after each build: that takes some ten milliseconds."""
_MOST_TOLD = 10_000
"""So many saves are remembered with their time, and so many changed paths of a context with their turn."""
_FEW = 40
"""So many files are read at once to see whether a save changed anything."""
_GRAIN_NS = 20_000_000
"""The kernel's times may be so much too early."""

Sign = tuple[str, IgnoreRules]
"""A folder and its rules."""


class Held:
    """One manifest, and since when which of its paths are as they are, in turns of a clock of its own."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.turn = 0
        self.read_at = 0.0
        """When everything was last looked at, by the monotonic clock."""
        self._paths: OrderedDict[str, int] = OrderedDict()
        """When each path last changed, the latest at the end."""
        self._forgotten = 0
        """The last turn of which changed paths are no longer known."""

    def read(self) -> None:
        """Look at everything again."""
        self.read_at = time.monotonic()
        if self.turn:
            self.refresh([""])
        else:
            self.manifest.read()
            self.turn = 1

    def refresh(self, paths: Iterable[str]) -> None:
        """Look at these paths again."""
        if changed := self.manifest.refresh(paths):
            self.noted(changed)

    def catch_up(self, since: int) -> None:
        """Look again at what changed after `since`, in nanoseconds since 1970."""
        if changed := self.manifest.catch_up(since):
            self.noted(changed)

    def noted(self, paths: Iterable[str]) -> None:
        """These paths are otherwise than before."""
        self.turn += 1
        for path in paths:
            self._paths[path] = self.turn
            self._paths.move_to_end(path)
        while len(self._paths) > _MOST_TOLD:
            _, self._forgotten = self._paths.popitem(last=False)

    def changed(self, path: str, since: int) -> bool:
        """Whether a path may be otherwise than it was in that turn."""
        return self._paths.get(path, self._forgotten) > since

    def later(self, since: int) -> Iterator[str]:
        """The paths that may be otherwise than they were in that turn."""
        known = self._paths if since >= self._forgotten else {*self._paths, *self.manifest.entries}
        return (path for path in known if self.changed(path, since))


class Pool:
    """The manifests that are shared. Whoever uses one holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._held: WeakValueDictionary[Sign, Held] = WeakValueDictionary()
        """Those that a target still reads."""

    def held(self, path: Path, rules: IgnoreRules, store: Store) -> tuple[Held, bool]:
        """The manifest of a folder under these rules, and whether it was read just now."""
        sign = (str(path), rules)
        known = self._held.get(sign)
        if known:
            return known, False
        held = self._held[sign] = Held(Manifest(str(path), rules, store.index(path)))
        held.read()
        store.keep_index(path, held.manifest.index())
        return held, True


class Sources:
    """The contexts of one target."""

    def __init__(self, store: Store, pool: Pool | None = None) -> None:
        self._store = store
        self._pool = pool or Pool()
        self.lock = self._pool.lock
        self._held: dict[str, Held] = {}
        self._planned: dict[str, int] = {}
        """The turn in which the last plan saw each context."""
        self._answered: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        """When each path of a context was written that was asked about, and in which turn: a save can be told twice."""
        self._looked = 0
        """When the last plan had seen them all, in nanoseconds since 1970."""
        self._changed: dict[str, set[str]] = {}
        self._told: deque[tuple[float, str, str]] = deque(maxlen=_MOST_TOLD)
        """When the watch told of which path of which context."""
        self._since: float | None = None
        """What was read after this is as it was then, but for what `saved` was told of; None while nobody follows."""

    # As they are

    def follow(self) -> None:
        """From now on `saved` is told of every change: files are no longer all looked at for each plan."""
        self._since = time.monotonic()

    @property
    def followed(self) -> bool:
        """Whether somebody does."""
        return self._since is not None

    def missed(self) -> list[Change]:
        """What is otherwise than the last plan saw it: all is looked at again, as after `follow`. May take a while."""
        with self.lock:
            for held in self._held.values():
                if self._outdated(held):
                    held.read()
            return [
                _change(name, path, held.manifest.entries.get(path))
                for name, held in self._held.items()
                for path in held.later(self._planned[name])
            ]

    def saved(self, changes: Iterable[Change]) -> None:
        """Paths that the next plan has to look at again; all of them, where a context came back."""
        for change in changes:
            if change.kind in (Kind.GONE, Kind.BACK) and self._since is not None:
                self._since = time.monotonic()
            if not change.path.startswith("/"):
                self._told.append((time.time(), change.context, change.path))
                self._changed.setdefault(change.context, set()).add(change.path)

    def same_as_before(self, changes: Iterable[Change], since: float | None = None, *, over: bool = False) -> bool:
        """Whether the files that were saved hold what the last build has read, or were told of before.

        `since` is when it began, in seconds since 1970: what was written later it may have read as it was before,
        though its plan has seen it. Once it is `over`, that is so where the plan looked later still. False where
        finding out would take long.
        """
        found = list(changes)
        if len(found) > _FEW or not self.lock.acquire(blocking=False):
            return False
        try:
            if any(map(self._outdated, self._held.values())):
                return False
            for change in found:
                held = self._held.get(change.context)
                if held is None or change.folder:
                    return False
                held.refresh([change.path])
                written = held.manifest.when(change.path)
                before, turn = self._answered.get((change.context, change.path), (0, 0))
                if before == written and not held.changed(change.path, turn):
                    continue
                self._answered[change.context, change.path] = (written, held.turn)
                self._answered.move_to_end((change.context, change.path))
                while len(self._answered) > _MOST_TOLD:
                    self._answered.popitem(last=False)
                if since is not None and int(since * 1e9) < written and (not over or written <= self._looked):
                    return False
                if held.changed(change.path, self._planned.get(change.context, -1)):
                    return False
            return True
        finally:
            self.lock.release()

    def read(self, definition: Definition) -> dict[str, Manifest]:
        """The manifests as the files are now."""
        rules = definition.rules()
        for name, path in definition.folders():
            held, fresh = self._pool.held(path, rules[name], self._store)
            if not fresh:
                if self._outdated(held) or self._held.get(name) is not held:
                    held.read()
                elif paths := self._changed.get(name):
                    held.refresh(paths)
            self._changed.pop(name, None)
            self._held[name] = held
            self._planned[name] = held.turn
        self._looked = time.time_ns()
        return self.manifests()

    def _outdated(self, held: Held) -> bool:
        return self._since is None or held.read_at < self._since

    def manifests(self) -> dict[str, Manifest]:
        """The manifests by the names of their contexts, as they were last looked at."""
        return {name: held.manifest for name, held in self._held.items()}

    def rules(self, definition: Definition) -> dict[str, Rules]:
        """The ignore rules of each context, and where they stand."""
        files = definition.ignore_files()
        return {
            name: Rules(next((path.name for path in files[name] if path.is_file()), ""), held.tree.rules.patterns)
            for name, held in self.manifests().items()
            if name in files
        }

    def there(self, name: str, path: str) -> bool:
        """Whether that path of a context is on disk, visible or not."""
        manifest = self.manifests().get(name)
        return manifest is not None and os.path.lexists(f"{manifest.tree.root}/{path}")

    def content(self, name: str, selected: Selected) -> bytes:
        """The digest of what is selected of a context."""
        manifest = self.manifests().get(name)
        return manifest.content(selected) if manifest else b""

    def freeze(self) -> tuple[dict[str, bytes], dict[bytes, bytes]]:
        """The roots of all manifests as they are now, and the folders that were not in the store before."""
        trees: dict[str, bytes] = {}
        fresh: dict[bytes, bytes] = {}
        for name, manifest in self.manifests().items():
            trees[name], blobs = manifest.freeze()
            fresh |= dict(blobs)
        self._store.put_blobs(list(fresh.items()))
        return trees, fresh

    # What BuildKit does not see

    def forget_stale(self, past: Sequence[BuildFacts], records: Container[str] | None) -> None:
        """Where BuildKit has no copy of a context any more, it reads anew what it did not see change.

        `records` are the ids of all its cache records, None where they are not known.
        """
        if records is None:
            return
        for name, held in self._held.items():
            manifest = held.manifest
            if not (manifest.stale or manifest.stale_modes):
                continue
            root = manifest.tree.root
            copies = (each.copies[name] for each in past if name in each.copies and each.contexts.get(name) == root)
            copy = next(copies, None)
            if copy not in records if copy else not past:
                held.noted(manifest.forget_stale())
                self._planned[name] = held.turn  # the plan that is being made sees them
                self._store.keep_index(Path(root), manifest.index())

    def unseen(self, name: str, selected: tuple[Selected, ...]) -> alarms.Stale:
        """Paths of which BuildKit did not see that they changed."""
        manifest = self.manifests().get(name)
        if manifest is None or not (manifest.stale or manifest.stale_modes):
            return alarms.Stale()
        covered = {path for each in selected for path in manifest.covered(each)}
        return alarms.Stale(sorted(covered & manifest.stale.keys()), sorted(covered & manifest.stale_modes.keys()))

    # How they differ

    def changes(self, facts: BuildFacts, fresh: Mapping[bytes, bytes]) -> reasons.Changes:
        """What differs between an earlier build's files and those of `facts`; `fresh` may not be in the store."""
        found: dict[tuple[bytes, bytes], tuple[FileChange, ...]] = {}
        load = self._loading(fresh)

        def changes(then: BuildFacts, name: str, selected: tuple[Selected, ...]) -> tuple[FileChange, ...]:
            old, new = then.trees.get(name), facts.trees.get(name)
            if not old or not new:
                return ()
            if (old, new) not in found:
                found[old, new] = difference.difference(load, old, new)
            kept = self.covered(name, found[old, new], selected, partial(difference.opened, load, old, new))
            return tuple(msgspec.structs.replace(each, context=name) for each in kept)

        return changes

    def covered(
        self,
        name: str,
        changes: Sequence[FileChange],
        selected: tuple[Selected, ...],
        opened: difference.Opened | None = None,
    ) -> tuple[FileChange, ...]:
        """Those of the changes in a context that make a difference to what is selected of it; `difference.covered`."""
        if not changes:
            return ()
        manifest = self.manifests().get(name)
        behind = [source for each in selected for source in manifest.behind(each)] if manifest else []
        return difference.covered(changes, (*selected, *behind), opened)

    def meanwhile(
        self, name: str, facts: BuildFacts, reading: sending.Reading, window: sending.Window
    ) -> sending.Meanwhile | None:
        """What changed in a context since the plan of `facts` was made; None where it is another one now.

        Where the watch follows a large one, it is what the watch has told of.
        """
        held = self._held.get(name)
        if held is None or held.manifest.tree.root != facts.contexts.get(name):
            return None
        manifest = held.manifest
        # What other rules hide or show has no time of its own.
        if name not in facts.rules or manifest.tree.rules.patterns != facts.rules[name].patterns:
            return None
        told: dict[str, float] = {}
        for when, context, path in tuple(self._told):
            if context == name and when >= reading.began:
                told.setdefault(path, when)
        if self.followed and len(manifest.entries) > _SMALL:
            held.refresh(told)
        else:
            held.catch_up(int(reading.began * 1e9) - _GRAIN_NS)
        root, blobs = manifest.freeze()
        self._store.put_blobs(blobs)
        differing = difference.difference(self._loading(dict(blobs)), facts.trees[name], root)
        return sending.meanwhile(manifest, differing, window, told)

    def _loading(self, fresh: Mapping[bytes, bytes]) -> difference.Load:
        """Where the folders of frozen manifests are; `fresh` are those that may not be in the store."""
        return lambda digest: fresh.get(digest) or self._store.blob(digest)


def _change(context: str, path: str, entry: Entry | None) -> Change:
    """What happened to a path that holds this now."""
    kind = Kind.MODIFIED if entry else Kind.DELETED
    return Change(kind, context, path, folder=entry is not None and entry.kind == FOLDER)
