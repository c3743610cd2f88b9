"""A few whole screens, compared with those that somebody has looked at (`pytest --snapshot-update` makes them anew)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from hitmiss.build.model import Check, Status
from hitmiss.schedule import OnChange
from hitmiss.snapshot import Snapshot
from hitmiss.ui.app import HitmissApp
from tests.support.subject import snapshot, webapp
from tests.support.wait import wait_for_async
from tests.ui.telling import Scripted

Compare = Callable[..., bool]
LOG = b"Collecting flask\n\x1b[32mInstalling\x1b[0m flask 3.1.2\r\x1b[2KInstalled flask \xe6\xbc\xa2\xe5\xad\x97\n"
EXCERPT = (
    "Dockerfile:10",
    "   8 |     FROM base AS assets",
    "   9 |     COPY tools/ tools/",
    "  10 | >>> RUN sh tools/bundle.sh static /out",
    "ERROR: failed to solve: exit code: 1",
)
ERROR = 'process "/bin/sh -c sh tools/bundle.sh static /out" did not complete successfully: exit code: 1'
BUILDING = webapp("hhhr .. ...")
SAVED = webapp(
    "hhhh hh hmm", Status.SUCCEEDED, 3, checks=(Check("JSON arguments are better", "", "", "Dockerfile", 15),)
)
ALL_HIT = webapp("hhhh hh hhh", Status.SUCCEEDED, 2)
FAILED = webapp("hhhm mf sss", Status.FAILED, 4, error=ERROR, text=EXCERPT)
UNREAD = "README.md: no step of final reads it"
WIDE, SMALL = (120, 36), (80, 24)

SCREENS: dict[str, tuple[Snapshot, tuple[int, int], str, list[str]]] = {
    "building": (snapshot(BUILDING), WIDE, "", []),
    "all-hit": (snapshot(ALL_HIT), WIDE, "", []),
    "failure": (snapshot(FAILED), WIDE, "", []),
    "dockerfile": (snapshot(SAVED), WIDE, "", ["d"]),
    "queue-and-message": (snapshot(ALL_HIT, message=UNREAD, on_change=OnChange.QUEUE), WIDE, "", []),
    "80x24": (snapshot(SAVED), SMALL, "", []),
    "light": (snapshot(SAVED), WIDE, "hitmiss-light", []),
    "20x5": (snapshot(BUILDING), (20, 5), "", []),
}  # fmt: skip


def scripted(first: Snapshot) -> Scripted:
    subject = Scripted(first)
    for step_id in ("base:4", "assets:2", "final:2"):
        subject.write(step_id, LOG)
    return subject


@pytest.mark.parametrize("name", SCREENS)
def test_screen(name: str, snap_compare: Compare) -> None:
    first, size, theme_name, keys = SCREENS[name]
    subject = scripted(first)

    async def settled(pilot: Pilot[int]) -> None:
        await wait_for_async(subject.started.is_set, 10, "the subject to run")
        await pilot.press(*keys)
        drawn = subject.drawn
        subject.on_change()
        await wait_for_async(lambda: subject.drawn > drawn, 10, "a draw")
        await pilot.pause()

    assert snap_compare(HitmissApp(subject, theme_name=theme_name), terminal_size=size, run_before=settled)
