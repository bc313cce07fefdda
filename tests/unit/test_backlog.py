"""A queue with many outcomes that wait is full until a bundle has been written."""

from __future__ import annotations

from functools import partial

import pytest

from staffa.engine import Lease
from staffa.queues.backlog import LARGEST_BACKLOG, Backlog
from staffa.queues.outcomes import Completion, Ended
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER


class Waiting:
    """What waits to be written, plain outcomes and linked ones, and who was told of room."""

    def __init__(self) -> None:
        self.lists: list[list[Ended]] = [[], []]
        self.told: list[str] = []
        self.backlog = Backlog(lambda: self.lists)

    def add(self, queue: str, count: int, place: int = 0) -> None:
        job = claimed(PRODUCER)
        job.queue = queue
        self.lists[place] += [Completion(job, Lease.of(job), None) for _ in range(count)]

    def is_full(self, queue: str) -> bool:
        return self.backlog.is_full(queue, lambda: self.told.append(queue))


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_a_queue_is_full_while_too_many_of_its_outcomes_wait(waiting: Waiting) -> None:
    waiting.add("mail", LARGEST_BACKLOG - 1)
    assert not waiting.is_full("mail")
    waiting.add("mail", 1, place=1)
    assert waiting.is_full("mail")
    assert not waiting.told


def test_outcomes_of_other_queues_do_not_fill_it(waiting: Waiting) -> None:
    waiting.add("crawl", 3 * LARGEST_BACKLOG)
    assert not waiting.is_full("mail")
    assert waiting.is_full("crawl")


def test_it_stays_full_until_a_bundle_is_written_and_looks_again_then(waiting: Waiting) -> None:
    waiting.add("mail", LARGEST_BACKLOG)
    assert waiting.is_full("mail")
    waiting.lists[0].clear()
    assert waiting.is_full("mail")
    waiting.backlog.lowered()
    assert waiting.told == ["mail"]
    assert not waiting.is_full("mail")
    waiting.backlog.lowered()
    assert waiting.told == ["mail"]


def test_who_asks_last_for_a_full_queue_is_told(waiting: Waiting) -> None:
    waiting.add("mail", LARGEST_BACKLOG)
    told: list[str] = []
    for name in ("stopped", "started"):
        assert waiting.backlog.is_full("mail", partial(told.append, name))
    waiting.backlog.lowered()
    assert told == ["started"]
