"""Looks at what goes on in a schema of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from staffa._internal.sql import load_sql
from staffa.drivers.asyncpg import ConnectionSettings, Pool
from staffa.engine import Statement
from staffa.engines.statements.operations import OperationStatements
from staffa.engines.statements.surveys import (
    NodeSurveyStatements,
    QueueSurveyStatements,
    SurveyStatements,
    peer_leads,
)
from staffa.jobs import Job
from staffa.survey import (
    ELIXIR,
    PYTHON,
    ControlStatus,
    ProducerStatus,
    Running,
    ServerHealth,
    Waiting,
    order_as,
)
from staffa.telemetry import observed
from staffa.types import State

_PEERS = {"elixir": ELIXIR, "python": PYTHON}


@observed("staffa.engine")
class PostgresSurvey:
    """Looks at a schema.

    Args:
        settings: Where to connect.
        pool: Runs statements.
        prefix: The schema.
        instance: The client whose events its calls are.
    """

    def __init__(
        self, settings: ConnectionSettings, pool: Pool, prefix: str, instance: str | None = None
    ) -> None:
        self.instance = instance
        self._settings = settings
        self._pool = pool
        self._prefix = prefix
        self._jobs = SurveyStatements(prefix)
        self._operations = OperationStatements(prefix)
        self._producers = NodeSurveyStatements(prefix)
        self._queues = QueueSurveyStatements(prefix)

    async def list_producers(self) -> list[ProducerStatus]:
        """Read producers."""
        return await self._pool.run(self._producers.list_producers())

    async def list_controls(self, instance: str) -> list[ControlStatus]:
        """Read what is set about queues."""
        return await self._pool.run(self._queues.list_controls(instance))

    async def count_running(self) -> list[Running]:
        """Count running jobs."""
        return await self._pool.run(self._jobs.count_running())

    async def count_waiting(self, *, most: int) -> list[Waiting]:
        """Count waiting jobs."""
        return await self._pool.run(self._jobs.count_waiting(most))

    async def count_ended(self, *, seconds: float) -> dict[tuple[str, State], int]:
        """Count attempts that have ended lately."""
        return await self._pool.run(self._jobs.count_ended(seconds))

    async def list_running(self, limit: int) -> list[Job]:
        """Read running jobs."""
        return await self._read(self._jobs.list_running(limit), {State.EXECUTING})

    async def list_failed(self, limit: int) -> list[Job]:
        """Read failed jobs."""
        return await self._read(self._jobs.list_failed(limit), {State.RETRYABLE, State.DISCARDED})

    async def count_workers(self) -> dict[str, int]:
        """Count waiting jobs by worker."""
        return await self._pool.run(self._jobs.count_workers())

    async def check_server(self) -> ServerHealth:
        """Read the state of the server."""
        text = load_sql("staffa.engines.postgres", "catalogue/server.sql", "public")
        row = await self._pool.run(Statement(text, (self._prefix,), _first))
        leading = [
            peer
            for kind, peer in _PEERS.items()
            if row[f"has_{kind}"] and await self._pool.run(peer_leads(kind, self._prefix))
        ]
        return ServerHealth(
            now=row["now"],
            version=row["version"],
            read_only=row["read_only"],
            pooled=await self._settings.is_pooled(),
            max_connections=row["max_connections"],
            used_connections=row["used_connections"],
            leading_peers=tuple(leading),
        )

    async def _read(self, statement: Statement[list[int]], states: Collection[State]) -> list[Job]:
        """Read jobs, but those that have left their state since their ids were read."""
        ids = await self._pool.run(statement)
        jobs = await self._pool.run(self._operations.get(ids))
        return order_as(ids, [job for job in jobs if job.state in states])


def _first(rows: Any) -> Mapping[str, Any]:
    row: Mapping[str, Any] = rows[0]
    return row
