"""The signs of life of one producer, on a connection to the file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from staffa._internal.kill_points import boundaries
from staffa.drivers.sqlite import FileConnection
from staffa.engine import Lease, Producer, Pulse, dynamic_control
from staffa.engines.sqlite.statements.jobs import JobStatements
from staffa.engines.sqlite.statements.nodes import BeatStatements
from staffa.engines.statements.dynamic import DynamicStatements
from staffa.errors import SchemaMissing


@boundaries
class SqliteHeartbeat:
    """The signs of life of one producer; used on the watchman's thread alone."""

    def __init__(
        self,
        connection: FileConnection,
        producers: BeatStatements,
        jobs: JobStatements,
        dynamic: DynamicStatements,
    ) -> None:
        self._connection = connection
        self._producers = producers
        self._jobs = jobs
        self._dynamic = dynamic

    async def beat(self, producer: Producer, known: int | None = None) -> Pulse:
        """Show that a producer lives, and read what has changed.

        Dynamic queues are read after the version of the last change, if that has changed, so that
        none up to it is missed.
        """
        pulse = await self._connection.write(self._producers.beat_together(producer, known))
        if known is not None and pulse.version <= known:
            return pulse
        try:
            rows = await self._connection.read(self._dynamic.changes(producer.name, known))
        except SchemaMissing:  # the file is not migrated yet
            return pulse
        return replace(pulse, controls=[*pulse.controls, *map(dynamic_control, rows)])

    async def find_lost_leases(self, producer: Producer, leases: Sequence[Lease]) -> list[Lease]:
        """Return those of the leases that have ended."""
        return await self._connection.read(self._jobs.find_lost_leases(producer, leases))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
