"""Steps whose inputs are not what they seem: one quiet sentence each. Pure.

What BuildKit does not look at cannot make it miss: the bytes of a file whose size and time stayed (fsutil compares
those before a file is sent), the mode of a folder that it has, the value of a secret, what a command fetched from the
network. And of what changed while it was sent nobody knows which bytes were read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from hitmiss.build.model import Planned, Verdict
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.operations import Kind, Selected

OLD_DAYS = 14
"""So old may be what was fetched before it is worth a line."""


class Stale(NamedTuple):
    """What BuildKit did not see change: the paths of files with other bytes, and of folders with another mode."""

    files: Sequence[str] = ()
    folders: Sequence[str] = ()


Unseen = Callable[[str, tuple[Selected, ...]], Stale]
"""Context, what is read of it → what BuildKit did not see change there."""

_FETCHES = re.compile(
    r"\bapt(?:-get)?\s+(?:-\S+\s+)*update\b|\bapk\s+(?:-\S+\s+)*(?:add|update|upgrade)\b"
    r"|\b(?:dnf|yum|microdnf|zypper)\s+(?:-\S+\s+)*(?:install|update|upgrade)\b"
    r"|\bpip3?\s+install\b(?!.*(?:==|--require-hashes|-r\s))|\bnpm\s+(?:install|i)\b(?!\s+\S+@\d)|\bgem\s+install\b"
    r"|\bgo\s+install\s+\S+@latest\b|\bcargo\s+install\b(?!.*--locked)|\bcurl\s|\bwget\s|\bgit\s+clone\b"
)


def alarms(
    facts: BuildFacts,
    past: Sequence[BuildFacts],
    unseen: Unseen,
    *,
    now: float,
    sent: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> dict[str, str]:
    """One sentence for each step that deserves it, by the step's id; `now` in seconds since 1970.

    `past` are earlier builds, the latest first. `sent` has by the place of an operation the paths that it read and
    that changed while they were sent.
    """
    found: dict[str, str] = {}
    for step in facts.steps:
        said = ""
        if step.verdict.looked_at and step.operation in sent:
            said = _moving(sent[step.operation])
        elif step.verdict is Verdict.HIT and step.operation >= 0:
            said = _unseen(facts, step, unseen) or _secret(facts, step, past) or _old(facts, step, past, now)
        if said:
            found[step.id] = said
    return found


def open_question(facts: BuildFacts, step: StepFacts, past: Sequence[BuildFacts]) -> str:
    """Why nobody knows whether a planned step is in the cache; "" where that is known."""
    if step.operation < 0 or step.planned is not Planned.DEPENDS:
        return ""
    key = facts.keys[step.operation]
    for build in past:
        if key in build.doubted:
            return f"Files changed while build {build.number} was sent them: whether it made this step is not sure."
    return ""


def _moving(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    they = "they were" if more else "it was"
    return (
        f"{paths[0]}{more} changed while {they} being sent: what this step read is not sure; the next build will tell."
    )


def _unseen(facts: BuildFacts, step: StepFacts, unseen: Unseen) -> str:
    for each in facts.operations.all[step.operation].inputs:
        source = facts.operations.all[each.operation]
        if not each.selected or source.kind is not Kind.LOCAL:
            continue
        files, folders = unseen(source.value("name"), each.selected)
        if files:
            more = f" and {len(files) - 1} more" if len(files) > 1 else ""
            return f"{files[0]}{more} changed, but not in size and time: BuildKit used the old bytes; `touch` it."
        if folders:
            more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
            return f"The mode of {folders[0]}/{more} changed: BuildKit keeps that of a folder that it has."
    return ""


def _secret(facts: BuildFacts, step: StepFacts, past: Sequence[BuildFacts]) -> str:
    operation = facts.operations.all[step.operation]
    used = operation.value("mounts") + operation.value("secrets")
    names = [name for name in facts.secrets if f'"{name}"' in used]
    if not names:
        return ""
    made = _made(facts, step, past)
    changed = [name for name in names if made and made.secrets.get(name, facts.secrets[name]) != facts.secrets[name]]
    if made is None or not changed:
        return ""
    return f"The secret {changed[0]} changed since build {made.number} ran this step: secrets are no part of the key."


def _old(facts: BuildFacts, step: StepFacts, past: Sequence[BuildFacts], now: float) -> str:
    operation = facts.operations.all[step.operation]
    if operation.kind is not Kind.EXEC or not _FETCHES.search(step.text):
        return ""
    made = _made(facts, step, past)
    if made is None:
        return ""
    days = int((now - made.started) / 86_400)
    return f"What it fetched is {days} days old: it ran in build {made.number}." if days > OLD_DAYS else ""


def _made(facts: BuildFacts, step: StepFacts, past: Sequence[BuildFacts]) -> BuildFacts | None:
    """The build that ran the step of that key last."""
    key = facts.keys[step.operation]
    for build in past:
        for each in build.steps:
            if each.ran and each.operation >= 0 and build.keys[each.operation] == key:
                return build
    return None
