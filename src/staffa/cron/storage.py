"""The contract of storing entries of cron, and of making their jobs; a part of every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from staffa.cron.changes import ChangedCron, CronChange, HeldCron, Registration
from staffa.cron.stored import CronBoard, Entry
from staffa.jobs import Job
from staffa.types import ProducerView


class StoresCrons(Protocol):
    """What an engine does with entries; every method may raise `DatabaseError`."""

    async def register_crons(
        self,
        producer: ProducerView,
        entries: Sequence[Entry],
        *,
        dead_after: float,
        grace: timedelta = timedelta(0),
        sync: bool = False,
    ) -> Registration:
        """Write the entries that a producer declares, as far as they say something new.

        Args:
            producer: Who declares them, and knows of those that were made at run time.
            entries: They.
            dead_after: Seconds without a heartbeat after which others count as dead.
            grace: How late a tick may be that was due before its entry's times changed.
            sync: Whether those are deleted that were made at run time, or nobody alive declares.
        """

    async def insert_cron(self, instance: str, entry: Entry, *, dead_after: float) -> bool:
        """Write an entry that is made at run time; tell whether there was none of its name."""

    async def change_cron(
        self,
        instance: str,
        name: str,
        change: Callable[[HeldCron], CronChange],
        *,
        dead_after: float,
    ) -> ChangedCron | None:
        """Change an entry while nobody else can; None if there is none of the name.

        Args:
            instance: Whose.
            name: The entry's.
            change: Says what is to become of it; what it raises is passed on, and nothing is
                changed. It may be called on another thread, and does no I/O.
            dead_after: Seconds without a heartbeat after which processes count as dead.
        """

    async def delete_cron(self, instance: str, name: str, *, dead_after: float) -> bool:
        """Delete an entry unless a living process declares it; tell whether it was deleted."""

    async def read_crons(
        self, instance: str, *, reader: UUID | None, dead_after: float
    ) -> CronBoard:
        """Read the entries of an instance, and the clock by which their ticks are judged."""

    async def enqueue_tick(self, instance: str, name: str, tick: datetime, job: Job) -> Job | None:
        """Take a tick of an entry and insert its job, both or neither; None if it was taken."""

    async def tend_crons(
        self, instance: str, *, dead_after: float, forget_after: float
    ) -> list[str]:
        """Forget the entries that nobody has declared for some seconds; return their names."""
