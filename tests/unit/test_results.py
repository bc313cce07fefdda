"""What a job may return, and lengths of time in general."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa import Cancel, Discard, Snooze
from staffa.errors import ConfigError
from staffa.types import to_seconds


def test_results_compare_by_what_they_hold() -> None:
    assert Cancel("gone") == Cancel("gone")
    assert Discard("bad") == Discard("bad")
    assert Cancel().reason is None


@pytest.mark.parametrize(
    ("delay", "seconds"), [(60, 60.0), (0, 0.0), (1.5, 1.5), (timedelta(minutes=2), 120.0)]
)
def test_a_snooze_takes_seconds_or_a_timedelta(delay: float | timedelta, seconds: float) -> None:
    assert Snooze(delay).seconds == seconds


@pytest.mark.parametrize(
    "delay",
    [
        -1,
        True,
        "60",
        None,
        float("nan"),
        float("inf"),
        timedelta(seconds=-1),
        timedelta.max,
        10**400,
    ],
    ids=lambda delay: f"{delay!r:.24}",
)
def test_what_is_no_length_of_time_is_refused_where_it_is_written(delay: Any) -> None:
    with pytest.raises(ConfigError, match="Snooze delay"):
        Snooze(delay)


def test_a_length_of_time_has_a_limit_of_a_hundred_years() -> None:
    assert to_seconds(timedelta(days=36_500), "x") == 100 * 365 * 86_400
    with pytest.raises(ConfigError, match="100 years"):
        to_seconds(timedelta(days=36_501), "x")
