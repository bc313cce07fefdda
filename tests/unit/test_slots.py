"""The slots that the queues of a node share: never more than there are, and nobody starves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa.queues.slots import Slots


class Queue:
    """A queue with any number of jobs, which asks when it is told to."""

    def __init__(self, slots: Slots, jobs: int = 1_000_000) -> None:
        self.slots, self.jobs = slots, jobs
        self.running = self.told = 0

    def ready(self) -> None:
        self.told += 1

    def claim(self, wanted: int = 1000) -> int:
        """Take slots for a claim, and keep those that there are jobs for."""
        taken = self.slots.take(self, wanted)
        found = min(taken, self.jobs)
        if taken > found:
            self.slots.leave(self)
            self.slots.give_back(taken - found)
        self.jobs -= found
        self.running += found
        return found

    def end_one(self) -> None:
        self.running -= 1
        self.slots.give_back(1)


def test_without_a_limit_every_queue_takes_what_it_wants() -> None:
    slots = Slots()
    one, other = Queue(slots), Queue(slots)
    assert (one.claim(500), other.claim(700), slots.load) == (500, 700, 0.0)
    one.end_one()
    assert other.told == 0


def test_a_queue_alone_takes_all_there_are_and_no_more() -> None:
    slots = Slots(10)
    one = Queue(slots)
    assert (one.claim(), one.claim(), slots.load) == (10, 0, 1.0)
    one.end_one()
    assert one.told == 1
    assert one.claim() == 1


def test_a_slot_that_is_freed_goes_to_the_queues_in_turn() -> None:
    slots = Slots(3)
    busy, *others = queues = [Queue(slots) for _ in range(4)]
    assert busy.claim() == 3
    assert [queue.claim() for queue in others] == [0, 0, 0]
    served = []
    for _ in range(8):
        next(queue for queue in queues if queue.running).end_one()
        served += [queues.index(queue) for queue in queues if queue.claim()]
    assert served == [0, 1, 2, 3, 0, 1, 2, 3]


def test_a_queue_that_asks_out_of_turn_gets_none_of_the_slots_owed_to_others() -> None:
    slots = Slots(2)
    busy, first, second, late = (Queue(slots) for _ in range(4))
    busy.claim(2)
    assert (first.claim(), second.claim()) == (0, 0)
    busy.end_one()
    assert (late.claim(), busy.claim(), second.claim()) == (0, 0, 0)
    assert first.told == 1
    assert first.claim() == 1


def test_free_slots_are_divided_among_those_that_want_them() -> None:
    slots = Slots(12)
    busy, one, other = (Queue(slots) for _ in range(3))
    busy.claim()
    assert (one.claim(), other.claim()) == (0, 0)
    for _ in range(9):
        busy.end_one()
    assert (one.claim(), other.claim(), busy.claim()) == (3, 2, 2)


def test_what_a_queue_has_no_jobs_for_is_offered_to_the_next() -> None:
    slots = Slots(4)
    busy, poor, rich = Queue(slots), Queue(slots, jobs=0), Queue(slots)
    busy.claim(4)
    poor.claim()
    rich.claim()
    busy.end_one()
    assert (poor.told, rich.told) == (1, 0)
    assert poor.claim() == 0
    assert rich.told == 1
    assert rich.claim() == 1


def test_a_queue_that_leaves_the_line_holds_nobody_up() -> None:
    slots = Slots(1)
    busy, paused, waiting = (Queue(slots) for _ in range(3))
    busy.claim(1)
    paused.claim()
    waiting.claim()
    slots.leave(paused)
    busy.end_one()
    assert (paused.told, waiting.told) == (0, 1)
    assert waiting.claim() == 1


def test_who_is_offered_a_slot_and_leaves_passes_it_on() -> None:
    slots = Slots(1)
    busy, paused, waiting = (Queue(slots) for _ in range(3))
    busy.claim(1)
    paused.claim()
    waiting.claim()
    busy.end_one()
    slots.leave(paused)
    assert waiting.told == 1


def test_a_process_without_a_part_of_the_limit_runs_nothing() -> None:
    slots = Slots(0)
    assert (Queue(slots).claim(), slots.load) == (0, 1.0)


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["claim", "end", "leave"]))),
)
def test_no_order_of_claims_takes_more_than_there_are_or_loses_one(
    limit: int, steps: list[tuple[int, str]]
) -> None:
    slots = Slots(limit)
    queues = [Queue(slots, jobs=3 * number) for number in range(5)]
    for number, step in steps:
        queue = queues[number]
        if step == "claim":
            queue.claim(number + 1)
        elif step == "end" and queue.running:
            queue.end_one()
        elif step == "leave":
            slots.leave(queue)
        assert sum(queue.running for queue in queues) <= limit
    for queue in queues:
        slots.leave(queue)
        while queue.running:
            queue.end_one()
    assert Queue(slots).claim() == limit


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_hungry_queues_get_equally_many_whatever_they_want(limit: int) -> None:
    slots = Slots(limit)
    queues = [Queue(slots) for _ in range(5)]
    served: Counter[int] = Counter()
    for turn in range(1000):
        for number, queue in enumerate(queues):
            served[number] += queue.claim(1 + 200 * number)
        running = [queue for queue in queues if queue.running]
        running[turn % len(running)].end_one()
    assert max(served.values()) - min(served.values()) <= limit
