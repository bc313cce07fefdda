"""Every change of the clocks from 2020 to 2040, in ten zones, against a walk minute by minute.

The walk knows nothing of expressions, periods or wall times that do not exist: it looks at what a
clock shows at each minute of real time, and remembers what it has shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from staffa.cron.expression import Expression
from staffa.cron.schedule import POLICIES, Schedule

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "America/Santiago",  # southern, changes at midnight
    "Africa/Casablanca",  # summer time but for Ramadan
    "Europe/Dublin",  # the winter is the exception
    "Asia/Beirut",  # changes at midnight, once at short notice
    "Asia/Tehran",  # has given it up
    "Africa/Cairo",  # has begun anew, changes at midnight
    "Antarctica/Troll",  # two hours
    "Antarctica/Casey",  # three hours, at no regular time
]
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)
AROUND = timedelta(hours=4)
MINUTE = timedelta(minutes=1)

ANY = frozenset(range(60))
Fields = tuple[frozenset[int], frozenset[int], frozenset[int] | None]
EXPRESSIONS: dict[str, Fields] = {  # minutes, hours, days of the week, Monday being 0
    "* * * * *": (ANY, ANY, None),
    "20 * * * *": (frozenset({20}), ANY, None),
    "*/10 0-2 * * *": (frozenset(range(0, 60, 10)), frozenset({0, 1, 2}), None),
    "*/10 3,5 * * *": (frozenset(range(0, 60, 10)), frozenset({3, 5}), None),
    "0 0 * * *": (frozenset({0}), frozenset({0}), None),
    "15,45 0,1,2,3 * * *": (frozenset({15, 45}), frozenset({0, 1, 2, 3}), None),
    "0-59 0-23 * * *": (ANY, frozenset(range(24)), None),
    "5 0 * * SUN,MON": (frozenset({5}), frozenset({0}), frozenset({6, 0})),
}


@cache
def changes(name: str) -> list[datetime]:
    """Return the first minutes of new offsets, found by looking at every day, then every minute."""
    zone = ZoneInfo(name)
    found = []
    day = FIRST
    while day < LAST:
        after = day + timedelta(days=1)
        if day.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            minute = day
            while minute.astimezone(zone).utcoffset() == day.astimezone(zone).utcoffset():
                minute += MINUTE
            found.append(minute)
        day = after
    return found


def walk(name: str, change: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the minutes around a change with what the clock shows."""
    zone = ZoneInfo(name)
    minute = change - AROUND
    while minute <= change + AROUND:
        yield minute, minute.astimezone(zone).replace(tzinfo=None)
        minute += MINUTE


def matches(fields: Fields, wall: datetime) -> bool:
    minutes, hours, days = fields
    return (
        wall.minute in minutes and wall.hour in hours and (days is None or wall.weekday() in days)
    )


def fires(
    expression: str, fields: Fields, policy: str, minutes: list[tuple[datetime, datetime]]
) -> list[datetime]:
    """Return the minutes at which an expression is to fire, by the words of the policies."""
    if policy == "cron" and any(field[0] == "*" for field in expression.split()[:2]):
        policy = "all"
    if policy == "all":
        return [minute for minute, wall in minutes if matches(fields, wall)]
    found = []
    shown = minutes[0][1] - MINUTE
    for minute, wall in minutes:
        if wall <= shown:
            continue  # the clock shows it for the second time
        due = matches(fields, wall)
        missing = shown + MINUTE
        while policy == "cron" and missing < wall:
            due = due or matches(fields, missing)
            missing += MINUTE
        if due:
            found.append(minute)
        shown = wall
    return found


@pytest.mark.parametrize("name", ZONES)
def test_every_policy_holds_at_every_change_of_the_clocks(name: str) -> None:
    assert changes(name)
    for change in changes(name):
        minutes = list(walk(name, change))
        first, last = minutes[0][0], minutes[-1][0]
        for expression, fields in EXPRESSIONS.items():
            for policy in POLICIES:
                schedule = Schedule(Expression.parse(expression), name, policy)
                found = schedule.between(first - MINUTE, last)
                assert found == fires(expression, fields, policy, minutes), (
                    f"{expression} {policy} around {change}"
                )


@pytest.mark.parametrize("name", ZONES)
def test_ticks_do_not_depend_on_where_the_search_begins(name: str) -> None:
    for change in changes(name)[:3]:
        for expression in ("30 2 * * *", "0 0 * * *", "15,45 0,1,2,3 * * *", "*/10 0-2 * * *"):
            for policy in POLICIES:
                schedule = Schedule(Expression.parse(expression), name, policy)
                whole = schedule.between(change - AROUND, change + AROUND)
                begin = change - AROUND
                while begin < change + AROUND:
                    later = [tick for tick in whole if tick > begin]
                    found = schedule.between(begin, change + AROUND)
                    assert found == later, f"{expression} {policy} from {begin}"
                    begin += timedelta(minutes=17, seconds=13)


@pytest.mark.parametrize("name", ["Europe/Berlin", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"])
def test_one_long_search_finds_what_many_short_ones_find(name: str) -> None:
    schedule = Schedule(Expression.parse("45 1,2 * * *"), name)
    end = datetime(2031, 1, 1, tzinfo=UTC)
    one_by_one = []
    tick = schedule.next_tick(datetime(2026, 1, 1, tzinfo=UTC))
    while tick is not None and tick <= end:
        one_by_one.append(tick)
        tick = schedule.next_tick(tick)
    assert one_by_one == schedule.between(datetime(2026, 1, 1, tzinfo=UTC), end)
    assert 3640 <= len(one_by_one) <= 3660
