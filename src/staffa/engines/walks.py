"""Goes through the jobs table in stretches, however large it is and however few jobs fit.

Invariants: no statement looks at more rows than were set, and as many as are quickly looked at, so
that none of them times out; each row is looked at once; what is inserted later is not looked at.
Where the states have partial indexes, these say between which ids there is anything to find.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import count
from typing import Protocol, TypeVar

from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa.engine import Statement
from staffa.engines.statements.conditions import has_index
from staffa.engines.statements.operations import OperationStatements, narrowed
from staffa.filters import LARGEST_ID, JobFilter
from staffa.jobs import Job

T = TypeVar("T")

DEFAULT_LIMIT = 100


class Reads(Protocol):
    """Runs a statement that changes nothing."""

    async def __call__(self, statement: Statement[T]) -> T:
        """Run it."""


class Pace:
    """How many rows a statement looks at: as many as take about a tenth of a second.

    Example:
        >>> pace = Pace()
        >>> pace.note(0.01)
        >>> pace.rows
        2000
    """

    _least, _most = 100, 50_000
    _quick, _slow = 0.05, 0.2

    def __init__(self) -> None:
        self.rows = 1000

    def note(self, seconds: float) -> None:
        """Take into account how long the last statement took."""
        if seconds < self._quick:
            self.rows = min(2 * self.rows, self._most)
        elif seconds > self._slow:
            self.rows = max(self.rows // 2, self._least)


class Walks:
    """Reads through the jobs table.

    Args:
        read: Runs statements.
        statements: Of the schema.
        clock: Measures statements.
    """

    def __init__(
        self, read: Reads, statements: OperationStatements, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._read = read
        self._statements = statements
        self._clock = clock

    async def list_jobs(self, wanted: JobFilter) -> list[Job]:
        """Read the newest jobs that fit."""
        limit = DEFAULT_LIMIT if wanted.limit is None else wanted.limit
        if wanted.fits_none:
            return []
        if wanted.ids is not None:
            return await self._read(self._statements.select(wanted, limit))
        found: list[Job] = []
        pace = Pace()
        least, before = wanted.after_id or 0, wanted.before_id or LARGEST_ID
        for stretch in count():
            if stretch == 1 and has_index(wanted):
                oldest, newest = await self._bounds(wanted)
                least, before = max(least, oldest - 1), min(before, newest + 1)
            if len(found) == limit or before <= least + 1:
                break
            first = await self._read(self._statements.span(before, pace.rows))
            if first is None:
                break
            part = narrowed(wanted, max(first - 1, least), before)
            page = await self._timed(pace, self._statements.select(part, limit - len(found)))
            found += page
            before = first
        return found

    async def find_jobs(self, wanted: JobFilter) -> AsyncGenerator[list[int], None]:
        """Yield the ids of the jobs that fit, the oldest first, a stretch at a time."""
        if wanted.fits_none:
            return
        if wanted.ids is not None:
            yield await self._read(self._statements.pick(wanted))
            return
        oldest, newest = await self._bounds(wanted)
        after = max(wanted.after_id or 0, oldest - 1)
        last = min((wanted.before_id or LARGEST_ID) - 1, newest)
        pace = Pace()
        while after < last:
            found = await self._timed(pace, self._statements.find(wanted, after, last, pace.rows))
            if found.ids:
                yield found.ids
            if found.last is None:
                return
            after = found.last

    async def _bounds(self, wanted: JobFilter) -> tuple[int, int]:
        """Return between which ids, both included, there may be jobs; (1, 0) if there are none."""
        if has_index(wanted):
            return await self._read(self._statements.bounds(wanted)) or (1, 0)
        newest = await self._read(self._statements.span(LARGEST_ID, 1))
        return (1, newest or 0)

    async def _timed(self, pace: Pace, statement: Statement[T]) -> T:
        began = self._clock.monotonic()
        found = await self._read(statement)
        pace.note(self._clock.monotonic() - began)
        return found
