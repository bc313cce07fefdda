"""What the prioritizer asks of the engine: each method runs one statement."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.drivers.sqlite import FileConnection
from staffa.engines.sqlite.statements.idiom import SQLITE
from staffa.engines.statements.ages import AgeStatements
from staffa.telemetry import observed
from staffa.waiting import Level, Waiting

_AGES = AgeStatements("main", SQLITE)


@observed("staffa.engine")
class SqliteAgeing:
    """The base of the engine that has these methods."""

    _writer: FileConnection
    _reader: FileConnection

    async def find_levels(self, *, after: Level | None, limit: int) -> list[Level]:
        """Find the priorities of each queue's available jobs."""
        return await self._reader.read(_AGES.find_levels(after=after, limit=limit))

    async def find_oldest_waiting(
        self, level: Level, *, age: float, after: Waiting | None, limit: int
    ) -> list[Waiting]:
        """Walk the jobs of a level from the one that has waited longest."""
        found = _AGES.find_oldest(level, age=age, after=after, limit=limit)
        return await self._reader.read(found)

    async def raise_jobs(
        self, jobs: Sequence[Waiting], priorities: Sequence[int]
    ) -> frozenset[int]:
        """Give jobs that have not changed new priorities."""
        return await self._writer.write(_AGES.raise_to(jobs, priorities))
