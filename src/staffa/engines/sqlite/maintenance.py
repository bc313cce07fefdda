"""What keeps a file in order: finished jobs are found and deleted."""

from __future__ import annotations

from collections.abc import Sequence

from staffa._internal.kill_points import boundaries
from staffa.drivers.sqlite import FileConnection
from staffa.engines.sqlite.statements.prunes import PruneStatements
from staffa.engines.statements.following import FollowStatements
from staffa.engines.transacting import Transacting
from staffa.maintenance import Finished, Maintenance, VacuumHealth
from staffa.telemetry import observed
from staffa.types import State


@observed("staffa.engine")
@boundaries
class SqliteTidying(Transacting):
    """The base of the engine: what the pruner and the reindexer ask of it."""

    _following: FollowStatements
    _prunes: PruneStatements
    _reader: FileConnection
    _writer: FileConnection

    async def find_oldest_finished(
        self, state: State, *, age: float, after: Finished | None, limit: int
    ) -> list[Finished]:
        """Walk finished jobs from the one that ended first."""
        return await self._reader.read(
            self._prunes.find_oldest(state, age=age, after=after, limit=limit)
        )

    async def find_newest_finished(
        self, state: State, *, age: float, before: Finished | None, limit: int
    ) -> list[Finished]:
        """Walk finished jobs from the one that ended last."""
        return await self._reader.read(
            self._prunes.find_newest(state, age=age, before=before, limit=limit)
        )

    async def prune_jobs(self, jobs: Sequence[Finished]) -> frozenset[int]:
        """Delete finished jobs that have not changed since they were read."""
        return await self._follow(lambda: self._prunes.prune_all(jobs, self._following))

    async def check_vacuum(self) -> VacuumHealth:
        """There are no dead rows: SQLite uses the room of deleted ones again."""
        return VacuumHealth(live=0, dead=0, vacuumed_at=None, oldest_snapshot=None)

    @property
    def maintenance(self) -> Maintenance | None:
        """Nothing: indexes of SQLite do not bloat."""
        return None
