"""Hits whose inputs are not what they seem: one quiet sentence each. Pure.

What BuildKit does not look at cannot make it miss: the bytes of a file whose size and time stayed (fsutil compares
those before a file is sent), the value of a secret, what a command fetched from the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hitmiss.build.model import Verdict
from hitmiss.cache.facts import BuildFacts, StepFacts
from hitmiss.cache.operations import Kind, Selected

OLD_DAYS = 14
"""So old may be what was fetched before it is worth a line."""

Stale = Callable[[str, tuple[Selected, ...]], Sequence[str]]
"""Context, what is read of it → the paths whose bytes BuildKit did not see change."""

_FETCHES = re.compile(
    r"\bapt(?:-get)?\s+(?:-\S+\s+)*update\b|\bapk\s+(?:-\S+\s+)*(?:add|update|upgrade)\b"
    r"|\b(?:dnf|yum|microdnf|zypper)\s+(?:-\S+\s+)*(?:install|update|upgrade)\b"
    r"|\bpip3?\s+install\b(?!.*(?:==|--require-hashes|-r\s))|\bnpm\s+(?:install|i)\b(?!\s+\S+@\d)|\bgem\s+install\b"
    r"|\bgo\s+install\s+\S+@latest\b|\bcargo\s+install\b(?!.*--locked)|\bcurl\s|\bwget\s|\bgit\s+clone\b"
)


def alarms(facts: BuildFacts, past: Sequence[BuildFacts], stale: Stale, *, now: float) -> dict[str, str]:
    """One sentence for each hit that deserves it, by the step's id; `now` in seconds since 1970.

    `past` are earlier builds, the latest first.
    """
    found: dict[str, str] = {}
    for step in facts.steps:
        if step.verdict is Verdict.HIT and step.operation >= 0:
            said = _unseen(facts, step, stale) or _secret(facts, step, past) or _old(facts, step, past, now)
            if said:
                found[step.id] = said
    return found


def _unseen(facts: BuildFacts, step: StepFacts, stale: Stale) -> str:
    for each in facts.operations.all[step.operation].inputs:
        source = facts.operations.all[each.operation]
        if not each.selected or source.kind is not Kind.LOCAL:
            continue
        paths = stale(source.value("name"), each.selected)
        if paths:
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            return f"{paths[0]}{more} changed, but not in size and time: BuildKit used the old bytes; `touch` it."
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
