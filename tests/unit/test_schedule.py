"""When to build: every rule of the watch, with a clock of the test's own, and random histories."""

import heapq
from dataclasses import dataclass, field
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitmiss.schedule import Action, OnChange, Schedule

SETTLE, MAX_WAIT = 0.1, 2.0


@dataclass
class World:
    """Carries out what a schedule says.

    Builds take `build_s`, a cancelled one still `cancel_s`; ticks come `late_s` late.
    """

    mode: OnChange = OnChange.RESTART
    build_s: float = 1.0
    cancel_s: float = 0.03
    late_s: float = 0.0
    saves_first: bool = False
    """Whether a save that comes with a tick is told before it."""
    now: float = 0.0
    starts: list[float] = field(default_factory=list)
    canceled: list[float] = field(default_factory=list)
    """When the builds were started that were cancelled."""
    done: list[float] = field(default_factory=list)
    """When the builds were started that came to their end."""
    saves: list[float] = field(default_factory=list)
    building: bool = False
    canceling: bool = False

    def __post_init__(self) -> None:
        self.schedule = Schedule(self.mode, settle_s=SETTLE, max_wait_s=MAX_WAIT)
        self._number = count()
        self._events: list[tuple[float, int, int, str]] = []

    def plan(self, at: float, what: str) -> None:
        order = {"save": 0 if self.saves_first else 2}.get(what, 1)
        heapq.heappush(self._events, (at, order, next(self._number), what))

    def save(self, *at: float) -> "World":
        for moment in at:
            self.plan(moment, "save")
        return self

    def run(self, until: float = float("inf")) -> "World":
        """Let everything that is planned happen, and all that comes of it."""
        while self._events and self._events[0][0] <= until:
            self.now, _, _, what = heapq.heappop(self._events)
            self.obey(self.happens(what))
        self.now = max(self.now, until) if until < float("inf") else self.now
        return self

    def happens(self, what: str) -> Action:
        schedule = self.schedule
        if what == "save":
            self.saves.append(self.now)
            return schedule.saved(self.now)
        if what.startswith("end"):
            if not self.building or what.split()[1] != str(len(self.starts)):
                return Action.NOTHING
            (self.canceled if what.endswith("canceled") else self.done).append(self.starts[-1])
            self.building = self.canceling = False
            return schedule.ended(self.now)
        if what == "tick":
            return schedule.tick(self.now)
        if what == "pause":
            return schedule.pause(not schedule.paused)
        if what == "switch":
            return schedule.switch(schedule.mode.next)
        if what == "cancel":
            return schedule.canceled()
        return schedule.requested(whole=what == "request whole")

    def obey(self, action: Action) -> None:
        if action is Action.START:
            assert not self.building, "two builds at once"
            self.building = True
            self.starts.append(self.now)
            self.plan(self.now + self.build_s, f"end {len(self.starts)}")
        elif action is Action.CANCEL:
            assert self.building, "there is nothing to cancel"
            assert not self.canceling, "it is being cancelled already"
            self.canceling = True
            self.plan(self.now + self.cancel_s, f"end {len(self.starts)} canceled")
        assert self.schedule.building == self.building
        if self.schedule.deadline is not None:
            self.plan(max(self.now, self.schedule.deadline) + self.late_s, "tick")


# --- one rule each --------------------------------------------------------------------


def test_a_lone_save_starts_at_once_and_once() -> None:
    world = World().save(5.0).run()
    assert world.starts == [5.0]
    assert world.canceled == []


def test_saves_in_the_quiet_period_cost_one_start() -> None:
    world = World().save(5.0, 5.05, 5.1, 5.19).run()
    assert world.starts == [5.0, pytest.approx(5.29)]
    assert world.canceled == [5.0]


def test_the_quiet_period_counts_from_the_last_save() -> None:
    world = World(build_s=0.01).save(5.0, 5.09, 5.18).run(5.27)
    assert world.starts == [5.0]
    world.run(5.3)
    assert world.starts == [5.0, pytest.approx(5.28)]


def test_a_save_after_the_quiet_period_is_a_lone_one() -> None:
    world = World(build_s=0.01).save(5.0, 5.2).run()
    assert world.starts == [5.0, 5.2]


def test_a_build_that_ended_within_the_quiet_period_is_not_cancelled() -> None:
    world = World(build_s=0.04).save(5.0, 5.05).run()
    assert (world.starts, world.canceled) == ([5.0, pytest.approx(5.15)], [])


def test_the_wait_has_an_end() -> None:
    world = World(build_s=0.5).save(*(5 + n * 0.05 for n in range(100))).run()
    assert world.starts[:2] == [5.0, pytest.approx(7.0)]
    assert world.done[0] == pytest.approx(7.0), "saves that go on do not cancel it"
    assert world.done[-1] >= world.saves[-1]


@pytest.mark.parametrize("saves_first", [False, True])
@pytest.mark.parametrize("late_s", [0.0, 0.02])
def test_a_storm_without_end_makes_progress(saves_first: bool, late_s: float) -> None:
    world = World(build_s=1.0, saves_first=saves_first, late_s=late_s).save(*(n * 0.05 for n in range(600))).run(30.0)
    assert len(world.done) >= 8
    assert len(world.canceled) <= 1


