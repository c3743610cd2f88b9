"""Saves: the changes on disk that a build could see, as they happen.

It watches folders through watchfiles and reads them; it starts no process and knows no screen. How it works: a thread waits for
events; each event makes `Tree` look at that path again, and what differs is yielded. So the answer never depends on what an event
says, only on what is on disk: a folder that came with files in it, an editor's rename, a lost event all come out right.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hitmiss.errors import UsageError
from hitmiss.project.context import Contexts
from hitmiss.project.ignore import NOTHING_IGNORED, IgnoreRules
from hitmiss.project.tree import Difference, Tree

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

STEP_MS: Final = 8
"""How often watchfiles looks for new events; it returns when one look brings no more than the one before."""
BURST_MS: Final = 30
"""In an unending burst, changes are yielded about this often."""
WAKE_MS: Final = 250
"""How often the thread looks whether it should stop and whether the roots are still there."""
POLL_S: Final = 0.3
"""Shortest pause between two looks at all files where there are no events."""
POLL_SHARE: Final = 25
"""Polling pauses at least this many times as long as a look takes: 4 % of a core."""


class Kind(StrEnum):
    """What happened to a path."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    GONE = "gone"
    """The context's folder itself is gone; `path` is ""."""
    BACK = "back"
    """The context's folder is there (again, or another one in its place); `path` is ""."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `path` is relative to the context, with `/`, with surrogate escapes where the name is not UTF-8.

    `definition` marks the Dockerfile and the ignore files; one that lies outside its context has its absolute path.
    """

    kind: Kind
    context: str
    path: str
    definition: bool = False


