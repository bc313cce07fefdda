"""Rebuilds bloated indexes, drops what interrupted rebuilds left, and tells of overdue vacuums.

The leader alone does so. Indexes need the owner of the tables: without a `maintenance_dsn` only the
vacuums are looked at, once an hour. A rebuild runs beside the use of the index and takes as long as
it takes; one that fails is reported, and what it left is dropped.

Options: `staffa.upkeep.Reindexer`.
Events: `staffa.reindexer.rebuilt`, `staffa.reindexer.dropped`, `staffa.vacuum.overdue`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from staffa._internal.clock import Clock
from staffa.engine import Engine
from staffa.errors import DatabaseError
from staffa.maintenance import IndexSize, Maintenance
from staffa.service import Loop
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import IndexDropped, IndexRebuilt, VacuumOverdue
from staffa.types import to_seconds
from staffa.upkeep import Reindexer

logger = logging.getLogger("staffa")

_LOOK_SECONDS = 60.0
_VACUUM_SECONDS = 3600.0
_RETRY_SECONDS = 3600.0
DEAD_FACTOR = 2.0
LEAST_DEAD = 50_000


class ReindexerLoop(Loop):
    """Looks after the indexes and the vacuums of the tables.

    Args:
        engine: Where.
        options: Which indexes are rebuilt, and how often they are looked at.
        leading: Tells whether this node leads.
        clock: Measures.
    """

    def __init__(
        self, engine: Engine, options: Reindexer, *, leading: Callable[[], bool], clock: Clock
    ) -> None:
        self._every = to_seconds(options.interval, "interval")
        super().__init__(min(_LOOK_SECONDS, self._every))
        self._span = "staffa.service.reindexer"
        self._engine = engine
        self._options = options
        self._leading = leading
        self._clock = clock
        self._rebuild_at = self._vacuum_at = 0.0

    async def tick(self) -> None:
        """Do what is due."""
        now = self._clock.monotonic()
        if not self._leading():
            return
        if now >= self._vacuum_at:
            await self._check_vacuum()
            self._vacuum_at = now + _VACUUM_SECONDS
        maintenance = self._engine.maintenance
        if maintenance is not None and now >= self._rebuild_at:
            self._rebuild_at = now + min(self._every, _RETRY_SECONDS)
            await drop_leftovers(maintenance)
            bloated = find_bloated(await maintenance.read_indexes(), self._options)
            names = [index.name for index in bloated]
            await rebuild_indexes(maintenance, names, self._clock, go_on=self._leading)
            self._rebuild_at = now + self._every

    async def _check_vacuum(self) -> None:
        health = await self._engine.check_vacuum()
        if health.dead < LEAST_DEAD or health.dead < DEAD_FACTOR * health.live:
            return
        oldest = health.oldest_snapshot
        reason = "" if oldest is None else f"; a transaction has been reading for {oldest:.0f} s"
        logger.warning(
            "the jobs table has %d dead rows and %d living ones: see that autovacuum runs on it%s",
            health.dead,
            health.live,
            reason,
        )
        emit(VacuumOverdue, live=health.live, dead=health.dead, oldest_snapshot=oldest)


def find_bloated(indexes: Sequence[IndexSize], options: Reindexer) -> list[IndexSize]:
    """Return the indexes that are to be rebuilt.

    Example:
        >>> claim = IndexSize(
        ...     name="claim", bytes=2**28, expected_bytes=2**20, leftover=False, valid=True
        ... )
        >>> [index.name for index in find_bloated([claim], Reindexer())]
        ['claim']
    """
    return [
        index
        for index in indexes
        if index.valid
        and index.expected_bytes is not None
        and index.bytes >= options.min_bytes
        and index.bytes >= options.ratio * index.expected_bytes
    ]


async def rebuild_indexes(
    maintenance: Maintenance,
    names: Sequence[str],
    clock: Clock,
    *,
    go_on: Callable[[], bool] = lambda: True,
) -> list[str]:
    """Rebuild indexes one by one, and return the names of those that were.

    Args:
        maintenance: The owner of the tables.
        names: Which indexes.
        clock: Measures.
        go_on: Asked before each of them.
    """
    rebuilt = []
    for name in names:
        if not go_on():
            break
        begun_at = clock.monotonic()
        try:
            await maintenance.rebuild_index(name)
        except DatabaseError as error:
            report(f"index {name} was not rebuilt", error, level=logging.WARNING)
            await drop_leftovers(maintenance)
            continue
        rebuilt.append(name)
        emit(IndexRebuilt, index=name, seconds=clock.monotonic() - begun_at)
    return rebuilt


async def drop_leftovers(maintenance: Maintenance) -> list[str]:
    """Drop what interrupted rebuilds have left, and return the names."""
    dropped = []
    for index in await maintenance.read_indexes():
        if not index.leftover:
            continue
        try:
            await maintenance.drop_index(index.name)
        except DatabaseError as error:
            report(f"index {index.name} was not dropped", error, level=logging.WARNING)
        else:
            dropped.append(index.name)
            emit(IndexDropped, index=index.name)
    return dropped