def test_a_save_during_a_build_cancels_it_and_starts_again() -> None:
    world = World().save(5.0, 5.5).run()
    assert world.canceled == [5.0]
    assert world.starts == [5.0, pytest.approx(5.53)], "at once, without a quiet period"


def test_saves_while_it_is_being_cancelled_wait_for_quiet() -> None:
    world = World().save(5.0, 5.5, 5.51, 5.56).run()
    assert world.starts == [5.0, pytest.approx(5.66)]


def test_a_client_that_is_slow_to_end_does_not_hold_a_save_up() -> None:
    world = World(build_s=9.0, cancel_s=0.6).save(5.0, 5.5).run()
    assert world.starts == [5.0, pytest.approx(6.1)]


def test_queue_waits_for_the_build() -> None:
    world = World(OnChange.QUEUE).save(5.0, 5.5, 5.7).run()
    assert world.starts == [5.0, 6.0]
    assert world.canceled == []


def test_queue_still_gathers_a_burst() -> None:
    world = World(OnChange.QUEUE).save(5.0, 5.05, 5.1).run()
    assert (world.starts, world.canceled) == ([5.0, pytest.approx(5.2)], [5.0])


def test_queue_waits_for_quiet_when_the_build_ends_in_the_middle_of_a_burst() -> None:
    world = World(OnChange.QUEUE).save(5.0, 5.95, 6.02).run()
    assert world.starts == [5.0, pytest.approx(6.12)]


def test_manual_builds_nothing_but_says_so() -> None:
    world = World(OnChange.MANUAL).save(5.0, 5.5).run()
    assert world.starts == []
    assert world.schedule.stale
    world.plan(6.0, "request")
    assert world.run().starts == [6.0]
    assert not world.schedule.stale


def test_leaving_manual_builds_what_was_saved_meanwhile() -> None:
    world = World(OnChange.MANUAL).save(5.0)
    world.plan(6.0, "switch")
    assert world.run().starts == [6.0]
    assert world.schedule.mode is OnChange.RESTART


def test_a_pause_builds_nothing_and_its_end_what_was_saved() -> None:
    world = World().save(5.0, 5.5)
    world.plan(4.0, "pause")
    assert world.run().starts == []
    world.plan(6.0, "pause")
    assert world.run().starts == [6.0]


def test_a_pause_that_saw_no_save_ends_without_a_build() -> None:
    world = World()
    world.plan(4.0, "pause")
    world.plan(6.0, "pause")
    assert world.run().starts == []


def test_a_pause_does_not_stop_the_build_and_holds_what_waits() -> None:
    world = World(OnChange.QUEUE).save(5.0, 5.5)
    world.plan(5.6, "pause")
    world.run()
    assert (world.starts, world.done) == ([5.0], [5.0])
    world.plan(9.0, "pause")
    assert world.run().starts == [5.0, 9.0]


def test_resuming_in_the_middle_of_a_burst_waits_for_quiet() -> None:
    world = World(build_s=0.01).save(5.0, 5.05)
    world.plan(5.06, "pause")
    world.plan(5.08, "pause")
    assert world.run().starts == [5.0, pytest.approx(5.15)]


def test_a_request_starts_at_once_or_takes_the_running_builds_place() -> None:
    world = World()
    world.plan(5.0, "request")
    world.plan(5.5, "request")
    world.plan(5.51, "request")
    assert world.run().starts == [5.0, pytest.approx(5.53)]
    assert world.canceled == [5.0]


def test_a_request_while_it_is_paused_or_manual() -> None:
    for world in (World(), World(OnChange.MANUAL)):
        world.plan(1.0, "pause")
        world.save(2.0)
        world.plan(3.0, "request")
        world.plan(3.5, "request")
        assert world.run().starts == [3.0, pytest.approx(3.53)]


def test_a_save_restarts_a_build_that_was_asked_for() -> None:
    world = World(build_s=60.0).save(30.0)
    world.plan(5.0, "request")
    assert world.run().starts == [5.0, pytest.approx(30.03)]


def test_a_save_waits_for_the_end_of_a_whole_build() -> None:
    world = World(build_s=10.0).save(7.0, 8.0)
    world.plan(5.0, "request whole")
    assert world.run().starts == [5.0, 15.0]
    assert world.canceled == []


def test_a_whole_build_that_was_asked_for_during_a_build_stays_whole() -> None:
    world = World(build_s=10.0).save(7.0)
    world.plan(5.0, "request")
    world.plan(6.0, "request whole")
    assert world.run().starts == [5.0, pytest.approx(6.03), pytest.approx(16.03)]


def test_a_user_who_cancels_means_it() -> None:
    world = World().save(5.0, 5.05)
    world.plan(5.06, "cancel")
    world.run()
    assert world.starts == [5.0]
    assert world.canceled == [5.0]
    assert world.save(9.0).run().starts == [5.0, 9.0], "the next save counts again"


