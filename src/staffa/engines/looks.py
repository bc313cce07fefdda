"""Looks at the tables of one place for jobs: what the engines' surveys have in common."""

from __future__ import annotations

from collections.abc import Collection

from staffa.engine import Statement
from staffa.engines.statements.area import Idiom
from staffa.engines.statements.operations import OperationStatements
from staffa.engines.statements.surveys import (
    NodeSurveyStatements,
    QueueSurveyStatements,
    SurveyStatements,
)
from staffa.engines.walks import Reads
from staffa.jobs import Job
from staffa.survey import ControlStatus, Outcomes, ProducerStatus, Running, Waiting, order_as
from staffa.types import State


class Looks:
    """The base of surveys: all but the state of the server.

    Args:
        read: Runs statements.
        prefix: The schema.
        idiom: How the engine's statements are written.
    """

    def __init__(self, read: Reads, prefix: str, idiom: Idiom) -> None:
        self._run = read
        self._jobs = SurveyStatements(prefix, idiom)
        self._operations = OperationStatements(prefix, idiom)
        self._producers = NodeSurveyStatements(prefix, idiom)
        self._queues = QueueSurveyStatements(prefix, idiom)

    async def list_producers(self) -> list[ProducerStatus]:
        """Read producers."""
        return await self._run(self._producers.list_producers())

    async def list_controls(self, instance: str) -> list[ControlStatus]:
        """Read what is set about queues."""
        return await self._run(self._queues.list_controls(instance))

    async def count_running(self) -> list[Running]:
        """Count running jobs."""
        return await self._run(self._jobs.count_running())

    async def count_waiting(self, *, most: int) -> list[Waiting]:
        """Count waiting jobs."""
        return await self._run(self._jobs.count_waiting(most))

    async def count_ended(self, *, seconds: float) -> dict[tuple[str, State], int]:
        """Count attempts that have ended lately."""
        return await self._run(self._jobs.count_ended(seconds))

    async def count_outcomes(self, *, seconds: float) -> list[Outcomes]:
        """Count by worker how attempts have ended lately."""
        return await self._run(self._jobs.count_outcomes(seconds))

    async def list_running(self, limit: int) -> list[Job]:
        """Read running jobs."""
        return await self._read(self._jobs.list_running(limit), {State.EXECUTING})

    async def list_failed(self, limit: int) -> list[Job]:
        """Read failed jobs."""
        return await self._read(self._jobs.list_failed(limit), {State.RETRYABLE, State.DISCARDED})

    async def count_workers(self) -> dict[str, int]:
        """Count waiting jobs by worker."""
        return await self._run(self._jobs.count_workers())

    async def _read(self, statement: Statement[list[int]], states: Collection[State]) -> list[Job]:
        """Read jobs, but those that have left their state since their ids were read."""
        ids = await self._run(statement)
        jobs = await self._run(self._operations.get(ids))
        return order_as(ids, [job for job in jobs if job.state in states])
