"""What a job may return, and lengths of time in general."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa import Cancel, Discard, Record, Snooze
from staffa.errors import ConfigError, InvalidArgs, InvalidJob
from staffa.queues import outcomes
from staffa.queues.pools.process.results import dump_result, load_result
from staffa.types import to_seconds
from tests.unit.rows import claimed


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


def test_a_snooze_takes_its_delay_once_under_either_name() -> None:
    assert Snooze(seconds=30) == Snooze(30)
    with pytest.raises(ConfigError, match="give it once"):
        Snooze(30, seconds=30)


def test_what_a_snooze_adds_to_meta_is_written_beside_the_count() -> None:
    snooze = Snooze(30, meta={"waits_for": ("printer",), "snoozed": 99})

    assert outcomes.of_result(claimed(), snooze).meta == {"waits_for": ["printer"], "snoozed": 1}
    assert load_result(dump_result(snooze)) == snooze
    assert load_result(dump_result(Snooze(30))) == Snooze(30)
    with pytest.raises((InvalidArgs, InvalidJob)):
        Snooze(30, meta={"what": object()})


def test_a_result_may_have_a_limit_of_its_own() -> None:
    small, large = Record("x" * 10, limit=1000), Record("x" * 2000, limit=1000)

    assert outcomes.of_result(claimed(), small).error is None
    assert "could not be recorded" in str(outcomes.of_result(claimed(), large).error)
    with pytest.raises(InvalidJob, match="limit of recorded results is 0"):
        Record("x", limit=0)
