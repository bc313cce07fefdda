"""How many jobs a queue may claim now, and when it is told to ask again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from staffa.queues.allowance import Allowance
from staffa.queues.slots import Slots
from staffa.queues.spread import Spread
from tests.unit.test_spread import SECONDS, Clock


class Timer:
    """A call that the test makes when its time has come."""

    def __init__(self, at: float, what: Callable[[], None]) -> None:
        self.at, self.what, self.cancelled = at, what, False

    def cancel(self) -> None:
        self.cancelled = True


class Subject:
    """A queue whose timers run when the test says so."""

    def __init__(
        self, clock: Clock, slots: Slots, *, peers: int = 0, cooldown: float = 0, **options: Any
    ) -> None:
        self.clock = clock
        self.timers: list[Timer] = []
        self.told = 0
        self.allowance = Allowance(
            slots, Spread(lambda: peers, clock, lambda: 1.0),
            cooldown=cooldown, call_later=self.call_later, **options,
        )  # fmt: skip
        self.allowance.on_ready = self.tell

    def tell(self) -> None:
        self.told += 1

    def call_later(self, seconds: float, what: Callable[[], None]) -> Timer:
        timer = Timer(self.clock.seconds + seconds, what)
        self.timers.append(timer)
        return timer

    def claim(self, available: int = 1000, free: int = 10) -> int:
        taken = self.allowance.take(self.allowance.most(free, 10))
        found = min(taken, available)
        if taken:
            self.allowance.settle(taken, found)
        return found

    def pass_time(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.run_timers()

    def run_timers(self) -> None:
        due = [timer for timer in self.pending if timer.at <= self.clock.seconds + 1e-9]
        for timer in due:
            self.timers.remove(timer)
            timer.what()

    @property
    def pending(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_nothing_but_its_own_slots_limits_a_queue_by_default(clock: Clock) -> None:
    subject = Subject(clock, Slots())
    assert [subject.claim(), subject.claim(free=3), subject.claim(1)] == [10, 3, 1]
    assert subject.allowance.most(0, 10) == 0
    assert (subject.pending, subject.told) == ([], 0)


def test_a_queue_that_cools_down_claims_nothing_and_asks_again_when_it_may(clock: Clock) -> None:
    subject = Subject(clock, Slots(), cooldown=5.0)
    assert subject.claim(1) == 1
    for _ in range(3):
        assert subject.claim() == 0
    assert len(subject.pending) == 1
    subject.pass_time(4.0)
    assert (subject.told, subject.claim()) == (0, 0)
    subject.pass_time(1.0)
    assert (subject.told, subject.claim()) == (1, 10)


def test_a_queue_whose_outcomes_wait_claims_nothing_and_keeps_no_slot_from_others(
    clock: Clock,
) -> None:
    slots = Slots(4)
    asked: list[Callable[[], None]] = []

    def is_full(on_room: Callable[[], None]) -> bool:
        asked.append(on_room)
        return len(asked) == 2

    full, other = Subject(clock, slots, is_full=is_full), Subject(clock, slots)
    assert full.claim() == 4
    assert other.claim() == 0
    full.allowance.free(4)
    assert (full.claim(), other.claim()) == (0, 4)
    told = full.told
    asked[-1]()
    assert full.told == told + 1


def test_another_cooldown_holds_at_once(clock: Clock) -> None:
    subject = Subject(clock, Slots(), cooldown=3600.0)
    assert subject.claim(1) == 1
    subject.allowance.cool_down_by(5.0)
    assert (subject.told, subject.pending) == (1, [])
    assert subject.claim(1) == 1
    assert subject.claim() == 0
    subject.allowance.cool_down_by(5.0)
    assert (subject.told, subject.claim()) == (1, 0)
    subject.pass_time(5.0)
    assert (subject.told, subject.claim()) == (2, 10)


def test_a_queue_that_cools_down_keeps_no_slot_of_the_node_from_others(clock: Clock) -> None:
    slots = Slots(4)
    cooling, other = Subject(clock, slots, cooldown=5.0), Subject(clock, slots)
    assert cooling.claim() == 4
    assert other.claim() == 0
    cooling.allowance.free()
    assert cooling.claim() == 0
    assert other.told >= 1
    assert other.claim() == 1


def test_a_claim_gives_back_what_it_has_found_no_jobs_for(clock: Clock) -> None:
    slots = Slots(10)
    one, other = Subject(clock, slots), Subject(clock, slots)
    assert one.claim(3) == 3
    assert other.claim() == 7
    one.allowance.free(3)
    assert other.told >= 1
    assert other.claim() == 3


def test_a_claim_that_fails_gives_all_back(clock: Clock) -> None:
    slots = Slots(5)
    subject = Subject(clock, slots)
    assert subject.allowance.take(9) == 5
    subject.allowance.settle(5, 0)
    assert slots.load == 0.0
    assert subject.claim() == 5


def test_a_queue_without_slots_of_its_own_does_not_stand_in_line(clock: Clock) -> None:
    slots = Slots(2)
    full, other = Subject(clock, slots), Subject(clock, slots)
    assert full.claim() == 2
    assert other.claim() == 0
    assert full.claim() == 0
    assert full.allowance.most(0, 2) == 0
    other.allowance.withdraw()
    full.allowance.free()
    assert (full.told, other.told) == (0, 0)


def test_a_part_is_left_to_other_nodes_and_the_rest_claimed_after_a_while(clock: Clock) -> None:
    subject = Subject(clock, Slots(), peers=1)
    assert subject.claim() == 5
    assert subject.claim(free=5) == 0
    subject.pass_time(0.4 * SECONDS)
    assert subject.told == 0
    subject.pass_time(0.1 * SECONDS)
    assert subject.told == 1
    assert subject.claim(free=5) == 3


def test_a_node_whose_slots_are_taken_by_other_queues_is_no_idle_one(clock: Clock) -> None:
    slots = Slots(10)
    busy, subject = Subject(clock, slots), Subject(clock, slots, peers=1)
    assert busy.claim(free=8) == 8
    clock.seconds += 10
    subject.allowance.woken()
    assert subject.claim() == 0
    subject.pass_time(0.8 * SECONDS)
    assert (subject.told, subject.claim(1)) == (1, 1)


def test_a_wait_that_a_claim_has_ended_ends_no_later_one(clock: Clock) -> None:
    subject = Subject(clock, Slots(), peers=1)
    assert subject.claim() == 5
    assert subject.claim(free=5) == 0
    subject.allowance.free(5)
    assert subject.claim() == 5
    subject.pass_time(0.4 * SECONDS)
    assert subject.claim(free=5) == 0
    assert len(subject.pending) == 1


def test_a_wait_ends_by_its_timer_also_where_the_clock_stands_still(clock: Clock) -> None:
    subject = Subject(clock, Slots(), peers=1)
    assert subject.claim() == 5
    assert subject.claim(free=5) == 0
    (timer,) = subject.pending
    timer.what()
    assert (subject.told, subject.claim(free=5)) == (1, 3)
