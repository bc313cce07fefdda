"""The contract of what tests of users ask of an engine, and production does not."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, Self


class Rehearses(Protocol):
    """What serves tests; every method may raise `DatabaseError`."""

    def joined(self, conn: Any) -> Self:
        """Return an engine whose statements run in the transaction that a connection has open.

        Args:
            conn: Of a library that `enqueue_jobs` knows.
        """

    async def stage_queue(self, queue: str, until: datetime | None) -> int:
        """Make the jobs of a queue available that are due until a time, or ever; return how many.

        They keep the time at which they are due.
        """

    async def reset(self) -> None:
        """Delete all there is."""
