"""What a failure is recognised from, and what is said of it: values, and the few words that every recogniser needs.

Pure: what lies on the disk is asked of callables that the caller gives.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hitmiss.build.model import Build, Step

HUB = "Docker Hub"
_HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io", "auth.docker.io")


@dataclass(frozen=True, slots=True)
class Advice:
    """One sentence that says what is wrong and names the thing, and one that says what to do next."""

    sentence: str
    mend: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.mend}".rstrip()


def _nothing(_: str) -> str:
    return ""


def _empty(_: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the project, for whoever looks for what was meant. Everything may be missing.

    `stages` are the stages' names in the Dockerfile's order, `bases` the image that each is built on in the end (by its
    shown name), `makes` the target that makes an image (by its name as people write it), `images` the names of images
    that are there, `given` the ids of the secrets that are given, `context` the context as given, `own` the builder's
    platform. Of a path in the context, without a slash in front: `entries` are the names in that folder, `rule` is the
    ignore rule that leaves it out, `leads` where a link leads that leaves the context, `windows` the path of a file of
    that name whose lines end as Windows ends them; "" for none. `odd` is the path of a file whose name is not UTF-8, as
    far as it can be shown.
    """

    stages: tuple[str, ...] = ()
    bases: Mapping[str, str] = field(default_factory=dict)
    makes: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    context: str = "."
    own: str = ""
    ignore_file: str = ".dockerignore"
    entries: Callable[[str], Sequence[str]] = _empty
    rule: Callable[[str], str] = _nothing
    leads: Callable[[str], str] = _nothing
    windows: Callable[[str], str] = _nothing
    odd: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Case:
    """A failed build as a recogniser sees it: the client's last sentence, the failed step and the end of its output."""

    error: str
    build: Build
    output: tuple[str, ...] = ()
    known: Known = Known()

    @property
    def step(self) -> Step | None:
        """The step that the error speaks of."""
        failed = [step for step in self.build.steps if step.error and step.error in self.error]
        return failed[0] if failed else self.build.failed_step

    @property
    def line(self) -> str:
        """The line of the Dockerfile that the client points at, without its arrow."""
        pointed = (re.search(r"^\s*\d+ \| >>> (.*)", line) for line in self.build.text)
        return next((found[1].strip() for found in pointed if found), "")

    def said(self, pattern: str) -> re.Match[str] | None:
        """The last line of the step's output in which the pattern is found."""
        found = (re.search(pattern, line) for line in reversed(self.output))
        return next((match for match in found if match), None)


def meant(name: str, names: Iterable[str]) -> str:
    """`Did you mean x?` for the closest of `names`, "" where none is close."""
    close = difflib.get_close_matches(name, [each for each in names if each != name], 1, 0.72)
    return f"Did you mean {close[0]}?" if close else ""


def familiar(image: str) -> str:
    """An image's name as people write it, with its tag."""
    for prefix in ("docker.io/library/", "docker.io/"):
        if image.startswith(prefix):
            image = image.removeprefix(prefix)
            break
    return re.sub(r"@sha256:[0-9a-f]{12,}$", "", image)


def host_of(image: str) -> str:
    """The registry that an image's name means: the part before the first slash where it is a host."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def registry(host: str) -> str:
    """A registry's name for people."""
    return HUB if host in _HUB_HOSTS else host


def login(host: str) -> str:
    """The command that makes oneself known to a registry."""
    return "docker login" if host in _HUB_HOSTS else f"docker login {host}"
