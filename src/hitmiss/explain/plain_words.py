"""A step and its miss for somebody who is new to BuildKit: one sentence on the instruction, one on what happened."""

from __future__ import annotations

import re

from hitmiss.build.model import CauseKind, Planned, Step, Verdict
from hitmiss.symbols import plain

_KEYWORDS = {
    "FROM": "FROM starts from another image; BuildKit compares that image's digest, not its name.",
    "COPY": "COPY puts files into the image; BuildKit compares their names, modes and bytes, not their times.",
    "ADD": "ADD puts files into the image; BuildKit compares their names, modes and bytes, not their times.",
    "RUN": "RUN runs a command on what the steps above made; BuildKit compares the command and what it starts from, "
    "never what it fetches.",
    "WORKDIR": "WORKDIR makes a folder and goes there; it hits as long as nothing above it changes.",
}
_COPY_FROM = "This copies out of `{}`; BuildKit compares the bytes it finds there, however they came to be."
_ADD_REMOTE = "ADD fetches from a URL; BuildKit compares what the server offers now with what it has."
_FAILED = "It failed, so there is nothing for what is built on it to start from."
_CACHE_MOUNT = "What is in its cache mount does not count, and stays for the next run."

_CAUSES = {
    CauseKind.FIRST_BUILD: "There was nothing to take it from yet; the next build of the same will hit.",
    CauseKind.FILES_CHANGED: "What it reads is not what it was, so it ran, and with it all that is built on it.",
    CauseKind.INSTRUCTION_CHANGED: "Another text is another step to BuildKit, even if it does the same.",
    CauseKind.ARGUMENT_CHANGED: "From the line of its ARG on, a build argument is part of every RUN below it: "
    "an ARG further down spoils less.",
    CauseKind.ENVIRONMENT_CHANGED: "ENV, WORKDIR, USER and SHELL are part of every step below them.",
    CauseKind.BASE_IMAGE_CHANGED: "All that stands on a base is built anew when the base is another one; "
    "a digest in FROM keeps an image the same.",
    CauseKind.STEP_INSERTED: "Each step stands on the one above it, so a new one makes those below it run.",
    CauseKind.STEP_REMOVED: "Each step stands on the one above it, so without that one those below it run.",
    CauseKind.STAGE_OUTPUT_CHANGED: "The other stage ran and wrote something else than before.",
    CauseKind.PARENT_MISSED: "Each step stands on the one above it: when that one runs, so does this.",
    CauseKind.REMOTE_CHANGED: "The far end has something new, so it was fetched and all below it ran.",
    CauseKind.PLATFORM_CHANGED: "Each platform has results of its own.",
    CauseKind.NO_CACHE: "Without being told so, it could have come from the cache.",
    CauseKind.EVICTED: "Caches have a size limit and can be pruned; once built again it is back.",
    CauseKind.UNKNOWN: "This should not happen: please report it with the Dockerfile.",
}


def plain_words(step: Step) -> str:
    """One or two sentences; "" for BuildKit's own work."""
    if step.verdict is Verdict.INTERNAL:
        return ""
    said = [_instruction(step)]
    told = step.verdict not in (Verdict.HIT, Verdict.SKIPPED) and step.planned is not Planned.HIT
    if step.verdict is Verdict.FAILED:
        said.append(_FAILED)
    elif step.cause and (told or step.verdict is Verdict.MISS):
        said.append(_CAUSES[step.cause.kind])
    return " ".join(part for part in said if part)


def _instruction(step: Step) -> str:
    text = step.instruction
    keyword = text.partition(" ")[0].upper()
    source = re.search(r"^\S+\s+(?:--\S+\s+)*?--from=(\S+)", text)
    if keyword == "COPY" and source:
        return _COPY_FROM.format(plain(source[1]))
    if keyword == "ADD" and re.search(r"\s(?:https?://|git@|git://|ssh://)", text):
        return _ADD_REMOTE
    said = _KEYWORDS.get(keyword, "")
    return f"{said} {_CACHE_MOUNT}" if keyword == "RUN" and "type=cache" in text else said
