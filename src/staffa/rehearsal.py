"""The contract of what tests of users ask of an engine, and production does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol, Self, TypeAlias

Execute: TypeAlias = Callable[[Any], Awaitable[Any]]


class Rehearses(Protocol):
    """What serves tests; every method may raise `DatabaseError`."""

    def joined(self, execute: Execute) -> Self:
        """Return an engine whose statements all run in a transaction of the user's.

        Args:
            execute: Runs `Statements` there, and returns their result.
        """

    async def stage_queue(self, queue: str, until: datetime | None) -> int:
        """Make the jobs of a queue available that are due until a time, or ever; return how many.

        They keep the time at which they are due.
        """

    async def reset(self) -> None:
        """Delete all there is."""
