"""What a queue leaves to other nodes, and for how long; nobody else, nothing and never."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from staffa.queues import spread as module
from staffa.queues.spread import Spread

SECONDS = module._SECONDS


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Node:
    """A node with ten slots, and what it takes of the jobs that there are."""

    def __init__(self, clock: Clock, others: int, stretch: float = 1.0) -> None:
        self.others, self.running = others, 0
        self.spread = Spread(lambda: self.others, clock, lambda: stretch)

    @property
    def wait(self) -> float:
        return self.spread.wait(self.running / 10)

    def claim(self, available: int) -> int:
        """Claim as much as it may, whether it is time or not; return how many."""
        wanted = self.spread.part(10 - self.running)
        found = min(wanted, available)
        self.running += found
        self.spread.claimed(full=found == wanted)
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_node_alone_claims_all_and_never_waits(clock: Clock) -> None:
    node = Node(clock, others=0)
    node.spread.woken()
    assert (node.wait, node.claim(100), node.wait) == (0.0, 10, 0.0)
    node.running = 5
    node.spread.woken()
    assert (node.wait, node.claim(2), node.wait) == (0.0, 2, 0.0)


def test_of_nine_jobs_three_idle_nodes_take_four_at_most_in_whatever_order(clock: Clock) -> None:
    nodes = [Node(clock, others=2) for _ in range(3)]
    left = 9
    for node in nodes:
        node.spread.woken()
        assert node.wait == 0.0
        left -= node.claim(left)
    assert [node.running for node in nodes] == [4, 4, 1]
    assert left == 0


def test_a_node_whose_part_came_back_full_waits_by_its_load_before_it_takes_more(
    clock: Clock,
) -> None:
    node = Node(clock, others=2)
    assert node.claim(100) == 4
    assert node.wait == pytest.approx(0.4 * SECONDS)
    clock.seconds += node.wait
    assert node.wait == 0.0
    assert node.claim(100) == 2
    assert node.wait == pytest.approx(0.6 * SECONDS)
    clock.seconds += node.wait
    assert node.claim(100) == 4


def test_in_a_backlog_nothing_is_waited_for_until_a_claim_comes_back_short(clock: Clock) -> None:
    node = Node(clock, others=2)
    for count in (4, 2, 4):
        assert node.claim(100) == count
    for _ in range(5):
        node.running -= 1
        assert (node.wait, node.claim(100)) == (0.0, 1)
    node.running -= 2
    assert node.claim(1) == 1
    assert node.wait > 0.0
    node.running = 4
    assert node.claim(100) == 2


def test_a_node_with_work_lets_idle_ones_go_first(clock: Clock) -> None:
    busy, idle = Node(clock, others=1), Node(clock, others=1)
    busy.running = 5
    clock.seconds += 10
    for node in (busy, idle):
        node.spread.woken()
    assert busy.wait == pytest.approx(0.5 * SECONDS)
    assert idle.wait == 0.0
    clock.seconds += busy.wait
    assert busy.wait == 0.0


def test_wake_ups_make_no_wait_longer(clock: Clock) -> None:
    node = Node(clock, others=1)
    node.running = 10
    clock.seconds += 10
    node.spread.woken()
    waited = 0.0
    while node.wait:
        clock.seconds += SECONDS / 10
        waited += SECONDS / 10
        node.spread.woken()
        assert waited <= 1.01 * SECONDS


def test_a_wake_up_after_a_full_claim_makes_the_wait_no_longer_either(clock: Clock) -> None:
    node = Node(clock, others=1)
    assert node.claim(100) == 5
    clock.seconds += SECONDS / 4
    node.spread.woken()
    assert node.wait == pytest.approx(SECONDS / 4)


def test_a_node_that_becomes_idle_while_it_waits_claims_at_once(clock: Clock) -> None:
    node = Node(clock, others=1)
    node.claim(100)
    assert node.wait > 0.0
    node.running = 0
    assert node.wait == 0.0


def test_a_node_that_is_left_alone_waits_no_more(clock: Clock) -> None:
    node = Node(clock, others=1)
    node.claim(100)
    node.others = 0
    assert (node.wait, node.claim(100)) == (0.0, 5)


def test_equally_busy_nodes_do_not_wait_equally_long(clock: Clock) -> None:
    waits = set()
    for _ in range(20):
        one = Spread(lambda: 1, clock)
        one.woken()
        waits.add(one.wait(1.0))
    assert len(waits) > 1
    assert all(0.75 * SECONDS <= wait <= 1.25 * SECONDS for wait in waits)


def test_twenty_jobs_are_divided_more_evenly_than_who_comes_first_would(clock: Clock) -> None:
    nodes = [Node(clock, others=2) for _ in range(3)]
    left = 20
    while left:
        for node in sorted(nodes, key=lambda node: node.wait):
            left -= node.claim(left)
    assert sorted(node.running for node in nodes) == [6, 6, 8]
