"""`.dockerignore` rules, exactly as BuildKit reads them.

Pure: text and paths in, answers out; it never looks at the disk. Which file's rules hold is `context.py`'s part.
"""

from __future__ import annotations

from hitmiss.errors import UsageError
from hitmiss.project.patterns import Flags, Matcher, PatternError, clean
from hitmiss.project.words import SPACE


class IgnoreRules:
    """The rules of one ignore file. Paths are relative to the context, with `/`, without one in front."""

    def __init__(self, patterns: tuple[str, ...] = ()) -> None:
        """`patterns` as `parse` finds them; raises `UsageError` for one that BuildKit refuses."""
        self.patterns = patterns
        try:
            self._matcher = Matcher(patterns)
        except PatternError as error:
            raise UsageError(
                f"The ignore file has a pattern that BuildKit refuses: {error.pattern!r}.", "Mend that line and save."
            ) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IgnoreRules) and self.patterns == other.patterns

    def __hash__(self) -> int:
        return hash(self.patterns)

    def ignores(self, path: str) -> bool:
        """Whether BuildKit leaves `path` out of the context. A folder can be left out while something in it is not."""
        return bool(self._matcher) and self._matcher.matches(path)

    def shuts(self, folder: str) -> bool:
        """Whether BuildKit leaves out `folder` and everything in it, now and whatever comes."""
        return bool(self._matcher) and self._matcher.shuts(folder)

    def folder(self, path: str) -> Flags:
        """For a walk: what to hand to `enter` for the entries of a folder ("" is the context itself)."""
        return self._matcher.folder(path)[1]

    def enter(self, path: str, above: Flags) -> tuple[bool, Flags]:
        """For a walk: whether `path` is left out, and what to hand on for the entries in it."""
        return self._matcher.enter(path, above)

    def closed(self, folder: str) -> bool:
        """For a walk: whether a folder that is left out need not be entered."""
        return self._matcher.closed(folder)

    @property
    def empty(self) -> bool:
        """Whether there is no rule at all."""
        return not self._matcher


NOTHING_IGNORED = IgnoreRules()


def parse(text: str | bytes) -> IgnoreRules:
    """Read an ignore file; raises `UsageError` for a pattern that BuildKit refuses."""
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    found: list[str] = []
    for line in text.removeprefix("\ufeff").split("\n"):
        line = line.removesuffix("\r")
        if line.startswith("#") or not line.strip(SPACE):
            continue
        line = line.strip(SPACE)
        mark = "!" if line.startswith("!") else ""
        line = line.removeprefix("!").strip(SPACE)
        if line:
            line = clean(line)
            line = line[1:] if len(line) > 1 and line.startswith("/") else line
        found.append(mark + line)
    return IgnoreRules(tuple(found))
