"""Meters of rate limits: never over, soon enough, whatever the clock does."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import RateLimit
from staffa.limits import Algorithm
from staffa.rates import Meter, to_micros

NOON = to_micros(datetime(2026, 1, 1, 12, tzinfo=UTC))
STEPS = st.lists(
    st.tuples(st.integers(0, 9_000_000), st.integers(1, 5)), min_size=1, max_size=60
)  # microseconds since the last one, tokens that are asked for


def stored(meter: Meter) -> dict[str, object]:
    """Return what a database gives back of a meter."""
    found: dict[str, object] = json.loads(json.dumps(meter.as_json()))
    return found


def spend_all(rate: RateLimit, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spend as many tokens as there are at each step, and return when how many were."""
    meter, now, spent = Meter.read(rate, None, NOON), NOON, []
    for wait, wanted in steps:
        now += wait
        meter = Meter.read(rate, stored(meter), now)
        count = min(wanted, meter.available)
        if count:
            meter = meter.spend(count)
            spent.append((now, count))
    return spent


@given(st.integers(1, 6), st.floats(0.06, 30), STEPS)
def test_no_window_of_the_length_has_more_starts_than_allowed(
    allowed: int, period: float, steps: list[tuple[int, int]]
) -> None:
    rate = RateLimit(allowed, period=period)
    spent = spend_all(rate, steps)
    length = round(rate.seconds * 1_000_000)
    for end, _ in spent:
        assert sum(count for at, count in spent if end - length <= at <= end) <= allowed


@given(st.integers(1, 6), st.floats(0.06, 30), STEPS)
def test_no_window_of_the_clock_has_more_starts_than_allowed(
    allowed: int, period: float, steps: list[tuple[int, int]]
) -> None:
    rate = RateLimit(allowed, period=period, algorithm="fixed_window")
    length = round(rate.seconds * 1_000_000)
    by_window: dict[int, int] = {}
    for at, count in spend_all(rate, steps):
        by_window[at // length] = by_window.get(at // length, 0) + count
    assert all(count <= allowed for count in by_window.values())


@given(st.integers(1, 6), st.floats(0.06, 30), STEPS)
def test_a_token_bucket_gives_what_it_has_saved_and_what_comes_back(
    allowed: int, period: float, steps: list[tuple[int, int]]
) -> None:
    rate = RateLimit(allowed, period=period, algorithm="token_bucket")
    spent = spend_all(rate, steps)
    for number, (begin, _) in enumerate(spent):
        for end, _ in spent[number:]:
            came_back = (end - begin) / 1_000_000 * allowed / rate.seconds
            count = sum(count for at, count in spent if begin <= at <= end)
            assert count <= allowed + came_back + 1e-6


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
@given(
    allowed=st.integers(1, 6),
    period=st.floats(0.06, 30),
    steps=STEPS,
    wanted=st.integers(1, 6),
)
def test_tokens_are_back_after_the_delay_and_a_sixtieth_late_at_most(
    algorithm: Algorithm, allowed: int, period: float, steps: list[tuple[int, int]], wanted: int
) -> None:
    rate = RateLimit(allowed, period=period, algorithm=algorithm)
    meter, now = Meter.read(rate, None, NOON), NOON
    for wait, count in steps:
        now += wait
        meter = Meter.read(rate, stored(meter), now)
        meter = meter.spend(min(count, meter.available))
    delay = round(meter.delay(wanted) * 1_000_000)
    assert delay <= rate.seconds * 1_000_000 * 61 / 60 + 1
    assert Meter.read(rate, stored(meter), now + delay + 1).available >= min(wanted, allowed)
    if delay > 2:
        assert Meter.read(rate, stored(meter), now + delay - 2).available < min(wanted, allowed)


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
def test_a_clock_that_goes_back_gives_nothing_back(algorithm: Algorithm) -> None:
    rate = RateLimit(2, period=10, algorithm=algorithm)
    spent = Meter.read(rate, None, NOON).spend(2)
    earlier = Meter.read(rate, stored(spent), NOON - 3_600_000_000)
    assert earlier.available == 0
    assert earlier.delay(1) <= 10 * 61 / 60 + 1e-5


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
def test_what_was_spent_under_another_period_counts_as_spent_now(algorithm: Algorithm) -> None:
    spent = Meter.read(RateLimit(5, period=10), None, NOON).spend(2)
    changed = Meter.read(RateLimit(5, period=20, algorithm=algorithm), stored(spent), NOON + 1)
    assert changed.available == 3


def test_a_period_that_is_hardly_another_one_is_another_one() -> None:
    spent = Meter.read(RateLimit(5, period=100_000), None, NOON).spend(5)
    changed = Meter.read(RateLimit(5, period=100_000.4), stored(spent), NOON + 1)
    assert 0 < changed.delay(1) <= 100_000.4 * 61 / 60


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
def test_what_was_spent_more_than_a_period_ago_does_not_count_under_another(
    algorithm: Algorithm,
) -> None:
    spent = Meter.read(RateLimit(5, period=10, algorithm=algorithm), None, NOON).spend(5)
    day = RateLimit(5, period=86_400)
    assert Meter.read(day, stored(spent), NOON + 86_399_000_000).available == 0
    assert Meter.read(day, stored(spent), NOON + 86_400_000_000).available == 5


def test_a_lower_limit_counts_what_was_spent_above_it() -> None:
    spent = Meter.read(RateLimit(5, period=10), None, NOON).spend(4)
    lower = Meter.read(RateLimit(2, period=10), stored(spent), NOON + 1)
    assert (lower.available, lower.delay(1) > 0) == (0, True)
