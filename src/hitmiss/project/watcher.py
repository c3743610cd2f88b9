"""The thread behind `watch.py`: events in, looks at the disk, changes out.

It watches folders through watchfiles and reads them; it starts no process and knows no screen and no event loop.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hitmiss.errors import UsageError
from hitmiss.project.ignore import NOTHING_IGNORED, IgnoreRules
from hitmiss.project.tree import Difference, Tree
from hitmiss.project.watch import Change, Kind, Watched, net

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

STEP_MS: Final = 5
"""How often watchfiles looks for new events; it returns when one look brings no more than the one before."""
BURST_MS: Final = 30
"""In an unending burst, changes are told about this often."""
WAKE_MS: Final = 250
"""How often the thread looks whether it should stop and whether the roots are still there."""
POLL_S: Final = 0.3
"""Shortest pause between two looks at all files where there are no events."""
POLL_SHARE: Final = 25
"""Such a pause is at least this many times as long as the look took: 4 % of a core."""
LISTEN_S: Final = 0.1
"""Shortest time between two settings of the watches in a burst of new folders."""
LISTEN_SHARE: Final = 10
"""That time is at least this many times as long as setting them took."""
_ADDED: Final = 1
"""watchfiles' number for the event of something that came: created, or moved here."""
_MODIFIED: Final = 2
"""watchfiles' number for the event of something that changed where it is."""
_ANOTHER: Final = (-1, -1)
"""Device and inode that no folder has."""
MARK_S: Final = 2.0
"""So long a notifier that is to be replaced may take to tell what it saw."""
MOST_ERRORS: Final = 20
"""Errors of the notifier within a second, after which there is no more use in it."""


