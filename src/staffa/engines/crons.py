"""What the engines have in common about entries of cron; each runs statements in its own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from staffa._internal.kill_points import boundaries
from staffa.cron.changes import ChangedCron, CronChange, HeldCron, Registration, new_row
from staffa.cron.stored import CronBoard, Entry
from staffa.engines.statements.crons import CronDialogues, CronStatements
from staffa.engines.transacting import Transacting
from staffa.jobs import Job
from staffa.telemetry import observed
from staffa.types import ProducerView

T = TypeVar("T")


@observed("staffa.engine")
@boundaries
class CronEngine(Transacting):
    """The base of engines: what they do with entries of cron."""

    _crons: CronStatements
    _cron_dialogues: CronDialogues

    async def register_crons(
        self,
        producer: ProducerView,
        entries: Sequence[Entry],
        *,
        dead_after: float,
        grace: timedelta = timedelta(0),
        sync: bool = False,
    ) -> Registration:
        """Write the entries that a producer declares."""
        return await self._hold(
            self._cron_dialogues.register(
                producer, entries, dead_after=dead_after, grace=grace, sync=sync
            )
        )

    async def insert_cron(self, instance: str, entry: Entry, *, dead_after: float) -> bool:
        """Write an entry that is made at run time."""
        rows = [new_row(entry, dynamic=True)]
        names = await self._change(self._crons.insert(instance, rows, dead_after=dead_after))
        return bool(names)

    async def change_cron(
        self,
        instance: str,
        name: str,
        change: Callable[[HeldCron], CronChange],
        *,
        dead_after: float,
    ) -> ChangedCron | None:
        """Change an entry while nobody else can."""
        return await self._hold(
            self._cron_dialogues.change(instance, name, change, dead_after=dead_after)
        )

    async def delete_cron(self, instance: str, name: str, *, dead_after: float) -> bool:
        """Delete an entry unless a living process declares it."""
        return await self._hold(self._cron_dialogues.delete(instance, name, dead_after=dead_after))

    async def read_crons(
        self, instance: str, *, reader: UUID | None, dead_after: float
    ) -> CronBoard:
        """Read the entries of an instance."""
        return await self._read(self._crons.read(instance, reader=reader, dead_after=dead_after))

    async def enqueue_tick(self, instance: str, name: str, tick: datetime, job: Job) -> Job | None:
        """Take a tick and insert its job."""
        return await self._hold(self._cron_dialogues.take(instance, name, tick, job))
