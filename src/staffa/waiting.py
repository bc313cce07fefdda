"""The contract of ageing: how jobs that wait are found, and how they become more urgent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The available jobs of one priority in a queue.

    Args:
        queue: The queue.
        priority: The priority.
        waited: Seconds since the first of them was due, on the database's clock.
    """

    queue: str
    priority: int
    waited: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An available job, as the prioritizer judges it.

    Args:
        id: The job.
        queue: Its queue.
        worker: Its worker.
        priority: As it is now.
        own_priority: As it was before it was raised, if it was.
        waited: Seconds since it was due, on the database's clock.
        due_since: When it was due, as the engine writes it: where a walk goes on.
    """

    id: int
    queue: str
    worker: str
    priority: int
    own_priority: int
    waited: float
    due_since: str


class Ages(Protocol):
    """What an engine does for the prioritizer."""

    async def find_levels(self, *, after: Level | None, limit: int) -> list[Level]:
        """Find the priorities that available jobs of each queue have, 0 aside, in their order."""

    async def find_oldest_waiting(
        self, level: Level, *, age: float, after: Waiting | None, limit: int
    ) -> list[Waiting]:
        """Walk the jobs of a level that have waited so many seconds, from the one that has most."""

    async def raise_jobs(
        self, jobs: Sequence[Waiting], priorities: Sequence[int]
    ) -> frozenset[int]:
        """Give jobs that have not changed since they were read new priorities; return their ids.

        From then on the row tells the job's own priority, until the job is scheduled anew: then it
        has that again.
        """
