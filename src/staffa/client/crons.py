"""Looking at cron's entries, and running one out of turn."""

from __future__ import annotations

from staffa.client.dynamic import DynamicQueues
from staffa.cron.stored import CronBoard, StoredCron
from staffa.errors import UnknownOption
from staffa.jobs import Job


class Crons(DynamicQueues):
    """Entries of cron."""

    async def list_crons(self) -> list[StoredCron]:
        """Return the entries of this instance by name, with their last and next runs.

        They are those that worker processes have registered, whatever runs here.

        Example:
            ```python
            for entry in await app.list_crons():
                print(entry.name, entry.expression, entry.last_run, entry.next_run)
            ```
        """
        return (await self._read_crons()).entries

    async def run_cron(self, name: str) -> Job:
        """Enqueue the job of an entry now, beside its ticks, and return it.

        Args:
            name: The entry's.

        Raises:
            UnknownOption: If there is none of that name; names the nearest one.
        """
        entries = {entry.name: entry for entry in (await self._read_crons()).entries}
        if name not in entries:
            raise UnknownOption("cron entry", name, entries)
        return await self.enqueue(entries[name].new_job())

    async def _read_crons(self) -> CronBoard:
        backend = await self._open()
        reader = None if self._node is None else self._node.producer.uuid
        return await backend.engine.read_crons(
            self.config.name, reader=reader, dead_after=self.config.dead_after
        )
