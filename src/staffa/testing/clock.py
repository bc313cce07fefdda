"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.options import check_time


class VirtualClock:
    """Both clocks of a client, moved by hand; any thread may look at them.

    On SQLite they are the database's clock as well: what is due, expired or late is judged by them.
    A PostgreSQL server's clock can't be moved: there, `drain_queue` is told until when jobs are
    due.

    Args:
        now: Where it begins, with a time zone; the time of day if not given.

    Example:
        >>> from datetime import UTC
        >>> clock = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))
        >>> clock.advance(hours=1)
        >>> clock.now()
        datetime.datetime(2030, 1, 1, 1, 0, tzinfo=datetime.timezone.utc)
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now = SYSTEM_CLOCK.now() if now is None else check_time(now, "now")
        self._seconds = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the wall clock's time, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds by which it was moved."""
        return self._seconds

    def advance(self, length: timedelta | None = None, /, **units: Any) -> None:
        """Move it forward.

        Args:
            length: By how much.
            **units: The same as for a timedelta: ``hours=1, minutes=30``.

        Raises:
            ValueError: If that is backwards.
        """
        by = (length or timedelta()) + timedelta(**units)
        if by < timedelta():
            raise ValueError(f"the clock can't go back by {-by}: make another one")
        with self._lock:
            self._now += by
            self._seconds += by.total_seconds()

    def advance_to(self, moment: datetime) -> None:
        """Move it forward to a time.

        Raises:
            ValueError: If that has passed.
            InvalidJob: If it has no time zone.
        """
        self.advance(check_time(moment, "moment") - self._now)
