"""The policy of the brittle server, on a clock of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from staffa.cli.demo.brittleness import (
    Brittleness,
    BrittlenessSettings,
    Counts,
    Drop,
    Fail,
    Refuse,
    Serve,
)
from staffa.errors import ConfigError


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def settings(**changes: Any) -> BrittlenessSettings:
    calm: dict[str, Any] = {
        "requests_per_window": 10_000,
        "failure_probability": 0.0,
        "slow_probability": 0.0,
        "outage_after_served": None,
    }
    return BrittlenessSettings(**(calm | changes))


def test_a_calm_server_serves_everything_at_once(clock: ManualClock) -> None:
    policy = Brittleness(settings(), clock=clock)
    assert [policy.decide() for _ in range(50)] == [Serve()] * 50
    assert policy.counts == Counts(requests=50, served=50)


def test_the_window_slides_and_tells_when_it_has_room_again(clock: ManualClock) -> None:
    policy = Brittleness(settings(requests_per_window=2, window_seconds=10.0), clock=clock)
    assert policy.decide() == Serve()
    clock.seconds += 4
    assert policy.decide() == Serve()
    assert policy.decide() == Refuse(retry_after_seconds=6.0)
    clock.seconds += 5.5
    assert policy.decide() == Refuse(retry_after_seconds=0.5)
    clock.seconds += 0.5
    assert policy.decide() == Serve()
    assert policy.decide() == Refuse(retry_after_seconds=4.0)
    assert policy.counts == Counts(requests=6, served=3, refused=3)


def test_refused_requests_do_not_fill_the_window(clock: ManualClock) -> None:
    policy = Brittleness(settings(requests_per_window=1, window_seconds=1.0), clock=clock)
    policy.decide()
    for _ in range(100):
        assert isinstance(policy.decide(), Refuse)
    clock.seconds += 1
    assert policy.decide() == Serve()


def test_failures_fill_the_window_like_pages(clock: ManualClock) -> None:
    policy = Brittleness(settings(requests_per_window=1, failure_probability=1.0), clock=clock)
    assert policy.decide() == Fail()
    assert isinstance(policy.decide(), Refuse)
    assert policy.counts == Counts(requests=2, failed=1, refused=1)


def test_the_same_seed_gives_the_same_luck_and_another_one_another(clock: ManualClock) -> None:
    def luck(seed: int) -> list[object]:
        unlucky = settings(failure_probability=0.3, slow_probability=0.3, seed=seed)
        policy = Brittleness(unlucky, clock=clock)
        return [policy.decide() for _ in range(100)]

    assert luck(1) == luck(1)
    assert luck(1) != luck(2)


def test_refusals_do_not_change_the_luck_of_the_others(clock: ManualClock) -> None:
    unlucky = settings(failure_probability=0.5, slow_probability=0.5)
    free = Brittleness(unlucky, clock=clock)
    tight = Brittleness(
        settings(failure_probability=0.5, slow_probability=0.5, requests_per_window=1),
        clock=clock,
    )
    admitted = []
    for _ in range(40):
        admitted.append(tight.decide())
        assert isinstance(tight.decide(), Refuse)
        clock.seconds += 1
    assert admitted == [free.decide() for _ in range(40)]


def test_probabilities_are_met_in_the_long_run(clock: ManualClock) -> None:
    policy = Brittleness(settings(failure_probability=0.2, slow_probability=0.1), clock=clock)
    for _ in range(10_000):
        policy.decide()
    counts = policy.counts
    assert counts.failed == pytest.approx(2000, rel=0.1)
    assert counts.slow == pytest.approx(800, rel=0.1)
    assert counts.served + counts.failed == 10_000


def test_a_slow_request_is_served_after_the_delay(clock: ManualClock) -> None:
    policy = Brittleness(settings(slow_probability=1.0, slow_seconds=2.5), clock=clock)
    assert policy.decide() == Serve(delay_seconds=2.5)
    assert policy.counts == Counts(requests=1, served=1, slow=1)


def test_the_outage_begins_after_so_many_pages_and_comes_once(clock: ManualClock) -> None:
    policy = Brittleness(settings(outage_after_served=2, outage_seconds=5.0), clock=clock)
    assert [policy.decide(), policy.decide()] == [Serve(), Serve()]
    clock.seconds += 100
    assert policy.decide() == Drop(remaining_seconds=5.0)
    clock.seconds += 4
    assert policy.decide() == Drop(remaining_seconds=1.0)
    clock.seconds += 1
    assert [policy.decide() for _ in range(20)] == [Serve()] * 20
    assert policy.counts == Counts(requests=24, served=22, dropped=2, outages=1)


def test_a_request_of_the_outage_is_dropped_even_if_the_window_is_full(clock: ManualClock) -> None:
    policy = Brittleness(settings(outage_after_served=1, requests_per_window=1), clock=clock)
    policy.decide()
    assert isinstance(policy.decide(), Drop)


def test_counts_are_a_copy(clock: ManualClock) -> None:
    policy = Brittleness(settings(), clock=clock)
    before = policy.counts
    policy.decide()
    assert (before.requests, policy.counts.requests) == (0, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("requests_per_window", 0),
        ("window_seconds", 0.0),
        ("window_seconds", math.inf),
        ("failure_probability", -0.1),
        ("failure_probability", 1.1),
        ("slow_probability", math.nan),
        ("slow_seconds", -1.0),
        ("outage_after_served", -1),
        ("outage_seconds", math.nan),
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(name: str, value: float) -> None:
    make: Callable[..., BrittlenessSettings] = BrittlenessSettings
    with pytest.raises(ConfigError, match=f"{name} can't be {value!r}: use"):
        make(**{name: value})
