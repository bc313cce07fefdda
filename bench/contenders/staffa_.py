"""Staffa, as its users run it: heartbeat, leader, services and listeners at their defaults."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg

from bench.contenders.computing import QUEUE, compute, compute_in_process
from bench.contenders.contract import Contender, Enqueue, counter, cpu_seconds, main
from staffa import GlobalLimit, Job, Queue, Staffa, Unique, Workflow, job, telemetry
from staffa.client.backend import make_migrator
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engine import Producer
from staffa.engines.postgres import PostgresEngine
from staffa.limits import Limits

_UNFINISHED = """
SELECT (SELECT count(*) FROM (SELECT FROM oban_jobs WHERE state = 'executing' LIMIT 1) AS running)
     + (SELECT count(*) FROM (SELECT FROM oban_jobs WHERE state = 'available' LIMIT 1) AS waiting)
     + (SELECT count(*) FROM (SELECT FROM staffa_flows WHERE finished_at IS NULL LIMIT 1) AS flows)
"""


@job(queue=QUEUE)
async def count(n: int) -> None:
    """Count a run on the loop."""
    counter.ran()


@job(queue=QUEUE)
async def count_for(n: int, tenant: int) -> None:
    """Count a run that somebody is to have."""
    counter.ran()


@job(queue=QUEUE, executor="thread")
def count_in_thread(n: int) -> None:
    """Count a run in a thread; the count itself is made on the loop's behalf."""
    _loop.call_soon_threadsafe(counter.ran)


@job(queue=QUEUE, executor="thread")
def compute_in_thread(n: int) -> None:
    """Compute, as all others of this process."""
    compute()
    _loop.call_soon_threadsafe(counter.ran)


_loop: asyncio.AbstractEventLoop
_JOBS = {
    "count": count,
    "count_in_thread": count_in_thread,
    "compute_in_thread": compute_in_thread,
    "compute_in_process": compute_in_process,
}


def _limit(tenants: int) -> GlobalLimit:
    """Return a limit that never binds, of the queue or of each of its tenants."""
    return GlobalLimit(1_000_000, partition="args.tenant" if tenants else None)


