"""Several nodes do everything to flows at once: no count drifts, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from staffa.engine import Ack, Engine, Lease, Producer
from staffa.engines.linked.repairing import find_wrong
from staffa.errors import UnknownFlow
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.linking import Graph, NeedsFlow, NeedsJob, NeedsStep, NewStep, Policies, Policy
from staffa.types import State
from tests.conformance.new_graphs import batch, workflow
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, new_job, new_producer

SEEDS = range(3)
EVENTS = ("attempted", "completed", "cancelled", "discarded", "retryable", "exhausted")
MOST_FLOWS = 12
ACTS = 50
OUTCOMES = [*[State.COMPLETED] * 4, State.DISCARDED, State.CANCELLED, State.RETRYABLE]


class Crowd:
    """Nodes, and what they do to flows.

    Args:
        store: Where they are.
        seed: Repeats what is chosen, though not in which order it happens.
    """

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.chance = random.Random(seed)
        self.nodes = [(store.engine(), new_producer()) for _ in range(3)]
        self.engine, self.producer = self.nodes[0]
        self.workflows: list[str] = []
        self.batches: list[str] = []

    async def act(self, engine: Engine, producer: Producer) -> None:
        """Do one thing."""
        verbs = [self.run] * 9 + [self.change] * 3 + [self.control] * 2 + [self.append, self.make]
        with suppress(UnknownFlow):  # others are about to write it
            await self.chance.choice(verbs)(engine, producer)

    async def make(self, engine: Engine, _: Producer) -> None:
        """Write a workflow with another one inside of it, maybe in a batch."""
        if len(self.workflows) == MOST_FLOWS:
            return
        name, inner = f"w{len(self.workflows)}", f"i{len(self.workflows)}"
        self.workflows.append(name)
        around = f"b{name}" if self.chance.random() < 0.5 else None
        flows = [workflow(name, root=around or name), workflow(inner, name, root=around or name)]
        if around is not None:
            self.batches.append(around)
            callbacks = {event: [self.callback(), self.callback()] for event in EVENTS}
            flows.insert(0, batch(around, callbacks=callbacks))
        steps: list[NewStep] = []
        for place in range(8):
            flow = inner if place < 3 else name
            places = self.chance.sample(range(place), min(place, self.chance.randint(0, 2)))
            needs: list[Any] = [NeedsStep(one) for one in places]
            if flow == name and self.chance.random() < 0.3:
                needs.append(NeedsFlow(inner))
            policies = Policies(
                *(self.chance.choice([Policy.CANCEL, Policy.IGNORE]) for _ in range(3))
            )
            held = self.chance.random() < 0.05
            steps.append(NewStep(self.job(flow, around), needs, policies, held))
        await engine.insert_graph(Graph(flows, steps))

    async def append(self, engine: Engine, _: Producer) -> None:
        """Add a step behind some of a workflow's."""
        rows = await engine.read_flows([self.chance.choice(self.workflows)])
        if rows:
            jobs = await engine.list_linked_jobs(rows[0].id)
            some = self.chance.sample(jobs, min(len(jobs), 2))
            around = rows[0].root if rows[0].root in self.batches else None
            step = NewStep(self.job(rows[0].id, around), [NeedsJob(job.id or 0) for job in some])
            await engine.insert_graph(Graph([], [step], roots=[rows[0].root]))

    def job(self, flow: str, around: str | None) -> Job:
        """Return a step, in a chain perhaps."""
        chain = None
        if self.chance.random() < 0.4:
            ends = {f"on_{end}": self.chance.choice(["hold", "ignore"]) for end in OUTCOMES[4:6]}
            chain = {"by": "args.k", **ends}
        meta = {"workflow_id": flow} | ({} if around is None else {"batch_id": around})
        return new_job(meta=meta, args={"k": self.chance.randrange(2)}, chain=chain)

    def callback(self) -> Job:
        """Return a callback, which may be unique and in a chain."""
        unique = {"keys": ["k"]} if self.chance.random() < 0.5 else None
        chain = {"by": "args.k"} if self.chance.random() < 0.5 else None
        return new_job(args={"k": self.chance.randrange(2)}, unique=unique, chain=chain)

    async def run(self, engine: Engine, producer: Producer) -> None:
        """Run some jobs to an end."""
        acks = []
        for job in await engine.claim_jobs(QUEUE, self.chance.randint(1, 4), producer):
            state = self.chance.choice(OUTCOMES)
            again: dict[str, Any] = {"error": "no", "delay": 0.0}
            details = again if state is State.RETRYABLE else {}
            acks.append(Ack(lease=Lease.of(job), state=state, **details))
        while acks:  # as the acker does
            left = (await engine.ack_linked_jobs(acks, producer, wait=False)).left
            acks = [ack for ack in acks if ack.lease.id in left]
            await asyncio.sleep(0.002)

    async def change(self, engine: Engine, _: Producer) -> None:
        """Change some jobs."""
        numbers = [one async for some in engine.find_jobs(JobFilter()) for one in some]
        some = self.chance.sample(numbers, min(len(numbers), 3))
        verbs: list[Any] = [engine.cancel_jobs, engine.retry_jobs, engine.delete_jobs]
        await self.chance.choice(verbs)(some)

    async def control(self, engine: Engine, producer: Producer) -> None:
        """Change a flow as a whole, or take jobs away."""
        flow = self.chance.choice([*self.workflows, *self.batches])
        match self.chance.randrange(4):
            case 0:
                await engine.cancel_flow(flow)
            case 1:
                await engine.retry_flow(flow, whole=self.chance.random() < 0.3)
            case 2:
                await engine.repair_links(limit=10)
            case 3:
                await engine.rescue_jobs({producer.uuid: 0}, max_rescues=3, limit=10)

    async def finish(self) -> None:
        """Complete all there is, and let go of what is held, by people or by chains."""
        dead = {producer.uuid: 0 for _, producer in self.nodes}
        await self.engine.rescue_jobs(dead, max_rescues=100, limit=1_000)
        while True:
            await self.engine.stage_jobs(1_000, [QUEUE])
            claimed = await self.engine.claim_jobs(QUEUE, 1_000, self.producer)
            acks = [Ack(lease=Lease.of(job), state=State.COMPLETED) for job in claimed]
            if acks:
                await self.engine.ack_linked_jobs(acks, self.producer)
            elif not await self._let_go():
                return

    async def _let_go(self) -> bool:
        states = {row["id"]: row["state"] for row in await self.store.rows()}
        waiting = {number for number, state in states.items() if state == "suspended"}
        held = {row["job_id"] for row in await self.store.select("staffa_steps") if row["held"]}
        for number in held & waiting:
            await self.engine.release_step(number)
        holders = {
            edge["needs_job"]
            for edge in await self.store.select("staffa_edges")
            if edge["ended"] is None
            and edge["job_id"] in waiting
            and states.get(edge["needs_job"]) in ("cancelled", "discarded")
            and "hold" in (edge["on_cancelled"], edge["on_discarded"])
        }
        if holders:
            await self.engine.retry_jobs(sorted(holders))
        assert holders or held & waiting or not waiting, "jobs wait for nothing"
        return bool(waiting)


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_count_drifts_and_nothing_waits_for_ever(store: Store, seed: int) -> None:
    crowd = Crowd(store, seed)

    async def work(engine: Engine, producer: Producer) -> None:
        for _ in range(ACTS):
            await crowd.act(engine, producer)

    await crowd.make(crowd.engine, crowd.producer)
    await asyncio.gather(*(work(*node) for node in crowd.nodes))
    await crowd.finish()
    flows = await store.flows()
    engine: Any = crowd.engine
    wrong = await engine._follow(lambda: find_wrong(engine._repairs, [one["id"] for one in flows]))
    assert wrong == []
    assert [one["id"] for one in flows if one["finished_at"] is None] == []
    opened = [row for row in await store.select("staffa_edges") if row["ended"] is None]
    for step in await store.select("staffa_steps"):
        assert step["open"] == sum(edge["job_id"] == step["job_id"] for edge in opened), step