async def watch(
    contexts: Contexts,
    *,
    stop: asyncio.Event,
    on_notice: Callable[[str], None],
    force_polling: bool = False,
) -> AsyncIterator[frozenset[Change]]:
    """Yield the changes of what BuildKit can see, as soon as they are seen, until `stop` is set.

    The first item is empty: from then on no change is missed. Ignored files yield nothing; ignore files are read again when they
    change, and what they now show or hide comes as added or deleted. `on_notice` is called in the event loop with one plain sentence
    for what the user should know. It raises nothing of its own.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Queue[frozenset[Change]] = asyncio.Queue()

    def emit(changes: frozenset[Change]) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(found.put_nowait, changes)

    def notice(sentence: str) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(on_notice, sentence)

    watcher = Watcher(contexts, emit, notice, force_polling=force_polling)
    thread = threading.Thread(target=watcher.run, name="hitmiss-watch")
    thread.start()
    stopped = asyncio.ensure_future(stop.wait())
    try:
        while not stop.is_set():
            item = asyncio.ensure_future(found.get())
            await asyncio.wait((item, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not item.done():
                item.cancel()
                break
            yield item.result()
    finally:
        stopped.cancel()
        watcher.stopping.set()


class Watcher:
    """The work of `watch`, in a thread of its own: `run` returns after `stopping` is set."""

    def __init__(
        self,
        contexts: Contexts,
        emit: Callable[[frozenset[Change]], None],
        notice: Callable[[str], None],
        *,
        force_polling: bool = False,
        recursive: bool = sys.platform != "linux",
    ) -> None:
        self.contexts = contexts
        self.emit = emit
        self.notice = notice
        self.polling = force_polling
        # inotify costs one watch a folder and follows links, so there only the visible folders are named, each for itself.
        # Elsewhere one watch covers a whole tree at no cost.
        self.recursive = recursive
        self.stopping = threading.Event()
        self.told: set[str] = set()
        self.trees = {name: Tree(str(path), NOTHING_IGNORED) for name, path in contexts.folders()}
        self.definitions: dict[str, list[tuple[str, str]]] = {}
        for context, path in contexts.definitions():
            shown = self.shown(context, path)
            for place in {str(path), os.path.realpath(path)}:
                self.definitions.setdefault(place, []).append((context, shown))
        self.stamps: dict[str, tuple[int, ...] | None] = {}
        self.notifier: RustNotify | None = None
        self.watched: frozenset[str] = frozenset()

    def shown(self, context: str, path: os.PathLike[str]) -> str:
        """A definition's path as `Change.path` has it."""
        root = dict(self.contexts.folders()).get(context)
        text = os.fspath(path)
        if root and text.startswith(f"{root}{os.sep}"):
            return text[len(str(root)) + 1 :].replace(os.sep, "/")
        return text

    def run(self) -> None:
        """Watch until `stopping` is set; falls back to polling by itself."""
        self.read_rules()
        for tree in self.trees.values():
            tree.scan()
        for place in self.definitions:
            self.stamps[place] = _stamp_of(place)
        self.listen()
        # What changed while the watches were being set is found by a second look.
        missed = self.look_again()
        self.tell_unreadable()
        self.emit(frozenset())
        if missed:
            self.emit(frozenset(missed))
        while not self.stopping.is_set():
            changes = self.poll() if self.polling or self.notifier is None else self.wait(self.notifier)
            if changes:
                self.tell_unreadable()
                self.emit(frozenset(changes))
        self.notifier = None

    def wait(self, notifier: RustNotify) -> set[Change]:
        """The changes of the next events, or none after `WAKE_MS`."""
        try:
            events = notifier.watch(BURST_MS, STEP_MS, WAKE_MS, None)
        except (OSError, RuntimeError):
            # An event with a name that is not UTF-8 breaks the notifier: make a new one and look for what changed.
            self.notifier = None
            self.listen()
            return self.look_again()
        changes = self.check_roots()
        if isinstance(events, str):
            return changes
        changes |= self.changes_at({path for _, path in events})
        if self.places() - self.watched:
            # New folders: watch them too, then look for what came into them, and for events that only the old notifier saw.
            old = self.notifier
            self.listen()
            if old is not None:
                with suppress(OSError, RuntimeError):
                    late = old.watch(1, 1, 1, None)
                    if not isinstance(late, str):
                        changes |= self.changes_at({path for _, path in late})
            changes |= self.settled()
        return changes

    def settled(self) -> set[Change]:
        """Look into the folders that are not yet known to be complete, until there is no new one."""
        changes: set[Change] = set()
        while not self.stopping.is_set():
            changes |= self.look_again()
            if not self.places() - self.watched:
                break
            self.listen()
        return changes

    def poll(self) -> set[Change]:
        """Wait, then look at everything."""
        started = time.monotonic()
        changes = self.look_again() | self.check_roots()
        cost = time.monotonic() - started
        if not changes:
            self.stopping.wait(max(POLL_S, POLL_SHARE * cost))
        return changes

    def look_again(self) -> set[Change]:
        """Compare all files with what was known."""
        changes = self.check_definitions(self.definitions)
        for name, tree in self.trees.items():
            if tree.inode is not None and tree.root_inode() is not None:
                changes |= self.named(name, tree.scan())
        return changes

    def changes_at(self, paths: Iterable[str]) -> set[Change]:
        """Look at the paths of some events again."""
        changes = self.check_definitions(path for path in paths if path in self.definitions)
        for name, tree in self.trees.items():
            prefix = tree.root.rstrip("/") + "/"
            for path in paths:
                path = path.replace(os.sep, "/") if os.sep != "/" else path
                if path.startswith(prefix) and tree.inode is not None:
                    changes |= self.named(name, tree.refresh(path[len(prefix) :]))
        return changes

    def named(self, context: str, differences: Iterable[Difference]) -> set[Change]:
        """Differences as changes, without the definitions, which are told apart."""
        own = {shown for pairs in self.definitions.values() for owner, shown in pairs if owner == context}
        return {Change(Kind(kind), context, path) for kind, path in differences if path not in own}

    def check_definitions(self, places: Iterable[str]) -> set[Change]:
        """Which of these definitions changed; new ignore rules take effect at once."""
        changes: set[Change] = set()
        for place in places:
            before, now = self.stamps.get(place), _stamp_of(place)
            if before == now:
                continue
            self.stamps[place] = now
            kind = Kind.DELETED if now is None else Kind.ADDED if before is None else Kind.MODIFIED
            changes |= {Change(kind, context, shown, True) for context, shown in self.definitions[place]}
        if any(change.path.endswith(".dockerignore") for change in changes):
            for name in self.read_rules():
                changes |= self.named(name, self.trees[name].scan())
        return changes

    def check_roots(self) -> set[Change]:
        """Roots that went, came back, or were replaced."""
        changes: set[Change] = set()
        for name, tree in self.trees.items():
            now = tree.root_inode()
            if now == tree.inode:
                continue
            if tree.inode is not None:
                changes.add(Change(Kind.GONE, name, ""))
                tree.forget()
            if now is not None:
                self.read_rules()
                tree.scan()
                changes.add(Change(Kind.BACK, name, ""))
        if changes:
            self.listen()
        return changes

    def read_rules(self) -> list[str]:
        """Take the ignore files' rules over; the contexts whose rules are new. A refused pattern leaves the old rules in force."""
        try:
            rules: dict[str, IgnoreRules] = self.contexts.rules()
        except UsageError as error:
            self.tell(str(error))
            return []
        fresh = [name for name, tree in self.trees.items() if tree.rules != rules[name]]
        for name in fresh:
            self.trees[name].rules = rules[name]
        return fresh

    def places(self) -> frozenset[str]:
        """The folders that have to be watched."""
        places = {os.path.dirname(place) for place in self.definitions}
        for tree in self.trees.values():
            if tree.inode is not None:
                folders = ("",) if self.recursive else tree.folders
                places |= {f"{tree.root}/{folder}" if folder else tree.root for folder in folders}
        return frozenset(place for place in places if _encodable(place))

    def listen(self) -> None:
        """Set the watches for the folders there are now; fall back to polling where the system refuses."""
        if self.polling:
            return
        from watchfiles._rust_notify import RustNotify

        for _ in range(5):
            places = self.places()
            try:
                self.notifier = RustNotify(
                    sorted(place for place in places if os.path.isdir(place)), False, False, 0, self.recursive, True
                )
                self.watched = places
                return
            except FileNotFoundError:
                # A folder went between listing and watching.
                for tree in self.trees.values():
                    tree.scan()
            except (OSError, RuntimeError) as error:
                self.fall_back(error)
                return
        self.fall_back(OSError("folders keep disappearing"))

    def fall_back(self, error: Exception) -> None:
        """Poll from now on, and say why."""
        self.polling = True
        self.notifier = None
        text = str(error).lower()
        if "watch limit" in text or "no space left" in text:
            self.tell(
                "The system has no file watches left, so saves are noticed by looking at all files in turn, a little later; "
                "raise the limit with: sudo sysctl fs.inotify.max_user_watches=524288"
            )
        elif "too many open files" in text:
            self.tell(
                "The system has no inotify instances left, so saves are noticed by looking at all files in turn, a little "
                "later; raise the limit with: sudo sysctl fs.inotify.max_user_instances=512"
            )
        else:
            self.tell(f"Saves are noticed by looking at all files in turn, a little later: {error}")

    def tell_unreadable(self) -> None:
        """Name folders that cannot be read: the build will fail on them."""
        for tree in self.trees.values():
            for folder in sorted(tree.unreadable):
                self.tell(f"The folder {_printable(f'{tree.root}/{folder}')} cannot be read, so the build will fail; "
                          "give read permission, or name it in .dockerignore.")  # fmt: skip

    def tell(self, sentence: str) -> None:
        """Give a notice once."""
        if sentence not in self.told:
            self.told.add(sentence)
            self.notice(sentence)


def _stamp_of(place: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(place)
    except OSError:
        return None
    return status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _encodable(path: str) -> bool:
    """Whether watchfiles can take the path: it wants UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(path: str) -> str:
    return os.fsencode(path).decode(errors="replace")