def test_cancelling_a_restart_that_has_begun_to_cancel() -> None:
    world = World().save(5.0, 5.5)
    world.plan(5.51, "cancel")
    assert world.run().starts == [5.0]


def test_cancelling_takes_back_a_request() -> None:
    world = World()
    world.plan(5.0, "request")
    world.plan(5.5, "request")
    world.plan(5.51, "cancel")
    assert world.run().starts == [5.0]


def test_cancelling_nothing_does_nothing() -> None:
    world = World()
    world.plan(5.0, "cancel")
    assert world.run().canceled == []


def test_cancelling_while_it_settles_starts_nothing() -> None:
    world = World(build_s=0.01).save(5.0, 5.05)
    world.plan(5.08, "cancel")
    assert world.run().starts == [5.0]


def test_settling_is_told() -> None:
    world = World(build_s=0.01).save(5.0, 5.05).run(5.06)
    assert world.schedule.settling
    assert not world.run().schedule.settling


def test_a_save_that_waits_is_told() -> None:
    schedule = Schedule(OnChange.QUEUE, settle_s=0.0)
    schedule.saved(1.0)
    assert not schedule.waiting
    schedule.saved(2.0)
    assert schedule.waiting
    schedule.switch(OnChange.MANUAL)
    assert not schedule.waiting, "nothing will build it"
    schedule.switch(OnChange.RESTART)
    schedule.saved(3.0)
    assert not schedule.waiting, "the build is being cancelled"


def test_no_quiet_period_at_all() -> None:
    schedule = Schedule(settle_s=0.0)
    assert schedule.saved(1.0) is Action.START
    assert schedule.ended(2.0) is Action.NOTHING
    assert schedule.saved(3.0) is Action.START
    assert schedule.saved(3.1) is Action.CANCEL
    assert schedule.ended(3.2) is Action.START


def test_the_modes_go_round() -> None:
    assert [mode.next for mode in OnChange] == [OnChange.QUEUE, OnChange.MANUAL, OnChange.RESTART]


# --- any history ------------------------------------------------------------------------


MOMENTS = st.lists(st.integers(0, 4000), min_size=1, max_size=40).map(lambda each: [number / 1000 for number in each])
WORLDS = st.builds(
    World,
    mode=st.sampled_from([OnChange.RESTART, OnChange.QUEUE]),
    build_s=st.sampled_from([0.001, 0.04, 0.3, 1.0, 5.0]),
    cancel_s=st.sampled_from([0.001, 0.03, 0.6]),
    late_s=st.sampled_from([0.0, 0.005, 0.05]),
    saves_first=st.booleans(),
)
DEEDS = st.sampled_from(["save", "save", "save", "request", "request whole", "cancel", "pause", "switch"])


@settings(max_examples=300, deadline=None)
@given(WORLDS, MOMENTS)
def test_every_save_is_built(world: World, moments: list[float]) -> None:
    world.save(*moments).run()
    assert world.done, "nothing was built"
    assert world.done[-1] >= max(world.saves)
    assert len(world.starts) == len(world.done) + len(world.canceled)


@settings(max_examples=300, deadline=None)
@given(WORLDS, st.lists(st.integers(1, 99), min_size=1, max_size=20))
def test_a_burst_costs_one_start_at_most(world: World, gaps: list[int]) -> None:
    moments = [5.0]
    for gap in gaps:
        moments.append(moments[-1] + gap / 1000)
    world.save(*moments).run()
    assert len(world.canceled) <= 1
    assert world.starts[0] == 5.0
    assert world.done[-1] >= moments[-1]
    if moments[-1] - moments[0] < MAX_WAIT - SETTLE:
        assert len(world.starts) == 2, "the first start, and one when it was quiet"


@settings(max_examples=400, deadline=None)
@given(WORLDS, st.lists(st.tuples(st.integers(0, 8000), DEEDS), max_size=40))
def test_whatever_is_done_there_is_one_build_at_a_time_and_none_is_forgotten(
    world: World, deeds: list[tuple[int, str]]
) -> None:
    for moment, what in deeds:
        world.plan(moment / 1000, what)
    world.run()
    assert not world.building
    assert not world.schedule.settling
    ends = sorted(moment / 1000 for moment, what in deeds if what == "cancel")
    last = max(world.saves, default=-1.0)
    automatic = not world.schedule.paused and world.schedule.mode is not OnChange.MANUAL
    if automatic and world.saves and not any(end >= last for end in ends):
        assert world.done, "nothing was built"
        assert world.done[-1] >= last
        assert not world.schedule.stale


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=150, max_size=300), st.sampled_from([0.05, 0.5, 1.5]), st.booleans())
def test_a_storm_never_starves(gaps: list[int], build_s: float, saves_first: bool) -> None:
    moments = [0.0]
    for gap in gaps:
        moments.append(moments[-1] + gap / 1000)
    world = World(build_s=build_s, saves_first=saves_first).save(*moments).run()
    longest = max(later - earlier for earlier, later in pairwise([0.0, *world.done]))
    assert longest <= build_s + MAX_WAIT + 2 * SETTLE
