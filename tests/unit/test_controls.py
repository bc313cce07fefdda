"""What is to be done with a queue, by what was set and when."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from staffa import Queue
from staffa.engine import Control
from staffa.queue import MAX_LIMIT
from staffa.queues.controls import Controls, Wanted
from staffa.share import Share

CONFIGURED = {"mail": Queue(limit=5), "slow": Queue(limit=2, paused=True)}


def controls(*learned: Control, at_start: bool = False) -> Controls:
    made = Controls(CONFIGURED)
    made.learn(learned, at_start=at_start)
    return made


def test_without_changes_queues_are_as_configured() -> None:
    assert controls().wanted("mail") == Wanted(runs=True, paused=False, limit=5)
    assert controls().wanted("slow") == Wanted(runs=True, paused=True, limit=2)
    assert controls().wanted("other") == Wanted(runs=False, paused=False, limit=10)


def test_each_option_is_changed_alone() -> None:
    changed = controls(
        Control("mail", "*", "limit", 7, 1),
        Control("other", "*", "running", True, 2),
        Control("slow", "node:a", "paused", False, 3),
    )
    assert changed.wanted("mail") == Wanted(runs=True, paused=False, limit=7)
    assert changed.wanted("other") == Wanted(runs=True, paused=False, limit=10)
    assert changed.wanted("slow") == Wanted(runs=True, paused=False, limit=2)


def test_the_last_change_wins_in_whatever_order_and_scope_it_is_learned() -> None:
    changes = [
        Control("mail", "*", "paused", True, 1),
        Control("mail", "node:a", "paused", False, 2),
        Control("*", "*", "paused", True, 3),
        Control("mail", "process:1", "paused", False, 4),
    ]
    for order in permutations(changes):
        assert controls(*order).wanted("mail").paused is False
        assert controls(*order).wanted("other").paused is True
    for order in permutations(changes[:3]):
        assert controls(*order).wanted("mail").paused is True


def test_what_is_learned_twice_changes_nothing() -> None:
    learned = Controls(CONFIGURED)
    pause = Control("mail", "*", "paused", True, 1)
    assert learned.learn([pause]) == {"mail"}
    assert learned.learn([pause]) == set()


def test_a_pause_from_before_the_start_holds_and_a_resumed_queue_is_as_configured() -> None:
    begun = controls(
        Control("*", "*", "paused", True, 1),
        Control("mail", "*", "paused", False, 2),
        Control("slow", "*", "paused", False, 3),
        at_start=True,
    )
    assert begun.wanted("mail").paused is False
    assert begun.wanted("slow").paused is True  # as it is configured
    assert begun.wanted("other").paused is True
    begun.learn([Control("slow", "*", "paused", False, 4)])
    assert begun.wanted("slow").paused is False


@pytest.mark.parametrize(
    ("queue", "option", "value"),
    [
        ("mail", "limit", 0),
        ("mail", "limit", -1),
        ("mail", "limit", True),
        ("mail", "limit", "7"),
        ("mail", "limit", 7.5),
        ("mail", "limit", None),
        ("mail", "limit", MAX_LIMIT + 1),
        ("mail", "limit", [1]),
        ("mail", "paused", 1),
        ("mail", "paused", None),
        ("mail", "running", 0),
        ("mail", "running", "false"),
        ("mail", "colour", "blue"),
        ("*", "limit", 7),
        ("*", "running", False),
    ],
)
def test_an_option_or_value_that_makes_no_sense_is_left_out(
    queue: str, option: str, value: Any
) -> None:
    learned = Controls(CONFIGURED)
    assert learned.learn([Control(queue, "*", option, value, 9)]) == set()
    assert learned.wanted("mail") == Wanted(runs=True, paused=False, limit=5)


def test_processes_of_a_node_share_its_limits_whenever_they_were_set() -> None:
    shared = [Controls(CONFIGURED, Share(index, 3)) for index in range(3)]
    assert [one.wanted("mail").limit for one in shared] == [2, 2, 1]
    assert [one.wanted("slow").runs for one in shared] == [True, True, False]
    for one in shared:
        one.learn([Control("mail", "*", "limit", 2, 1), Control("other", "*", "running", True, 2)])
    assert [one.wanted("mail").limit for one in shared] == [1, 1, 0]
    assert [one.wanted("mail").runs for one in shared] == [True, True, False]
    assert [one.wanted("other").limit for one in shared] == [4, 3, 3]
    for one in shared:
        one.learn([Control("mail", "node:a", "limit", 6, 3)])
    assert [one.wanted("mail").limit for one in shared] == [2, 2, 2]
    assert all(one.wanted("mail").runs for one in shared)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("limit", [1, 2, 6, 7, 100])
def test_shares_add_up_to_the_limit_and_differ_by_one_at_most(limit: int, count: int) -> None:
    parts = [Share(index, count).of(limit) for index in range(count)]
    assert sum(parts) == limit
    assert parts == sorted(parts, reverse=True)
    assert parts[0] - parts[-1] <= 1
