"""Writes a graph, and runs its jobs to the ends that a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staffa.engine import Ack, Engine, Lease, Producer
from staffa.linking import NewFlow, NewStep
from staffa.types import State
from tests.conformance.new_graphs import graph, states
from tests.conformance.work import QUEUE


class Runs:
    """Writes a graph, and runs its jobs.

    Args:
        engine: The engine.
        producer: Who runs them.
    """

    def __init__(self, engine: Engine, producer: Producer) -> None:
        self.engine = engine
        self.producer = producer
        self.ids: list[int] = []

    async def write(self, *steps: NewStep, flows: Sequence[NewFlow] | None = None) -> None:
        """Write a graph; its jobs are told by their places from now on."""
        self.ids = list((await self.engine.insert_graph(graph(*steps, flows=flows))).ids)

    async def start(self, *places: int) -> list[Lease]:
        """Claim all that is available; return the leases of some."""
        claimed = await self.engine.claim_jobs(QUEUE, 1_000, self.producer)
        leases = {job.id: Lease.of(job) for job in claimed}
        return [leases[self.ids[place]] for place in places]

    async def end(self, *places: int, state: State = State.COMPLETED, **details: Any) -> None:
        """Run jobs to an end; others that were claimed are put back."""
        acks = [Ack(lease=lease, state=state, **details) for lease in await self.start(*places)]
        done = await self.engine.ack_linked_jobs(acks, self.producer)
        assert len(done.states) == len(places)
        await self.engine.release_jobs(self.producer, queue=QUEUE)

    async def states(self) -> list[str]:
        """Return the states of all jobs."""
        return await states(self.engine, self.ids)
