"""A clone of somebody's repository, read with git, and a folder in which its commits are checked out in turn.

The clone itself is never changed. Its hooks, filters and configuration play no part.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

_QUIET = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


class CloneError(Exception):
    """A repository that is of no use here; the message is one sentence."""


class Clone:
    """A work tree or a bare git folder at `path`; `place` is an empty folder for what is made of it."""

    def __init__(self, path: Path, place: Path) -> None:
        self.path = path.resolve()
        self.tree = place / "tree"
        self._git = place / "git"
        self.tree.mkdir(parents=True)
        self._run("clone", "--quiet", "--bare", "--shared", str(self.path), str(self._git))

    @property
    def name(self) -> str:
        """What it is called in a report: its folder, or the one above for `…/repo`, `.git`."""
        found = self.path.name
        if found in ("repo", "repo.git", ".git", "git"):
            found = self.path.parent.name
        return found.removesuffix(".git").replace("+", "/")

    def commits(self, count: int, paths: Sequence[str] = ()) -> list[str]:
        """The last `count` commits of the branch, those that change `paths` where given; the oldest first."""
        words = ["log", "--first-parent", "-m", f"--max-count={count}", "--format=%H", "HEAD"]
        return self._own(*words, "--", *paths).split()[::-1]

    def show(self, commit: str, path: str) -> str | None:
        """A file's text; None where the commit does not have it."""
        try:
            return self._own("show", f"{commit}:{path}")
        except CloneError:
            return None

    def subject(self, commit: str) -> str:
        """The first line of what a commit says of itself."""
        return self._own("log", "-1", "--format=%s", commit).strip()

    def paths(self, commit: str) -> dict[str, bool]:
        """Every path of a commit; whether it is a folder."""
        found: dict[str, bool] = {}
        for line in self._own("ls-tree", "-r", "-t", "-z", commit).split("\0"):
            head, tab, path = line.partition("\t")
            if tab:
                found[path] = head.split()[1] != "blob"
        return found

    @lru_cache(maxsize=4096)  # noqa: B019 - it lives as long as the run
    def changed(self, old: str, new: str) -> frozenset[str]:
        """The paths that differ between two commits."""
        return frozenset(self._own("diff-tree", "-r", "-z", "--no-renames", "--name-only", old, new).split("\0")) - {""}

    def check_out(self, commit: str) -> None:
        """Lay the commit out in `tree`: files that did not change keep their times."""
        self._own(f"--work-tree={self.tree}", "checkout", "--quiet", "--force", "--detach", commit)

    def _own(self, *words: str) -> str:
        return self._run(f"--git-dir={self._git}", *words)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", *words],
            env={**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, **_QUIET},
            cwd=self.tree,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise CloneError(f"{self.path}: git {words[0]}: {' '.join(said)}")
        return done.stdout.decode(errors="surrogateescape")
