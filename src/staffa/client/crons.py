"""Looking at cron's entries, changing them at run time, and running one out of turn.

A change is one transaction on the entry's row. Nobody is notified: the leader reads all entries at
the beginning of each minute, before it enqueues anything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Unpack

from staffa.client.dynamic import DynamicQueues
from staffa.cron.changes import (
    ChangedCron,
    CronChange,
    HeldCron,
    Values,
    change,
    spread,
    tell_tick,
)
from staffa.cron.edits import CronChanges, make_edit, new_entry
from staffa.cron.entries import Cron
from staffa.cron.stored import CronBoard, StoredCron
from staffa.errors import ConfigError, UnknownOption
from staffa.jobs import Job
from staffa.telemetry import emit, working_for
from staffa.telemetry.catalogue import (
    CronAdded,
    CronDeleted,
    CronPaused,
    CronResumed,
    CronRun,
    CronUpdated,
)


class Crons(DynamicQueues):
    """Entries of cron."""

    async def list_crons(self) -> list[StoredCron]:
        """Return the entries of this instance by name, with their last and next runs.

        They are those that worker processes have registered, whatever runs here, and those that
        were made at run time.

        Example:
            ```python
            for entry in await app.list_crons():
                print(entry.name, entry.expression, entry.last_run, entry.next_run)
            ```
        """
        return (await self._read_crons()).entries

    async def get_cron(self, name: str) -> StoredCron | None:
        """Return an entry of this instance; None if there is none of that name.

        Args:
            name: The entry's.

        Example:
            ```python
            entry = await app.get_cron("nightly")
            ```
        """
        found = (entry for entry in await self.list_crons() if entry.name == name)
        return next(found, None)

    async def insert_cron(self, cron: Cron) -> StoredCron:
        """Make an entry that no configuration names, and return it as it is stored.

        It holds for all processes, and outlives them until it is deleted. Its first tick is later
        than now. If its worker is known here, the worker's own options hold, and the args are
        checked.

        Args:
            cron: What and when; it names its worker.

        Raises:
            ConfigError: If there is one of that name, or it can't be used.
            InvalidJob: If no job can be made of it.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.insert_cron(
                Cron("0 9 * * MON", worker=greet, args={"name": "Ada"}, name="mondays")
            )
            ```
        """
        config = self.config
        entry = new_entry(
            cron, config.name, config.timezone, config.imports, config.encryption_keys
        )
        engine = (await self._open()).engine
        if not await engine.insert_cron(config.name, entry, dead_after=config.dead_after):
            raise ConfigError(
                f"there is a cron entry {entry.name!r} already: change it with update_cron, or "
                "give this one another name="
            )
        emit(CronAdded, cron=entry.name, instance=config.name)
        return await self._find_cron(entry.name)

    async def update_cron(self, name: str, **changes: Unpack[CronChanges]) -> StoredCron:
        """Change options of an entry, and return it; all others stay as they are.

        What the configuration says of an entry comes back when it says something else than it did:
        see the setting `cron_sync`. Other times hold from now on: ticks that were due by the old
        ones are not lost, and nothing of the past is due by the new ones.

        Args:
            name: The entry's.
            **changes: See `CronChanges`. `args` and `meta` replace all there were.

        Raises:
            UnknownOption: If there is no entry of that name, or no such option.
            ConfigError: If a value can't be used.
            InvalidJob: If no job can be made of it.
            StatementConflict: If somebody else has changed its worker or encryption meanwhile.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.update_cron("mondays", expression="0 8 * * MON", priority=1)
            ```
        """
        config = self.config
        entry = await self._find_cron(name)
        edit = make_edit(entry, changes, config.imports, config.encryption_keys)
        done = await self._change_cron(name, edit.apply)
        if done.change.changed:
            emit(CronUpdated, cron=name, options=done.change.options, instance=config.name)
        return await self._find_cron(name)

    async def pause_cron(self, name: str) -> None:
        """Take no ticks of an entry, until it is resumed or the configuration changes that.

        Args:
            name: The entry's.

        Raises:
            UnknownOption: If there is none of that name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.pause_cron("mondays")
            ```
        """
        if (await self._set_paused(name, paused=True)).change.changed:
            emit(CronPaused, cron=name, instance=self.config.name)

    async def resume_cron(self, name: str) -> None:
        """Take the ticks of an entry again; those that have passed are not made up for.

        Args:
            name: The entry's.

        Raises:
            UnknownOption: If there is none of that name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.resume_cron("mondays")
            ```
        """
        if (await self._set_paused(name, paused=False)).change.changed:
            emit(CronResumed, cron=name, instance=self.config.name)

    async def delete_cron(self, name: str) -> None:
        """Delete an entry; jobs that it has made stay.

        Args:
            name: The entry's.

        Raises:
            UnknownOption: If there is none of that name.
            ConfigError: If a process declares it that is alive: it would come back.
            DatabaseError: If it could not be deleted.

        Example:
            ```python
            await app.delete_cron("mondays")
            ```
        """
        config = self.config
        engine = (await self._open()).engine
        if not await engine.delete_cron(config.name, name, dead_after=config.dead_after):
            await self._find_cron(name)
            raise ConfigError(
                f"cron entry {name!r} is in the configuration of a process that runs, whose next "
                "start would bring it back: pause it, or take it out there"
            )
        emit(CronDeleted, cron=name, instance=config.name)

    async def run_cron(self, name: str) -> Job:
        """Enqueue the job of an entry now, beside its ticks, and return it.

        Args:
            name: The entry's; it may be paused.

        Raises:
            UnknownOption: If there is none of that name; names the nearest one.

        Example:
            ```python
            job = await app.run_cron("mondays")
            ```
        """
        job = await self.enqueue((await self._find_cron(name)).new_job())
        emit(CronRun, cron=name, job=job, instance=self.config.name)
        return job

    async def _set_paused(self, name: str, *, paused: bool) -> ChangedCron:
        return await self._change_cron(
            name, lambda entry: {**spread(entry.as_row()), "paused": paused}
        )

    async def _change_cron(self, name: str, make: Callable[[StoredCron], Values]) -> ChangedCron:
        """Write what a function makes of an entry, and tell of the ticks that are taken for it."""
        config = self.config
        grace = timedelta(seconds=config.cron_grace)

        def judge(held: HeldCron) -> CronChange:
            return change(held, make(held.entry), grace)

        engine = (await self._open()).engine
        done = await engine.change_cron(config.name, name, judge, dead_after=config.dead_after)
        if done is None:
            raise UnknownOption("cron entry", name, await self._cron_names())
        with working_for(config.name):
            for taken in done.taken:
                tell_tick(taken)
        queues = {taken.job.queue for taken in done.taken if taken.job.wakes_its_queue}
        if queues:
            await self._wake(queues)
        return done

    async def _find_cron(self, name: str) -> StoredCron:
        found = await self.get_cron(name)
        if found is None:
            raise UnknownOption("cron entry", name, await self._cron_names())
        return found

    async def _cron_names(self) -> list[str]:
        return [entry.name for entry in await self.list_crons()]

    async def _read_crons(self) -> CronBoard:
        backend = await self._open()
        reader = None if self._node is None else self._node.producer.uuid
        return await backend.engine.read_crons(
            self.config.name, reader=reader, dead_after=self.config.dead_after
        )
