"""Small flows that tests write by hand, row by row, as an engine has to find them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from staffa.engine import Ack, Engine, Lease, Producer
from staffa.engines.statements.jobs import describe_job
from staffa.jobs import Job
from staffa.linking import LinkedAcks
from staffa.memberships import named_flows
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, new_job

ENDS = ("completed", "cancelled", "discarded")


class Flows:
    """Writes flows, and ends their jobs.

    Args:
        store: Where they are.
        engine: What inserts jobs.
        producer: Who runs them.
    """

    def __init__(self, store: Store, engine: Engine, producer: Producer) -> None:
        self.store = store
        self.engine = engine
        self.producer = producer
        self._claimed: dict[int | None, Job] = {}

    @property
    def claimed(self) -> frozenset[int | None]:
        """The jobs that were leased beside those that were asked for."""
        return frozenset(self._claimed)

    async def add(
        self,
        flow: str,
        kind: str = "workflow",
        *,
        parent: str | None = None,
        root: str | None = None,
        callbacks: Mapping[str, Job] | None = None,
    ) -> str:
        """Write a flow that has no jobs yet; its parent goes on because of it."""
        told = {event: describe_job(job) for event, job in (callbacks or {}).items()}
        await self.store.insert(
            "staffa_flows",
            id=flow,
            kind=kind,
            root=root or parent or flow,
            parent=parent,
            callbacks=orjson.loads(orjson.dumps(told)),
        )
        if parent is not None:
            await self.store.raise_flow(parent, "inner_open")
        return flow

    async def job(
        self,
        flow: str | None,
        *needs: int | str,
        batch: str | None = None,
        chain: str | None = None,
        held: bool = False,
        policies: Mapping[str, str] | None = None,
        meta: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> int:
        """Write a job that needs jobs or whole flows, and return its id."""
        keys = {"workflow_id": flow, "batch_id": batch, "chain_id": chain}
        named = {key: value for key, value in keys.items() if value is not None}
        (job,) = await self.engine.enqueue_jobs(
            [new_job(meta={**named, **(meta or {})}, **options)]
        )
        assert job.id is not None
        waits = bool(needs) or held
        await self.store.enlist([job.id], *filter(None, (flow, batch)))
        for name in named.values():
            await self.store.raise_flow(name, "total", *(["suspended"] if waits else []))
        if waits:
            await self.store.write(job.id, state="suspended")
            root = await self._root(next(iter(named.values())))
            await self.store.insert(
                "staffa_steps",
                job_id=job.id,
                root=root,
                open=len(needs),
                held=held,
                **{f"on_{end}": policy for end, policy in (policies or {}).items()},
            )
            for column, kind in (("needs_job", int), ("needs_flow", str)):
                edges = [
                    {"job_id": job.id, column: need} for need in needs if isinstance(need, kind)
                ]
                await self.store.insert_many("staffa_edges", edges)
        return job.id

    async def many(self, flow: str, count: int, *needs: int) -> list[int]:
        """Write jobs that are alike."""
        jobs = await self.engine.enqueue_jobs(
            [new_job(meta={"workflow_id": flow}) for _ in range(count)]
        )
        numbers = [job.id for job in jobs if job.id is not None]
        await self.store.enlist(numbers, flow)
        steps = [
            {"job_id": number, "root": await self._root(flow), "open": len(needs)}
            for number in (numbers if needs else ())
        ]
        await self.store.insert_many("staffa_steps", steps)
        edges = [{"job_id": one["job_id"], "needs_job": need} for one in steps for need in needs]
        await self.store.insert_many("staffa_edges", edges)
        await self.store.raise_flow(flow, "total", by=count)
        if needs:
            await self.store.raise_flow(flow, "suspended", by=count)
            await self.store.suspend(numbers)
        return numbers

    async def _root(self, flow: str) -> str:
        root: str = (await self.flow(flow))["root"]
        return root

    async def flow(self, flow: str) -> dict[str, Any]:
        """Return the row of a flow."""
        return await self.store.flow(flow)

    async def is_open(self, flow: str) -> bool:
        """Tell whether a flow goes on."""
        return (await self.flow(flow))["finished_at"] is None

    async def states(self, *numbers: int) -> list[str]:
        """Return the states of jobs."""
        return [(await self.store.row(number))["state"] for number in numbers]

    async def claim(self, *numbers: int, engine: Engine | None = None) -> list[Job]:
        """Lease the jobs that are given, which are available, and others with them."""
        claimed = await (engine or self.engine).claim_jobs(QUEUE, 100_000, self.producer)
        self._claimed |= {job.id: job for job in claimed}
        return [self._claimed.pop(number) for number in numbers]

    async def end(
        self, *numbers: int, state: State = State.COMPLETED, **details: Any
    ) -> LinkedAcks:
        """Run jobs to an end."""
        claimed = await self.claim(*numbers)
        return await self.ack(*claimed, state=state, **details)

    def outcome(self, job: Job, state: State = State.COMPLETED) -> Ack:
        """Return the outcome of a claimed job."""
        return Ack(lease=Lease.of(job), state=state)

    async def ack(
        self, *jobs: Job, state: State = State.COMPLETED, engine: Engine | None = None,
        wait: bool = True, named: bool = True, **details: Any,
    ) -> LinkedAcks:  # fmt: skip
        """Write outcomes, with the flows that the jobs name or without."""
        acks = [Ack(lease=Lease.of(job), state=state, **details) for job in jobs]
        flows = {job.id: named_flows(job.meta) for job in jobs if named and job.id is not None}
        return await (engine or self.engine).ack_linked_jobs(
            acks, self.producer, flows=flows, wait=wait
        )

    async def check_counts(self, *flows: str) -> None:
        """Compare the counts of flows with their jobs; none of these has been deleted."""
        for flow in flows:
            row = await self.flow(flow)
            jobs = await self._members(flow, row["kind"])
            states = Counter(job["state"] for job in jobs)
            ended = {state: row[state] for state in (*ENDS, "suspended")}
            assert ended == {state: states[state] for state in (*ENDS, "suspended")}, flow
            assert row["total"] == len(jobs) + row["deleted"], flow
            attempted = sum(map(_is_attempted, jobs)) + row["deleted"]
            assert row["attempted"] == attempted, flow
            inner = [one for one in await self.store.flows() if one["parent"] == flow]
            assert row["inner_open"] == sum(one["finished_at"] is None for one in inner), flow
            goes_on = len(jobs) > sum(states[state] for state in ENDS) or row["inner_open"] > 0
            assert (row["finished_at"] is None) == goes_on, flow

    async def _members(self, flow: str, kind: str) -> Sequence[dict[str, Any]]:
        key = f"{kind}_id"
        return [
            job
            for job in await self.store.rows()
            if job["meta"].get(key) == flow and not (kind == "batch" and "callback" in job["meta"])
        ]


def _is_attempted(job: Mapping[str, Any]) -> bool:
    if job["state"] in ENDS or job["attempt"] > 1:
        return True
    return bool(job["attempt"] == 1 and job["state"] != "executing")
