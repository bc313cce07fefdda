"""Doing with a job what was done to that of a row which Elixir Oban has written."""

from __future__ import annotations

from typing import Any

from staffa.engine import Engine, Producer
from staffa.jobs import Job
from staffa.queues import outcomes
from tests.conformance.work import ids

EXACT = ("state", "queue", "worker", "args", "tags", "attempt", "max_attempts", "priority")


class Play:
    """Repeats what was done to the job of a reference row."""

    def __init__(self, engine: Engine, producer: Producer, reference: dict[str, Any]) -> None:
        self.engine = engine
        self.producer = producer
        self.reference = reference
        self.ids: list[int] = []

    async def insert(self, **options: Any) -> None:
        given = {name: self.reference[name] for name in ("worker", "queue", "args")} | options
        self.ids = ids(await self.engine.enqueue_jobs([Job(**given)]))

    async def run(self, *results: object) -> None:
        """Run the job once for each result; errors are raised, in effect."""
        for result in results:
            await self.engine.stage_jobs(10, [])
            (job,) = await self.engine.claim_jobs(self.reference["queue"], 1, self.producer)
            ack = (
                outcomes.of_error(job, result, 0)
                if isinstance(result, Exception)
                else outcomes.of_result(job, result)
            )
            await self.engine.ack_jobs([ack], self.producer)


def shape(row: dict[str, Any]) -> dict[str, Any]:
    """Return what has to be equal in two rows."""
    return {
        name: value if name in EXACT else kinds(value)
        for name, value in row.items()
        if name != "id"
    }


def kinds(value: Any) -> Any:
    """Return the types of a JSON value, down to its leaves."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value]
    return type(value)
