"""Files that an edit of the ignore rules hid from BuildKit, or showed to it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from hitmiss.build.model import Alteration, FileChange
from hitmiss.cache.facts import Rules
from hitmiss.project.entries import FOLDER
from hitmiss.project.ignore import IgnoreRules


class Turned(msgspec.Struct, frozen=True):
    """What the rules of one context did to files: the name of their file, and the paths; `gone` says that it is."""

    file: str = ""
    hidden: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    gone: bool = False

    @property
    def sentence(self) -> str:
        """`.dockerignore` now hides 663 files and shows 1 file; "" where it did nothing."""
        acts = [
            f"{verb} {files(len(paths))}" for verb, paths in (("hides", self.hidden), ("shows", self.shown)) if paths
        ]
        if not acts:
            return ""
        return f"`{self.file}` {'is gone, which' if self.gone else 'now'} {' and '.join(acts)}"


def turned(changes: Iterable[FileChange], then: Rules, now: Rules, there: Callable[[str], bool]) -> Turned:
    """Those of the changes that come of the rules alone: `there` says whether a path is still on disk."""
    if then.patterns == now.patterns:
        return Turned()
    before, after = _Ignored(then), _Ignored(now)
    hidden: set[str] = set()
    shown: set[str] = set()
    for change in changes:
        if FOLDER in (change.old, change.new):
            continue
        renamed = change.change is Alteration.RENAMED
        old = change.old if renamed else change.path
        if (renamed or change.change is Alteration.REMOVED) and after(old) and there(old):
            hidden.add(old)
        if (renamed or change.change is Alteration.ADDED) and before(change.path):
            shown.add(change.path)
    return Turned(now.file or then.file, frozenset(hidden), frozenset(shown), not now.file)


def files(number: int) -> str:
    """`1 file`, `2,345 files`."""
    return "1 file" if number == 1 else f"{number:,} files"


class _Ignored:
    """Whether rules leave out a path; folders that they shut are asked about once."""

    def __init__(self, rules: Rules) -> None:
        self._rules = IgnoreRules(rules.patterns)
        self._shut: dict[str, bool] = {"": False}

    def __call__(self, path: str) -> bool:
        folder = path.rpartition("/")[0]
        if folder not in self._shut:
            self._shut[folder] = self._rules.shuts(folder)
        return self._shut[folder] or self._rules.ignores(path)