class StaffaContender(Contender):
    """A client, with a queue where it works."""

    _looking: asyncpg.Connection | None = None

    async def install(self) -> None:
        """Migrate."""
        await make_migrator(self.dsn, "public").up()

    async def insert(self, jobs: int, name: str = "count") -> None:
        """Insert in one call that returns the jobs."""
        made = _JOBS[name]
        async with Staffa(self.dsn) as app:
            await app.enqueue_many(made.new(n) for n in range(jobs))

    async def insert_for(self, jobs: int, tenants: int) -> None:
        """Insert for tenants in turns; none of them is a queue that is not divided."""
        if tenants:
            engine = self._engine()
            await engine.configure_limits({QUEUE: Limits(global_limit=_limit(tenants))})
            await engine.close()
        made = (count_for.new(n, n % max(tenants, 1)) for n in range(jobs))
        await self._stream(made)

    async def insert_ids(self, jobs: int) -> dict[str, Any]:
        """Insert as a stream that returns the ids."""
        return await self._stream(count.new(n) for n in range(jobs))

    async def insert_unique(self, jobs: int) -> dict[str, Any]:
        """Insert jobs that are unique by their arguments, as a stream of ids."""
        made = count.options(unique=Unique(fields=["worker", "args"]))
        return await self._stream(made.new(n) for n in range(jobs))

    async def _stream(self, jobs: Iterable[Job]) -> dict[str, Any]:
        async with Staffa(self.dsn) as app:
            return {"rows": sum([1 async for _ in app.enqueue_many(jobs, stream=True)])}

    async def insert_flat(self, jobs: int) -> None:
        """Insert one workflow, whose jobs do not depend on each other."""
        workflow = Workflow("flat")
        workflow.add_many("all", (count.new(n) for n in range(jobs)))
        async with Staffa(self.dsn) as app:
            await app.enqueue(workflow)

    async def insert_fans(self, jobs: int, width: int) -> None:
        """Insert workflows, in each of which one job is followed by many, and these by one."""
        async with Staffa(self.dsn) as app:
            for start in range(0, jobs, width + 2):
                workflow = Workflow(f"fan {start}")
                workflow.add("first", count.new(start))
                between = (count.new(start + n) for n in range(1, width + 1))
                workflow.add_many("many", between, deps="first")
                workflow.add("last", count.new(start + width + 1), deps="many")
                await app.enqueue(workflow)

    async def insert_singly(self, jobs: int) -> None:
        """Enqueue one job after the other, each with its wake-up."""
        async with Staffa(self.dsn) as app:
            for n in range(jobs):
                await app.enqueue(count.new(n))

    @asynccontextmanager
    async def working(self, limit: int | Queue, **settings: Any) -> AsyncIterator[Enqueue]:
        """Run the queue."""
        global _loop  # noqa: PLW0603 - the jobs of threads reach it as any module's global
        _loop = asyncio.get_running_loop()
        async with Staffa(self.dsn, queues={QUEUE: limit}, **settings) as app:
            yield lambda n: app.enqueue(count.new(n))

    def working_on_ten_queues(self) -> Staffa:
        """Run ten queues."""
        return Staffa(self.dsn, queues={f"queue_{n}": 10 for n in range(10)})

    async def unfinished(self) -> int:
        """Look for rows that are not final, by indexes: it must not slow down what it awaits."""
        if self._looking is None:  # to connect each time costs more than what is measured beside it
            self._looking = await asyncpg.connect(self.dsn)
        found: int = await self._looking.fetchval(_UNFINISHED)
        return found

    async def process_logged(self, jobs: int, limit: int) -> dict[str, Any]:
        """Work with a listener that logs the events of all jobs as JSON."""
        sink = logging.FileHandler(os.devnull)
        logger = logging.getLogger("staffa")
        logger.addHandler(sink)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        telemetry.attach_default_logger()
        return await self.process(jobs, limit)

    async def process_measured(self, jobs: int, limit: int) -> dict[str, Any]:
        """Work with the metrics store, which tells dashboards of all jobs every second."""
        return await self._work(jobs, limit, metrics=True)

    async def process_limited(self, jobs: int, limit: int, tenants: int) -> dict[str, Any]:
        """Work under a limit of all nodes, which never binds."""
        return await self._work(jobs, Queue(limit=limit, global_limit=_limit(tenants)))

    async def _work(self, jobs: int, queue: int | Queue, **settings: Any) -> dict[str, Any]:
        counter.expect(jobs)
        started = time.perf_counter()
        async with self.working(queue, **settings):
            await counter.reached()
            await self.all_done()
            seconds = time.perf_counter() - started
        return {"seconds": seconds, "runs": counter.runs}

    async def process_all(self, jobs: int, limit: int) -> dict[str, Any]:
        """Work until all jobs are done, wherever they run; their processes are counted in."""
        computed, started = cpu_seconds(), time.perf_counter()
        counter.expect(sys.maxsize)
        async with self.working(limit):
            await self.others_done()
            seconds = time.perf_counter() - started
        return {"seconds": seconds, "runs": jobs, "computed": cpu_seconds() - computed}

    async def claim(self, limit: int, times: int) -> dict[str, Any]:
        """Claim again and again, and return the seconds of each claim."""
        engine, producer = self._engine(), Producer(uuid4(), "Staffa", "bench")
        claims = partial(engine.claim_jobs, QUEUE, limit, producer)
        return await self._time(engine, claims, times)

    async def claim_limited(self, limit: int, times: int, tenants: int) -> dict[str, Any]:
        """Claim under a limit that never binds."""
        engine, producer = self._engine(), Producer(uuid4(), "Staffa", "bench")
        limits = Limits(global_limit=_limit(tenants))

        async def claims() -> list[Job]:
            return (await engine.claim_limited_jobs(QUEUE, limit, producer, limits)).jobs

        return await self._time(engine, claims, times)

    async def _time(
        self, engine: PostgresEngine, claims: Callable[[], Awaitable[list[Job]]], times: int
    ) -> dict[str, Any]:
        waited = []
        for _ in range(times):
            started = time.perf_counter()
            claimed = await claims()
            waited.append(time.perf_counter() - started)
            counter.runs += len(claimed)
        await engine.close()
        return {"waited": waited, "runs": counter.runs}

    def _engine(self) -> PostgresEngine:
        return PostgresEngine(ConnectionSettings(self.dsn), "public", 1)


if __name__ == "__main__":
    main(StaffaContender)
