"""The signs of life of one producer, on a connection to the file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from staffa._internal.kill_points import boundaries
from staffa.drivers.sqlite import FileConnection
from staffa.engine import Lease, Producer, Pulse
from staffa.engines.sqlite.statements.jobs import JobStatements
from staffa.engines.sqlite.statements.nodes import BeatStatements


@boundaries
class SqliteHeartbeat:
    """The signs of life of one producer; used on the watchman's thread alone."""

    def __init__(
        self, connection: FileConnection, producers: BeatStatements, jobs: JobStatements
    ) -> None:
        self._connection = connection
        self._producers = producers
        self._jobs = jobs

    async def beat(self, producer: Producer, known: int | None = None) -> Pulse:
        """Show that a producer lives, and read what has changed."""
        return await self._connection.write(self._producers.beat_together(producer, known))

    async def find_lost_leases(self, producer: Producer, leases: Sequence[Lease]) -> list[Lease]:
        """Return those of the leases that have ended."""
        return await self._connection.read(self._jobs.find_lost_leases(producer, leases))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