class Watcher:
    """The work of `watch`, in a thread of its own: `run` returns after `stopping` is set."""

    def __init__(
        self,
        contexts: Watched,
        emit: Callable[[frozenset[Change]], None],
        notice: Callable[[tuple[str, ...]], None],
        *,
        force_polling: bool = False,
        recursive: bool = sys.platform != "linux",
    ) -> None:
        """`emit` and `notice` are called in the thread; `recursive` watches whole trees instead of single folders."""
        self.contexts = contexts
        self.emit = emit
        self.notice = notice
        self.polling = force_polling
        # inotify costs one watch a folder and watchfiles follows links, so there only the visible folders are named,
        # each for itself. Elsewhere one watch covers a whole tree at no cost.
        self.recursive = recursive
        self.stopping = threading.Event()
        self.told: tuple[str, ...] | None = None
        """The notices that were given last; None before the first."""
        self.refused = ""
        """Why the ignore rules as they are on disk cannot be taken over."""
        self.fallen = ""
        """Why it polls, and what can be done about that."""
        self.trees = {name: Tree(path.as_posix(), NOTHING_IGNORED) for name, path in contexts.folders()}
        self.definitions: dict[str, list[tuple[str, str]]] = {}
        self.own: set[tuple[str, str]] = set()
        for context, path in contexts.definitions():
            shown = self._shown(context, path)
            self.own.add((context, shown))
            for place in {path.as_posix(), Path(os.path.realpath(path)).as_posix()}:
                self.definitions.setdefault(place, []).append((context, shown))
        self.stamps: dict[str, tuple[int, ...] | None] = {}
        self.prefixes: tuple[tuple[str, str], ...] = ()
        self.notifier: RustNotify | None = None
        self.watched: frozenset[str] = frozenset()
        self.fresh: frozenset[str] = frozenset()
        self.next_listening = 0.0
        self.unnameable = ""
        """A folder that watchfiles cannot watch, because its name is not UTF-8."""
        self.errors: list[float] = []
        self.marks: str | None = None
        """A folder of our own, which each notifier watches too: see `last_words`. None where there is none."""

    def run(self) -> None:
        """Watch until `stopping` is set; falls back to polling by itself."""
        with ExitStack() as stack:
            with suppress(OSError):  # there may be no room for one
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hitmiss-", ignore_cleanup_errors=True))
                marks = Path(os.path.realpath(folder))
                roots = [Path(os.path.realpath(tree.root)) for tree in self.trees.values()]
                # Nothing of ours may be seen in a context.
                self.marks = None if any(marks.is_relative_to(root) for root in roots) else marks.as_posix()
            self.follow()

    def follow(self) -> None:
        """The work of `run`."""
        self.read_rules()
        for tree in self.trees.values():
            tree.settle()
        for place in self.definitions:
            self.stamps[place] = _stamp_of(place)
        self.listen()
        # What changed while the watches were being set is found by a second look.
        missed = self.look_again()
        self.tell_notices()
        self.emit(frozenset())
        self.tell_changes(missed)
        while not self.stopping.is_set():
            changes = self.poll() if self.polling or self.notifier is None else self.wait(self.notifier)
            self.tell_changes(changes)
        self.notifier = None

    def wait(self, notifier: RustNotify) -> list[Change]:
        """The changes of the next events, or none after `WAKE_MS`."""
        if self.fresh and time.monotonic() >= self.next_listening:
            # New folders: watch them too, then look into them, for things came into them unwatched.
            fresh, self.fresh = self.fresh, frozenset()
            changes = self.listen_anew() + self.look_into(fresh)
            self.note_places()
            return changes
        try:
            events = notifier.watch(BURST_MS, STEP_MS, BURST_MS if self.fresh else WAKE_MS, None)
        except (OSError, RuntimeError) as error:
            # An event for a name that is not UTF-8 breaks the notifier: make a new one and look for what changed.
            self.recover(error)
            return self.look_again()
        if isinstance(events, str):
            changes = self.check_roots()
        else:
            self.note_new_roots(events)
            changes = self.check_roots() + self.changes_at(events)
            self.note_places()
        return changes

    def listen_anew(self) -> list[Change]:
        """Set the watches for the folders there are now; the changes that only the old notifier saw."""
        old = self.notifier
        started = time.monotonic()
        self.listen()
        now = time.monotonic()
        self.next_listening = now + max(LISTEN_S, LISTEN_SHARE * (now - started))
        late = self.last_words(old) if old else None
        return self.look_again() if late is None else self.changes_at(late)

    def last_words(self, notifier: RustNotify) -> set[tuple[int, str]] | None:
        """All that a notifier has seen until now; None where that cannot be known.

        Its thread may be behind. Events come in their order, so it has told all once it tells of a file that is made
        now in a folder of our own.
        """
        if self.marks is None:
            return None
        events: set[tuple[int, str]] = set()
        mark = f"{self.marks}/{time.monotonic_ns()}"
        end = time.monotonic() + MARK_S
        with suppress(OSError, RuntimeError):
            Path(mark).touch()
            while time.monotonic() < end:
                found = notifier.watch(1, 1, BURST_MS, None)
                if not isinstance(found, str):
                    events |= found
                    if any(path == mark for _, path in found):
                        Path(mark).unlink()
                        return events
        return None

    def note_places(self) -> None:
        """Find the folders that are to be watched and are not."""
        places = self.places()
        self.watched &= places
        self.fresh = places - self.watched

    def look_into(self, places: frozenset[str]) -> list[Change]:
        """Read these folders again."""
        changes: list[Change] = []
        for name, tree in self.trees.items():
            for place in places:
                if place.startswith(f"{tree.root}/") and place[len(tree.root) + 1 :] in tree.folders:
                    changes += self.named(name, tree.scan(place[len(tree.root) + 1 :]))
        return changes

    def poll(self) -> list[Change]:
        """Look at everything, and wait if nothing changed."""
        started = time.monotonic()
        changes = self.check_roots() + self.look_again()
        cost = time.monotonic() - started
        if not changes:
            self.stopping.wait(max(POLL_S, POLL_SHARE * cost))
        return changes

    def look_again(self) -> list[Change]:
        """Compare all files with what was known."""
        changes = self.check_definitions(self.definitions)
        for name, tree in self.trees.items():
            if tree.inode is not None and tree.root_inode() is not None:
                changes += self.named(name, tree.scan())
        return changes

    def changes_at(self, events: Collection[tuple[int, str]]) -> list[Change]:
        """Look again at the paths of some events."""
        kinds: dict[str, bool] = {}
        for kind, path in events:
            path = path.replace(os.sep, "/") if os.sep != "/" else path
            kinds[path] = kinds.get(path, False) or kind == _ADDED
        changes = self.check_definitions([path for path in kinds if path in self.definitions])
        for prefix, name in self.prefixes:
            tree = self.trees[name]
            # Short paths first: a folder that went takes all that was in it along.
            for path in sorted((path for path in kinds if path.startswith(prefix)), key=len):
                inner = path[len(prefix) :]
                anew = kinds[path] and inner in tree.folders
                if anew:
                    self.unwatch(f"{tree.root}/{inner}")
                changes += self.named(name, tree.refresh(inner, anew=anew))
        return changes

    def unwatch(self, place: str) -> None:
        """Forget the watches of a folder, and of all in it: what is there now came after they were set."""
        below = f"{place}/"
        self.watched = frozenset(each for each in self.watched if each != place and not each.startswith(below))

    def named(self, context: str, differences: Iterable[Difference]) -> list[Change]:
        """Differences as changes, without the definitions, which are told for themselves."""
        return [
            Change(Kind(kind), context, path, folder=folder)
            for kind, path, folder in differences
            if (context, path) not in self.own
        ]

    def check_definitions(self, places: Iterable[str]) -> list[Change]:
        """Which of these definitions changed; new ignore rules take effect at once."""
        changes: list[Change] = []
        for place in places:
            before, now = self.stamps.get(place), _stamp_of(place)
            if before == now:
                continue
            self.stamps[place] = now
            kind = Kind.DELETED if now is None else Kind.ADDED if before is None else Kind.MODIFIED
            changes += [Change(kind, context, shown, True) for context, shown in self.definitions[place]]
        if any(change.path.endswith(".dockerignore") for change in changes):
            for name in self.read_rules():
                if self.trees[name].inode is not None:
                    changes += self.named(name, self.trees[name].scan())
        return changes

    def note_new_roots(self, events: Collection[tuple[int, str]]) -> None:
        """Events that a root itself came or went mean that another one is there now, be it of the same inode."""
        turned = {path.replace(os.sep, "/") for kind, path in events if kind != _MODIFIED}
        for tree in self.trees.values():
            if tree.inode is not None and tree.root in turned:
                tree.inode = _ANOTHER

    def check_roots(self) -> list[Change]:
        """Roots that went, came back, or were replaced."""
        changes: list[Change] = []
        for name, tree in self.trees.items():
            now = tree.root_inode()
            if now == tree.inode:
                continue
            if tree.inode is not None:
                changes.append(Change(Kind.GONE, name, "", folder=True))
                tree.forget()
            if now is not None:
                self.read_rules()
                tree.settle()
            if tree.inode is not None:
                changes.append(Change(Kind.BACK, name, "", folder=True))
        if changes:
            self.listen()
            changes += self.look_again()
        return changes

    def read_rules(self) -> list[str]:
        """Take the ignore files' rules over; the contexts whose rules are new.

        A refused pattern leaves the old rules in force.
        """
        try:
            rules: dict[str, IgnoreRules] = self.contexts.rules()
        except UsageError as error:
            self.refused = str(error)
            return []
        self.refused = ""
        fresh = [name for name, tree in self.trees.items() if tree.rules != rules[name]]
        for name in fresh:
            self.trees[name].rules = rules[name]
        return fresh

    def places(self) -> frozenset[str]:
        """The folders that have to be watched."""
        places = {place.rpartition("/")[0] or "/" for place in self.definitions}
        self.unnameable = ""
        for tree in self.trees.values():
            if tree.inode is None:
                continue
            for folder in ("",) if self.recursive else tree.folders:
                if _encodable(folder):
                    places.add(f"{tree.root}/{folder}" if folder else tree.root)
                else:
                    self.unnameable = folder
        return frozenset(place for place in places if _encodable(place))

    def linked(self) -> set[str]:
        """Places that were folders when they were looked at and are links now, or lie behind one, or are gone.

        watchfiles would follow the link, and a folder that is watched under two names is told of under one of them.
        """
        found: set[str] = set()
        for tree in self.trees.values() if not self.recursive else ():
            for folder in sorted(filter(None, tree.folders)):
                place = f"{tree.root}/{folder}"
                if place.rpartition("/")[0] in found or not _is_folder(place):
                    found.add(place)
        return found

    def listen(self) -> None:
        """Set the watches for the folders there are now; falls back to polling where the system refuses."""
        roots = [(tree.root, name) for name, tree in self.trees.items()]
        real = [(Path(os.path.realpath(root)).as_posix(), name) for root, name in roots]
        self.prefixes = tuple((f"{root.rstrip('/')}/", name) for root, name in dict.fromkeys(roots + real))
        if self.polling:
            return
        from watchfiles._rust_notify import RustNotify

        for _ in range(MOST_ERRORS):
            places = self.places()
            if self.unnameable:
                # To read it is an event for the folder above, and one that breaks the notifier.
                folder = os.fsencode(self.unnameable).decode(errors="replace")
                self.fall_back(OSError(f"the name of the folder {folder} is not UTF-8"))
                return
            readable = sorted(place for place in places - self.linked() if os.access(place, os.R_OK | os.X_OK))
            if self.marks:
                readable.append(self.marks)
            try:
                # Told to ignore refused permissions, watchfiles ignores a full inotify too: so it is not told to.
                self.notifier = RustNotify(readable, False, False, 0, self.recursive, False)
                self.watched = places
                return
            except FileNotFoundError:
                # A folder went between the question and the watch: ask again.
                continue
            except (OSError, RuntimeError) as error:
                self.fall_back(error)
                return
        self.fall_back(OSError("folders come and go too fast"))

    def recover(self, error: Exception) -> None:
        """Set new watches after the notifier failed; when it fails again and again, poll."""
        self.notifier = None
        if self.may_err():
            self.listen()
        else:
            self.fall_back(error)

    def may_err(self) -> bool:
        """Whether the notifier may fail once more: not if it did so often within a second."""
        now = time.monotonic()
        self.errors = [*(at for at in self.errors if at > now - 1), now]
        return len(self.errors) <= MOST_ERRORS

    def fall_back(self, error: Exception) -> None:
        """Poll from now on, and say why."""
        self.polling = True
        self.notifier = None
        text = str(error).lower()
        how = "saves are noticed by looking at all files in turn, a little later"
        if "watch limit" in text or "no space left" in text:
            mend = "sudo sysctl fs.inotify.max_user_watches=524288"
            self.fallen = f"The system has no file watches left, so {how}; raise the limit with: {mend}"
        elif "too many open files" in text:
            mend = "sudo sysctl fs.inotify.max_user_instances=512"
            self.fallen = f"The system has no inotify instances left, so {how}; raise the limit with: {mend}"
        else:
            self.fallen = f"The files cannot be watched ({error}), so {how}."

    def tell_changes(self, changes: Iterable[Change]) -> None:
        """Give what the changes come to, taken together, if anything."""
        self.tell_notices()
        found = net(changes)
        if found:
            self.emit(found)

    def tell_notices(self) -> None:
        """Give all notices that hold now, where they are others than before."""
        now = tuple(filter(None, (self.fallen, self.refused, *self.unreadable())))
        if now != self.told:
            self.told = now
            self.notice(now)

    def unreadable(self) -> Iterator[str]:
        """Names the folders that cannot be read: the build will fail on them."""
        for tree in self.trees.values():
            for folder in sorted(tree.unreadable):
                shown = os.fsencode(f"{tree.root}/{folder}").decode(errors="replace")
                mend = "give read permission, or name it in .dockerignore"
                yield f"The folder {shown} cannot be read, so the build will fail; {mend}."

    def _shown(self, context: str, path: Path) -> str:
        """A definition's path as `Change.path` has it."""
        root = dict(self.contexts.folders()).get(context)
        return path.relative_to(root).as_posix() if root and path.is_relative_to(root) else path.as_posix()


def _stamp_of(place: str) -> tuple[int, ...] | None:
    try:
        status = Path(place).stat()
    except OSError:
        return None
    return status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _is_folder(place: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except OSError:
        return False


def _encodable(path: str) -> bool:
    """Whether watchfiles can take the path: it wants UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
