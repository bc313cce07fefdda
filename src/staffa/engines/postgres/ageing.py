"""What the prioritizer asks of the engine: each method runs one statement."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.drivers.asyncpg_pool import Pool
from staffa.drivers.joined import Joined
from staffa.engines.statements.ages import AgeStatements
from staffa.telemetry import observed
from staffa.waiting import Level, Waiting


@observed("staffa.engine")
class PostgresAgeing:
    """The base of the engine that has these methods."""

    pool: Pool | Joined
    _prefix: str

    @property
    def _ages(self) -> AgeStatements:
        return AgeStatements(self._prefix)

    async def find_levels(self, *, after: Level | None, limit: int) -> list[Level]:
        """Find the priorities of each queue's available jobs."""
        return await self.pool.run(self._ages.find_levels(after=after, limit=limit))

    async def find_oldest_waiting(
        self, level: Level, *, age: float, after: Waiting | None, limit: int
    ) -> list[Waiting]:
        """Walk the jobs of a level from the one that has waited longest."""
        return await self.pool.run(self._ages.find_oldest(level, age=age, after=after, limit=limit))

    async def raise_jobs(
        self, jobs: Sequence[Waiting], priorities: Sequence[int]
    ) -> frozenset[int]:
        """Give jobs that have not changed new priorities."""
        return await self.pool.run(self._ages.raise_to(jobs, priorities))
