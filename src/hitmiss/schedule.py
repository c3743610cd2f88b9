"""When to build: saves, requests and ends of builds → start, cancel or wait.

A state machine without a clock of its own: every call says what time it is (seconds, any origin), and `deadline` says
when to call `tick` next. It starts nothing itself; the session carries out the `Action` that each call returns.

The first save starts a build at once. If more saves follow within the quiet period, that start is cancelled, and one
build starts when it is quiet, or when `max_wait_s` has passed. So a lone save waits for nothing, and a `git checkout`
costs one wasted start.
"""

from __future__ import annotations

from enum import StrEnum


class OnChange(StrEnum):
    """What a save does, above all during a build."""

    RESTART = "restart"
    QUEUE = "queue"
    MANUAL = "manual"
    """No save starts a build; it only says that the image is out of date."""

    @property
    def next(self) -> OnChange:
        """The mode that the toggle key goes to."""
        modes = list(OnChange)
        return modes[(modes.index(self) + 1) % len(modes)]


class Action(StrEnum):
    """What the caller is to do now."""

    NOTHING = "nothing"
    START = "start"
    CANCEL = "cancel"


class Schedule:
    """Idle, building, settling or waiting; see the module's own text."""

    def __init__(self, mode: OnChange = OnChange.RESTART, *, settle_s: float = 0.1, max_wait_s: float = 2.0) -> None:
        self.mode = mode
        self.paused = False
        self.building = False
        self.stale = False
        """Changes wait that the running or last build has not seen."""
        self._settle_s = settle_s
        self._max_wait_s = max(max_wait_s, settle_s)
        self._canceling = False
        self._asked = self._asked_whole = False
        self._whole = False
        self._burst_began: float | None = None
        self._last_save = float("-inf")
        self._quiet_at: float | None = None
        self._eager = False
        self._early = False
        self._forced = False

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called, None when nothing is waited for."""
        return self._quiet_at

    @property
    def settling(self) -> bool:
        """Whether a build waits for the saves to end."""
        return self.stale and not self.building and self._quiet_at is not None and self._automatic

    @property
    def waiting(self) -> bool:
        """Whether what was saved waits for the end of the running build, which goes on."""
        return self.stale and self.building and not self._canceling and self._automatic

    @property
    def _automatic(self) -> bool:
        return not self.paused and self.mode is not OnChange.MANUAL

    def saved(self, now: float) -> Action:
        """A change was seen that the target reads."""
        in_burst = self._quiet_at is not None and now < self._quiet_at
        same_storm = now - self._last_save < self._settle_s
        overdue = self.settling and not in_burst and same_storm
        self._last_save = now
        self.stale = True
        if not self._automatic:
            return Action.NOTHING
        if overdue:  # the longest wait is over, and this save came in before its tick
            self._quiet_at = None
            return self._start(forced=True)
        if not in_burst:
            self._burst_began = now
        began = self._burst_began if self._burst_began is not None else now
        self._quiet_at = min(now + self._settle_s, began + self._max_wait_s)
        if not self.building:
            return Action.NOTHING if in_burst else self._start(early=True)
        if self._canceling:
            self._eager = self._eager and not in_burst
            return Action.NOTHING
        if in_burst and self._early:
            return self._cancel(eager=False)
        if self.mode is OnChange.QUEUE or (self._forced and same_storm) or self._whole:
            return Action.NOTHING
        return self._cancel(eager=not in_burst)

    def tick(self, now: float) -> Action:
        """The deadline has come."""
        if self._quiet_at is None or now < self._quiet_at:
            return Action.NOTHING
        quiet = now - self._last_save >= self._settle_s
        self._quiet_at = None
        if self.stale and not self.building and self._automatic:
            return self._start(forced=not quiet)
        return Action.NOTHING

    def requested(self, *, whole: bool = False) -> Action:
        """The user asks for a build, whatever the mode: now, or as soon as the running one is cancelled.

        No save cancels a `whole` one (a build without cache would be lost by it): the save waits for its end.
        """
        if not self.building:
            return self._start(whole=whole)
        self._asked, self._asked_whole = True, whole
        return Action.NOTHING if self._canceling else self._cancel(eager=True)

    def canceled(self) -> Action:
        """The user cancels the running build; what waited is not started by it."""
        self._asked = self.stale = False
        self._quiet_at = None
        if not self.building or self._canceling:
            return Action.NOTHING
        return self._cancel(eager=False)

    def ended(self, now: float) -> Action:
        """The running build is over, however it ended."""
        self.building = self._canceling = self._forced = self._early = self._whole = False
        if self._asked:
            return self._start(whole=self._asked_whole)
        if not (self.stale and self._automatic):
            return Action.NOTHING
        if self._eager:
            return self._start(early=True)
        if self._quiet_at is None or now >= self._quiet_at:
            self._quiet_at = None
            return self._start()
        return Action.NOTHING

    def pause(self, paused: bool) -> Action:
        """The watch is paused or resumed; resuming builds what was saved meanwhile."""
        self.paused = paused
        return self._catch_up()

    def switch(self, mode: OnChange) -> Action:
        """Another answer to a save; leaving `manual` builds what was saved meanwhile."""
        self.mode = mode
        return self._catch_up()

    def _catch_up(self) -> Action:
        if self.stale and not self.building and self._automatic and not self.settling:
            return self._start()
        return Action.NOTHING

    def _start(self, *, early: bool = False, forced: bool = False, whole: bool = False) -> Action:
        self.building, self.stale, self._eager, self._asked = True, False, False, False
        self._early, self._forced, self._whole = early, forced, whole
        return Action.START

    def _cancel(self, *, eager: bool) -> Action:
        self._canceling, self._eager = True, eager
        return Action.CANCEL
