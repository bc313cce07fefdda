"""The contract of what keeps the tables in order: a part of every engine's, and the owner's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from staffa.types import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished job, as the pruner judges it.

    Args:
        id: The job.
        state: Completed, cancelled or discarded.
        queue: Its queue.
        worker: Its worker.
        age: Seconds since it ended, on the database's clock.
        ended_at: When it ended, as the engine writes it: where a walk goes on.
        version: Changes with each write to the row.
    """

    id: int
    state: State
    queue: str
    worker: str
    age: float
    ended_at: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumHealth:
    """What vacuums have left in the jobs table, as the database counts it.

    Args:
        live: Rows that are there.
        dead: Rows that take up space until a vacuum removes them.
        vacuumed_at: The last vacuum, if there was one.
        oldest_snapshot: Seconds since the oldest transaction began that still reads; what it can
            see, no vacuum removes.
    """

    live: int
    dead: int
    vacuumed_at: str | None
    oldest_snapshot: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSize:
    """An index of our tables.

    Args:
        name: Its name.
        bytes: How large it is.
        expected_bytes: How large it would be if built now, estimated; None if that can't be told.
        leftover: Whether an interrupted rebuild has left it behind.
        valid: Whether it is used.
    """

    name: str
    bytes: int
    expected_bytes: int | None
    leftover: bool
    valid: bool


class Maintenance(Protocol):
    """What only the owner of the tables may do, on connections of its own, without time limits."""

    async def read_indexes(self) -> list[IndexSize]:
        """Read the indexes of our tables."""

    async def rebuild_index(self, name: str) -> None:
        """Build an index anew beside its use."""

    async def drop_index(self, name: str) -> None:
        """Drop an index beside the use of its table."""


class Tidies(Protocol):
    """What an engine does for the pruner and the reindexer."""

    async def find_oldest_finished(
        self, state: State, *, age: float, after: Finished | None, limit: int
    ) -> list[Finished]:
        """Walk the jobs of a state that ended so many seconds ago, from the one that did first."""

    async def find_newest_finished(
        self, state: State, *, age: float, before: Finished | None, limit: int
    ) -> list[Finished]:
        """Walk the jobs of a state that ended so many seconds ago, from the one that did last."""

    async def prune_jobs(self, jobs: Sequence[Finished]) -> frozenset[int]:
        """Delete finished jobs that have not changed since they were read; return their ids."""

    async def check_vacuum(self) -> VacuumHealth:
        """Read what vacuums have left."""

    @property
    def maintenance(self) -> Maintenance | None:
        """What the owner of the tables may do; None where nobody has said who that is."""
