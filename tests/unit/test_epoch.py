"""Times as seconds since 1970, until somebody asks for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa._internal.epoch import LateTime, from_epoch


class Row:
    __slots__ = ("_at",)
    _at: datetime | float | None
    at = LateTime()


BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_UNTIL_2106 = 2**32 * 1_000_000


@given(st.integers(0, MICROSECONDS_UNTIL_2106))
def test_times_are_exact_to_the_microsecond(microseconds: int) -> None:
    time = BEGINNING + timedelta(microseconds=microseconds)
    assert from_epoch((time - BEGINNING) / timedelta(seconds=1)) == time


@pytest.mark.parametrize(
    ("seconds", "year"), [(float("inf"), 9999), (float("-inf"), 1), (1e300, 9999), (-1e300, 1)]
)
def test_what_no_datetime_can_tell_is_cut(seconds: float, year: int) -> None:
    assert from_epoch(seconds).year == year


def test_an_attribute_is_made_of_its_seconds_when_it_is_asked_for() -> None:
    row = Row()
    row._at = 1.5
    assert row.at == row._at == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
    row.at = None
    assert row.at is None
