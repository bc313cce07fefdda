"""The delays between attempts, against figures that were measured with Elixir's Oban."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa._internal.backoff import Backoff, retry_delay

DATA = Path(__file__).parent / "data" / "backoff.csv"
MEASURED = [
    tuple(int(figure) for figure in line.values())
    for line in csv.DictReader(DATA.read_text("utf-8").splitlines())
]


def of_measured(figures: tuple[int, ...]) -> str:
    return f"{figures[1]} of {figures[0]}"


@pytest.mark.parametrize("figures", MEASURED, ids=of_measured)
def test_a_delay_lies_within_what_the_peer_was_seen_to_choose(figures: tuple[int, ...]) -> None:
    max_attempts, attempt, least, most = figures
    # The peer's extremes come from 20,000 samples of a jitter: the true ones lie just beyond.
    slack = max(1, round(least * 0.0001))
    assert least - slack <= retry_delay(attempt, max_attempts, chance=0.0) <= least
    assert most <= retry_delay(attempt, max_attempts, chance=1.0) <= most + slack


@given(st.integers(1, 32_767), st.integers(1, 32_767))
def test_a_delay_is_never_longer_than_two_weeks_whatever_the_row_holds(
    attempt: int, max_attempts: int
) -> None:
    assert 15 <= retry_delay(attempt, max_attempts) <= 14 * 86_400


@given(st.integers(1, 40), st.integers(1, 40))
def test_chance_adds_at_most_a_tenth(attempt: int, max_attempts: int) -> None:
    shortest = retry_delay(attempt, max_attempts, chance=0.0)
    assert shortest <= retry_delay(attempt, max_attempts) <= shortest * 1.1


def test_later_attempts_wait_longer() -> None:
    delays = [retry_delay(attempt, 20, chance=0.5) for attempt in range(1, 21)]
    assert all(one < next_one for one, next_one in pairwise(delays))


def test_a_loop_waits_twice_as_long_after_each_failure_up_to_its_cap() -> None:
    backoff = Backoff(first_seconds=1.0, cap_seconds=6.0)
    for nominal in (1.0, 2.0, 4.0, 6.0, 6.0):
        assert 0.75 * nominal <= backoff.next_seconds() <= nominal


def test_a_loop_that_fails_for_a_year_still_gets_a_delay() -> None:
    backoff = Backoff(cap_seconds=5.0)
    delays = [backoff.next_seconds() for _ in range(5000)]
    assert 3.75 <= delays[-1] <= 5.0


def test_a_success_begins_the_delays_anew() -> None:
    backoff = Backoff(first_seconds=1.0, cap_seconds=60.0)
    for _ in range(5):
        backoff.next_seconds()
    backoff.reset()
    assert backoff.next_seconds() <= 1.0
