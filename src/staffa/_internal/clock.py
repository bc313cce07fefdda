"""The two clocks of a process, injectable so that tests step them.

The wall clock is only for people (logs, reports); what is due or expired is decided by the
database's clock, and local deadlines by the monotonic one.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> datetime:
        """Return the wall clock's time, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""


class SystemClock:
    """The clocks of the machine."""

    def now(self) -> datetime:
        """Return the wall clock's time, in UTC."""
        return datetime.now(UTC)

    monotonic = staticmethod(time.monotonic)


SYSTEM_CLOCK: Clock = SystemClock()
