"""The signs of life of a producer in PostgreSQL, on a connection of their own."""

from __future__ import annotations

from collections.abc import Sequence

from staffa._internal.kill_points import boundaries
from staffa.drivers.asyncpg import Dedicated
from staffa.engine import Lease, Producer, Pulse
from staffa.engines.postgres.queues import PostgresQueues
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.nodes import ProducerStatements


@boundaries
class PostgresHeartbeat:
    """The signs of life of one producer; used on the watchman's thread alone."""

    def __init__(
        self,
        connection: Dedicated,
        producers: ProducerStatements,
        jobs: JobStatements,
        queues: PostgresQueues,
    ) -> None:
        self._connection = connection
        self._producers = producers
        self._jobs = jobs
        self._queues = queues

    async def beat(self, producer: Producer, known: int | None = None) -> Pulse:
        """Show that a producer lives, and read what has changed."""
        pulse = await self._connection.run(self._producers.beat(producer, known))
        return await self._queues.follow(self._connection, producer, known, pulse)

    async def find_lost_leases(self, producer: Producer, leases: Sequence[Lease]) -> list[Lease]:
        """Return those of the leases that have ended."""
        return await self._connection.run(self._jobs.find_lost_leases(producer, leases))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
