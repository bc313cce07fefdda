"""What a guaranteed entry makes up for: the latest tick that was missed, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import Job
from staffa.cron.stored import Entry, StoredCron

GRACE = timedelta(minutes=2)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def entry(expression: str, read_at: datetime, last_tick: datetime, **columns: Any) -> StoredCron:
    made = Entry("e", expression, "UTC", "cron", Job(worker="a.b"), guaranteed=True)
    found = StoredCron(
        **made.as_row(), active=True, last_tick=last_tick, last_job_id=None, booted_at=LONG_AGO,
        registered_at=LONG_AGO, updated_at=LONG_AGO, read_at=read_at,
    )  # fmt: skip
    return replace(found, **columns)


def test_the_latest_tick_of_a_long_outage_is_due_and_no_other() -> None:
    down = entry("0 * * * *", at("2026-06-01 12:30"), at("2026-06-01 03:00"))
    assert down.due(GRACE) == [at("2026-06-01 12:00")]
    assert down.missed(GRACE) == at("2026-06-01 04:00"), "the others are told of"
    assert replace(down, last_tick=down.due(GRACE)[0]).due(GRACE) == []
    assert replace(down, guaranteed=False).due(GRACE) == []


def test_one_missed_tick_is_not_told_as_skipped() -> None:
    down = entry("0 3 * * *", at("2026-06-01 12:30"), at("2026-05-31 03:00"))
    assert down.due(GRACE) == [at("2026-06-01 03:00")]
    assert down.missed(GRACE) is None
    assert replace(down, guaranteed=False).missed(GRACE) == at("2026-06-01 03:00")


def test_a_tick_within_the_grace_is_the_latest_of_those_missed() -> None:
    down = entry("* * * * *", at("2026-06-01 12:30:10"), at("2026-06-01 03:00"))
    assert down.due(GRACE) == [at("2026-06-01 12:30")]


def test_within_the_grace_no_tick_is_left_out() -> None:
    brief = entry("* * * * *", at("2026-06-01 12:30:10"), at("2026-06-01 12:28:10"))
    assert brief.due(GRACE) == [at("2026-06-01 12:29"), at("2026-06-01 12:30")]


@pytest.mark.parametrize("column", ["last_tick", "updated_at"])
def test_nothing_is_due_from_before_it_was_made_resumed_or_changed(column: str) -> None:
    down = entry("0 * * * *", at("2026-06-01 12:30"), at("2026-06-01 03:00"))

    def due_since(moment: str) -> list[datetime]:
        changed: dict[str, Any] = {column: at(moment)}
        return replace(down, **changed).due(GRACE)

    assert due_since("2026-06-01 11:59") == [at("2026-06-01 12:00")]
    for moment in ("2026-06-01 12:00", "2026-06-01 12:15", "2026-06-01 12:30"):
        assert due_since(moment) == []


@pytest.mark.parametrize(
    ("expression", "zone", "dst", "read_at", "latest"),
    [
        # Berlin: from 02:00 to 03:00 on March 29, from 03:00 to 02:00 on October 25
        ("30 2 * * *", "Europe/Berlin", "cron", "2026-03-29 09:00", "2026-03-29 01:00"),
        ("30 2 * * *", "Europe/Berlin", "skip", "2026-03-29 09:00", "2026-03-28 01:30"),
        ("30 2 * * *", "Europe/Berlin", "all", "2026-03-29 09:00", "2026-03-28 01:30"),
        ("30 2 * * *", "Europe/Berlin", "cron", "2026-10-25 09:00", "2026-10-25 00:30"),
        ("30 2 * * *", "Europe/Berlin", "skip", "2026-10-25 09:00", "2026-10-25 00:30"),
        ("30 2 * * *", "Europe/Berlin", "all", "2026-10-25 09:00", "2026-10-25 01:30"),
        ("*/30 2 * * *", "Europe/Berlin", "cron", "2026-10-25 09:00", "2026-10-25 01:30"),
        ("0 * * * *", "Europe/Berlin", "cron", "2026-10-25 01:30", "2026-10-25 01:00"),
        ("0 * * * *", "Australia/Lord_Howe", "cron", "2026-10-03 15:50", "2026-10-03 14:30"),
        ("0 0 29 2 *", "UTC", "cron", "2027-06-01 00:00", None),
        ("0 0 1 1 *", "Pacific/Apia", "cron", "2026-12-31 23:00", "2026-12-31 11:00"),
    ],
)
def test_the_latest_is_right_wherever_clocks_change(
    expression: str, zone: str, dst: str, read_at: str, latest: str | None
) -> None:
    down = entry(expression, at(read_at), LONG_AGO, timezone=zone, dst=dst, updated_at=LONG_AGO)
    assert down.due(GRACE) == ([] if latest is None else [at(latest)])


def test_years_of_minutes_and_of_nothing_are_looked_through_quickly() -> None:
    ago = datetime(1970, 1, 1, tzinfo=UTC)
    columns = {"updated_at": ago}
    minutely = entry("* * * * *", at("2026-06-01 12:30"), ago, **columns)
    assert minutely.due(GRACE) == [at("2026-06-01 12:30")]
    leap_sunday = entry("0 0 29 2 *", at("2027-06-01 12:30"), ago, **columns)
    assert leap_sunday.due(GRACE) == [at("2024-02-29 00:00")]


def test_a_boot_that_nobody_took_in_time_is_made_up_for() -> None:
    booted = at("2026-06-01 12:00")
    down = entry("@reboot", at("2026-06-01 12:30"), at("2026-06-01 03:00"), booted_at=booted)
    assert down.due(GRACE) == [booted]
    assert replace(down, guaranteed=False).due(GRACE) == []
    assert replace(down, last_tick=booted).due(GRACE) == []
