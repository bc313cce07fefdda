"""Claims under limits against the plainest reading of what is promised, whatever happens before.

After each claim all rows are read: what runs, what waits, what was taken. No limit is exceeded, no
job waits that might run, partitions have had their turns, and the most urgent came first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staffa import GlobalLimit, RateLimit
from staffa.engine import Ack, Engine, Lease, Producer
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.limits import Limits
from staffa.types import State
from tests.conformance.sqlite_store import SqliteStore
from tests.conformance.stores import PostgresStore, Store
from tests.conformance.work import QUEUE, new_job, new_producer

FIELDS = [None, "args.tenant", "args.kind", ["args.tenant", "args.kind"]]
TENANTS, KINDS = "abcd", "xy"

LIMITS = st.builds(
    lambda partition, allowed, burst, per_node, tokens, each: Limits(
        global_limit=None
        if allowed is None
        else GlobalLimit(
            allowed, partition=partition, burst=burst and partition is not None, per_node=per_node
        ),
        rate_limit=None
        if tokens is None
        else RateLimit(tokens, period=36_000, partition=partition if each else None),
    ),
    st.sampled_from(FIELDS),
    st.one_of(st.none(), st.integers(1, 4)),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 12)),
    st.booleans(),
)
JOB = st.tuples(
    st.sampled_from(TENANTS), st.sampled_from(KINDS), st.integers(0, 2), st.booleans()
)  # tenant, kind, priority, whether another client writes it
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("enqueue"), st.lists(JOB, min_size=1, max_size=12)),
        st.tuples(st.just("claim"), st.tuples(st.integers(0, 1), st.integers(1, 9))),
        st.tuples(st.just("claim"), st.tuples(st.integers(0, 1), st.integers(1, 9))),
        st.tuples(
            st.just("end"), st.tuples(st.integers(0, 99), st.sampled_from(["ack", "cancel"]))
        ),
        st.tuples(st.just("release"), st.integers(0, 1)),
        st.tuples(st.just("configure"), LIMITS),
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class World:
    """A queue under limits, and what is known of it."""

    store: Store
    engine: Engine
    limits: Limits = field(default_factory=Limits)
    producers: tuple[Producer, Producer] = (new_producer("node.1"), new_producer("node.2"))
    spent: Counter[Any] = field(default_factory=Counter)

    async def begin(self, limits: Limits) -> None:
        """Begin with an empty queue."""
        await self.engine.reset()
        self.spent = Counter()
        await self.configure(limits)

    async def configure(self, limits: Limits) -> None:
        """Change the limits; what was spent of another partition is no more known."""
        if limits.fields != self.limits.fields or limits.rate_limit != self.limits.rate_limit:
            await self.engine.reset_tokens(QUEUE)
            self.spent.clear()
        self.limits = limits
        await self.engine.configure_limits({QUEUE: limits})

    async def act(self, action: str, about: Any) -> None:
        """Let something happen."""
        match action:
            case "enqueue":
                jobs = [
                    new_job(args={"tenant": tenant, "kind": kind}, priority=priority)
                    for tenant, kind, priority, _ in about
                ]
                stored = await self.engine.enqueue_jobs(jobs)
                for job, (*_, foreign) in zip(stored, about, strict=True):
                    if foreign:
                        await self.store.write(job.id, meta={})
            case "claim":
                await self.claim(*about)
            case "end":
                await self.end(*about)
            case "release":
                await self.engine.release_jobs(self.producers[about])
            case "configure":
                await self.configure(about)

    async def end(self, number: int, way: str) -> None:
        """End one of the running jobs."""
        running = await self.jobs(State.EXECUTING)
        if not running:
            return
        job = running[number % len(running)]
        if way == "cancel":
            await self.engine.cancel_jobs([job.id or 0])
            return
        owner = next(one for one in self.producers if str(one.uuid) in (job.attempted_by or ()))
        ack = Ack(lease=Lease.of(job), state=State.COMPLETED)
        assert await self.engine.ack_jobs([ack], owner)

    async def claim(self, node: int, wanted: int) -> None:
        """Claim until nothing more is there at once, and compare with what was promised."""
        producer = self.producers[node]
        waited = await self.jobs(State.AVAILABLE)
        running = Counter(map(self.key, await self.counting(producer)))
        taken: list[Job] = []
        for _ in range(20):
            found = await self.engine.claim_limited_jobs(
                QUEUE, wanted - len(taken), producer, self.limits
            )
            taken += found.jobs
            if len(taken) == wanted or found.delay != 0.0:
                break
        assert len(taken) <= wanted
        for job in taken:
            self.spent[self.key(job)] += 1
        left = [job for job in waited if job.id not in {job.id for job in taken}]
        await self._check_limits(producer, running, taken, left)
        may = [job for job in left if await self._may_run(producer, job)]
        if len(taken) < wanted:
            assert may == []
            assert found.short == bool(left)
        self._check_order(taken, may)

    async def _check_limits(
        self, producer: Producer, before: Counter[Any], taken: list[Job], left: list[Job]
    ) -> None:
        limit, rate = self.limits.global_limit, self.limits.rate_limit
        now = Counter(map(self.key, await self.counting(producer)))
        if limit is not None and limit.partition is None:
            assert sum(now.values()) <= max(limit.allowed, sum(before.values()))
        elif limit is not None:
            for key, count in now.items():
                if limit.burst and {self.key(job) for job in left} <= {key}:
                    continue
                assert count <= max(limit.allowed, before[key]) or limit.burst
        if rate is not None and rate.partition is None:
            assert not taken or sum(self.spent.values()) <= rate.allowed
        elif rate is not None:
            assert all(self.spent[self.key(job)] <= rate.allowed for job in taken)

    async def _may_run(self, producer: Producer, job: Job) -> bool:
        limit, rate = self.limits.global_limit, self.limits.rate_limit
        running = Counter(map(self.key, await self.counting(producer)))
        if limit is not None:
            count = running[self.key(job)] if limit.partition else sum(running.values())
            if count >= limit.allowed:
                return False
        if rate is not None:
            spent = self.spent[self.key(job)] if rate.partition else sum(self.spent.values())
            if spent >= rate.allowed:
                return False
        return True

    def _check_order(self, taken: list[Job], may: list[Job]) -> None:
        """See that whoever might still run was not passed over."""
        for priority in {job.priority for job in taken}:
            turns = Counter(self.key(job) for job in taken if job.priority == priority)
            for job in may:
                assert job.priority >= priority or not turns
                if job.priority == priority:
                    assert max(turns.values()) <= turns[self.key(job)] + 1 or not self.limits.fields
        for job in may:
            for other in taken:
                if self.key(job) == self.key(other) or not self.limits.fields:
                    assert (other.priority, other.id) < (job.priority, job.id)

    async def jobs(self, state: State) -> list[Job]:
        """Return the jobs of a state."""
        return await self.engine.list_jobs(JobFilter(states=[state], limit=1000))

    async def counting(self, producer: Producer) -> list[Job]:
        """Return the running jobs that count for a node."""
        limit = self.limits.global_limit
        running = await self.jobs(State.EXECUTING)
        if limit is None or not limit.per_node:
            return running
        return [job for job in running if (job.attempted_by or ("",))[0] == producer.node]

    def key(self, job: Job) -> Any:
        """Return the partition of a job."""
        return tuple(job.args[name.removeprefix("args.")] for name in self.limits.fields)


@pytest.fixture(params=["postgres", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[asyncio.Runner, World]]:
    """A store with its engine, on an event loop of its own."""
    store: Store = SqliteStore(tmp_path / "jobs.db")
    if request.param == "postgres":
        store = PostgresStore(request.getfixturevalue("schemas"))
    with asyncio.Runner() as runner:
        runner.run(store.open())
        yield runner, World(store, store.engine())
        runner.run(store.close())


@settings(
    max_examples=30, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(limits=LIMITS, actions=ACTIONS)
def test_a_claim_takes_what_the_limits_allow_in_turns_and_leaves_nothing_that_might_run(
    world: tuple[asyncio.Runner, World], limits: Limits, actions: list[tuple[str, Any]]
) -> None:
    runner, made = world

    async def run() -> None:
        await made.begin(limits)
        for action, about in actions:
            await made.act(action, about)

    runner.run(run())
