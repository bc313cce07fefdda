"""What is logged while the database is away: the beginning, less and less, and the end."""

from __future__ import annotations

import logging

import pytest

from staffa.errors import DatabaseError, DatabaseUnavailable
from staffa.telemetry import Outages
from tests.support.events import Recorder

AWAY = DatabaseUnavailable("refused")


class Seconds:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    """The clock."""
    return Seconds()


@pytest.fixture
def outages(seconds: Seconds, caplog: pytest.LogCaptureFixture) -> Outages:
    """The reports of a loop."""
    caplog.set_level(logging.INFO, "staffa")
    return Outages("the thing", monotonic=seconds)


def test_the_log_has_the_beginning_then_lines_after_growing_gaps_and_the_end(
    outages: Outages, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    told = []
    for second in range(200):
        seconds.now = 100.0 + second
        outages.report("the thing will be tried again", AWAY)
        if caplog.records:
            told.append(second)
            assert {record.levelno for record in caplog.records} == {logging.WARNING}
            caplog.clear()
    assert told == [0, 10, 30, 70, 130, 190]
    outages.end()
    outages.end()
    (line,) = caplog.records
    assert line.levelno == logging.INFO
    assert line.getMessage() == "the thing goes on: the database was away for 199.0 s"


def test_the_next_outage_is_told_of_at_once(
    outages: Outages, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        outages.report("again", AWAY)
        outages.report("again", AWAY)
        outages.end()
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.WARNING, logging.INFO] * 2


def test_listeners_get_every_error(outages: Outages, events: Recorder) -> None:
    for _ in range(3):
        outages.report("again", AWAY)
    assert [event.data["error"] for event in events.of("staffa.error")] == [AWAY] * 3


def test_other_errors_are_reported_as_often_as_they_come(
    outages: Outages, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        outages.report("again", DatabaseError("refused"), level=logging.ERROR)
    outages.end()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
