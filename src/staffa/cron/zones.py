"""Time zones as a row of periods, in each of which local time is a fixed step from UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from staffa._internal.nearest import nearest
from staffa.errors import ConfigError

_MAX_CHARACTERS = 100
_STEP = timedelta(hours=6)  # no zone has changed its clocks twice within that time
_SECOND = timedelta(seconds=1)
_LAST_YEAR = 9990


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which a zone keeps its distance from UTC, or a part of it.

    Args:
        start: Its first instant, in UTC.
        end: The first instant after it.
        offset: Local time less UTC.
    """

    start: datetime
    end: datetime
    offset: timedelta


def load_zone(name: object) -> ZoneInfo:
    """Return a time zone by its name.

    Raises:
        ConfigError: If there is none of that name; names the nearest one.

    Example:
        >>> load_zone("Europe/Berlim")
        Traceback (most recent call last):
        staffa.errors.ConfigError: unknown time zone 'Europe/Berlim': did you mean 'Europe/Berlin'?
    """
    if isinstance(name, str) and 0 < len(name) <= _MAX_CHARACTERS:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # unknown, no name at all, a folder of zones
            pass
    shown = str(name)[:_MAX_CHARACTERS]
    near = nearest(shown, available_timezones())
    remedy = f"did you mean {near!r}?" if near else "write one such as 'Europe/Berlin' or 'UTC'"
    raise ConfigError(f"unknown time zone {shown!r}: {remedy}")


def periods(zone: ZoneInfo, instant: datetime) -> Iterator[Period]:
    """Yield the periods of a zone one after the other, from the year of an instant."""
    for year in range(instant.year, _LAST_YEAR):
        yield from _periods_of(zone, year)


@lru_cache(maxsize=4096)
def _periods_of(zone: ZoneInfo, year: int) -> tuple[Period, ...]:
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    found = []
    begun = at = start
    while at < end:
        later = min(at + _STEP, end)
        if _offset(zone, later) != _offset(zone, at):
            change = _find_change(zone, at, later)
            found.append(Period(begun, change, _offset(zone, at)))
            begun = change
        at = later
    if begun < end:
        found.append(Period(begun, end, _offset(zone, begun)))
    return tuple(found)


def _find_change(zone: ZoneInfo, early: datetime, late: datetime) -> datetime:
    """Return the first instant of the later one's offset, by halving."""
    before = _offset(zone, early)
    while late - early > _SECOND:
        middle = early + timedelta(seconds=(late - early) // _SECOND // 2)
        if _offset(zone, middle) == before:
            early = middle
        else:
            late = middle
    return late


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None  # noqa: S101  # every zone tells it
    return offset
