"""Times as SQLite's tables hold them: text in UTC with six digits, whose order is that of time.

The tables' triggers bring what other clients write into this form, where it is a time at all. What
is none (any client may write anything) is read as the earliest or the latest time, by where it
sorts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


def write_time(moment: datetime) -> str:
    """Return a time as the tables have it.

    Example:
        >>> write_time(datetime.fromisoformat("2026-01-01T01:00:00+01:00"))
        '2026-01-01 00:00:00.000000'
    """
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat(sep=" ", timespec="microseconds")


def read_time(text: str) -> datetime | None:
    """Return a time of the tables; None if it is none that Python can tell.

    Example:
        >>> read_time("2026-01-01 00:00:00.000000")
        datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
        >>> read_time("infinity")
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment <= LATEST else None


def cut_time(text: str) -> datetime:
    """Return a time of the tables; the earliest or the latest one for what can't be told.

    Example:
        >>> cut_time("infinity").year, cut_time("-infinity").year
        (9999, 1)
    """
    return read_time(text) or (LATEST if text > write_time(LATEST) else EARLIEST)


def time_after(text: str) -> str:
    """Return the next microsecond, or the latest time.

    Example:
        >>> time_after("2026-01-01 00:00:00.000000")
        '2026-01-01 00:00:00.000001'
    """
    return write_time(min(cut_time(text) + timedelta(microseconds=1), LATEST))


def add_seconds(text: str, seconds: float) -> str:
    """Return a time that is so much later.

    Raises:
        OverflowError: If it is beyond what can be told.
        ValueError: If the seconds are no number.

    Example:
        >>> add_seconds("2026-01-01 00:00:00.000000", 0.5)
        '2026-01-01 00:00:00.500000'
    """
    later = cut_time(text) + timedelta(seconds=seconds)
    if not EARLIEST <= later <= LATEST:
        raise OverflowError(f"{text} and {seconds} s is no time that can be stored")
    return write_time(later)
