"""What goes in and out of a build beside its steps: caches that are imported and exported, images and files. Pure.

BuildKit tells of them among its own work; its words are those of `solver/llbsolver`, `cache/remotecache` and
`exporter/*`, and buildx's own for a push or a load by docker.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from hitmiss.build.model import Build, Note, Status, Step, Verdict
from hitmiss.build.trouble_images import missing_caches


class Way(StrEnum):
    """Where it goes."""

    CACHE_IN = "cache from"
    CACHE_OUT = "cache to"
    PUSH = "push"
    LOAD = "image"
    FILES = "write"


class Transfer(msgspec.Struct, frozen=True):
    """One of them; `work` is the piece of BuildKit's own work, `what` its name for people, `words` what came of it.

    `bytes` is None where it is not known.
    """

    way: Way
    what: str
    work: Step
    words: str = ""
    bytes: int | None = None


_IMPORT = re.compile(r"importing cache manifest from (.*)$")
_CACHE = re.compile(r"exporting cache(?: to (.*))?$")
_EXPORT = re.compile(r"exporting to (.*)$")
_BY_DOCKER = re.compile(r"(pushing (\S+) with docker|importing to docker(?: (\S+))?)$")
_WRITTEN = re.compile(r"writing layer (sha256:[0-9a-f]+)$")
_FILES = {
    "client directory": "a folder",
    "client tarball": "a tar file",
    "oci image format": "an OCI archive",
    "docker image format": "a docker archive",
}


def transfers(build: Build) -> tuple[Transfer, ...]:
    """All of a build, in the order in which they began."""
    missing = {each.work: each for each in missing_caches(build) if each.work}
    found = [each for work in build.internals if (each := _transfer(work, build))]
    came = [each for each in found if each.way is Way.CACHE_IN and each.work.id not in missing]
    told: list[Transfer] = []
    for each in found:
        if lost := missing.get(each.work.id):
            work = msgspec.structs.replace(each.work, verdict=Verdict.INTERNAL)
            told.append(msgspec.structs.replace(each, work=work, words=f"nothing ({lost.why})"))
        elif each in came and len(came) == 1 and each.work.running_since is None:
            told.append(_imported(each, build))
        else:
            told.append(each)
    for number, lost in enumerate(each for each in missing_caches(build) if not each.work):
        step = Step(f"cache {number}", "", 0, 0, f"importing cache from {lost.ref}", verdict=Verdict.INTERNAL)
        told.append(Transfer(Way.CACHE_IN, lost.ref, step, f"nothing ({lost.why})"))
    return tuple(told)


def shown(build: Build) -> tuple[Transfer, ...]:
    """Those that deserve a line of their own: not the image that an engine builds for itself."""
    return tuple(each for each in transfers(build) if each.way is not Way.LOAD)


def what_failed(build: Build) -> Step | None:
    """What failed the build: a step, or else BuildKit's own work (a push, a base image that is not there)."""
    if build.failed_step or build.status is not Status.FAILED:
        return build.failed_step
    passed_over = {each.work for each in missing_caches(build)}
    failed = (work for work in build.internals if work.verdict is Verdict.FAILED and work.id not in passed_over)
    return next(failed, None)


def fetched(build: Build) -> int:
    """The bytes of layers that were fetched for hits."""
    hits = (step for step in build.steps if step.verdict is Verdict.HIT and _keyword(step) != "FROM")
    pieces = {piece.name: max(piece.current, piece.total) for step in hits for piece in step.pieces}
    return sum(pieces.values())


def cache_layers(work: Step) -> tuple[str, ...]:
    """The digests of the layers that the export of a cache wrote."""
    return tuple(found[1] for piece in work.pieces if (found := _WRITTEN.match(piece.name)))


def _imported(transfer: Transfer, build: Build) -> Transfer:
    hits = sum(step.note is Note.IMPORTED for step in build.steps)
    words = f"{hits} hit{'s' * (hits != 1)}" if build.status.ended else ""
    return msgspec.structs.replace(transfer, words=words, bytes=fetched(build) or None)


def _transfer(work: Step, build: Build) -> Transfer | None:
    text = work.instruction
    known = build.written.get(work.id)
    if found := _IMPORT.match(text):
        return Transfer(Way.CACHE_IN, "a folder" if found[1].startswith("local:") else found[1], work)
    if found := _CACHE.match(text):
        count = len(cache_layers(work))
        words = f"{count} layer{'s' * (count != 1)}" if count else ""
        return Transfer(Way.CACHE_OUT, _place(found[1] or "", work), work, words, known)
    if found := _BY_DOCKER.match(text):
        return Transfer(Way.PUSH if found[2] else Way.LOAD, found[2] or found[3] or "docker", work, bytes=known)
    if found := _EXPORT.match(text):
        return _exported(found[1], work, known)
    return None


def _exported(where: str, work: Step, known: int | None) -> Transfer:
    if where in _FILES:
        sent = next((piece.current for piece in work.pieces if piece.name == "copying files"), None)
        return Transfer(Way.FILES, _FILES[where], work, bytes=sent if known is None else known)
    names = [piece.name.partition(" ")[2][3:] for piece in work.pieces if piece.name.startswith("naming to ")]
    pushing = [piece.name for piece in work.pieces if piece.name.startswith("pushing manifest for ")]
    pushes = pushing or any(piece.name.startswith("pushing ") for piece in work.pieces)
    name = next((each.removeprefix("docker.io/library/").removeprefix("docker.io/") for each in names), "")
    return Transfer(Way.PUSH if pushes else Way.LOAD, "" if name.startswith("moby-dangling") else name, work, "", known)


def _place(words: str, work: Step) -> str:
    """Where a cache goes: BuildKit says of what sort the place is, and rarely which."""
    return {"client directory": "a folder", "registry": "the registry"}.get(words, words)


def _keyword(step: Step) -> str:
    return step.instruction.partition(" ")[0].upper()
