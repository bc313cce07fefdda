"""Staffa, as its users run it: heartbeat, leader, services and listeners at their defaults."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg

from bench.contenders.contract import Contender, Enqueue, counter, cpu_seconds, main
from staffa import Job, Staffa, Unique, job, telemetry
from staffa.client.backend import make_migrator
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engine import Producer
from staffa.engines.postgres import PostgresEngine

QUEUE = "bench"
_UNFINISHED = """
SELECT (SELECT count(*) FROM (SELECT FROM oban_jobs WHERE state = 'executing' LIMIT 1) AS running)
     + (SELECT count(*) FROM (SELECT FROM oban_jobs WHERE state = 'available' LIMIT 1) AS waiting)
"""


@job(queue=QUEUE)
async def count(n: int) -> None:
    """Count a run on the loop."""
    counter.ran()


@job(queue=QUEUE, executor="thread")
def count_in_thread(n: int) -> None:
    """Count a run in a thread; the count itself is made on the loop's behalf."""
    _loop.call_soon_threadsafe(counter.ran)


def _compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@job(queue=QUEUE, executor="thread")
def compute_in_thread(n: int) -> None:
    """Compute for 50 ms, as all others of this process."""
    _compute(0.05)
    _loop.call_soon_threadsafe(counter.ran)


@job(queue=QUEUE, executor="process")
def compute_in_process(n: int) -> None:
    """Compute for 50 ms in a process of the pool."""
    _compute(0.05)


_loop: asyncio.AbstractEventLoop
_JOBS = {
    "count": count,
    "count_in_thread": count_in_thread,
    "compute_in_thread": compute_in_thread,
    "compute_in_process": compute_in_process,
}


class StaffaContender(Contender):
    """A client, with a queue where it works."""

    async def install(self) -> None:
        """Migrate."""
        await make_migrator(self.dsn, "public").up()

    async def insert(self, jobs: int, name: str = "count") -> None:
        """Insert in one call that returns the jobs."""
        made = _JOBS[name]
        async with Staffa(self.dsn) as app:
            await app.enqueue_many(made.new(n) for n in range(jobs))

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

    async def insert_singly(self, jobs: int) -> None:
        """Enqueue one job after the other, each with its wake-up."""
        async with Staffa(self.dsn) as app:
            for n in range(jobs):
                await app.enqueue(count.new(n))

    @asynccontextmanager
    async def working(self, limit: int, **settings: Any) -> AsyncIterator[Enqueue]:
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
        connection = await asyncpg.connect(self.dsn)
        found: int = await connection.fetchval(_UNFINISHED)
        await connection.close()
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
        counter.expect(jobs)
        started = time.perf_counter()
        async with self.working(limit, metrics=True):
            await counter.reached()
            await self.all_done()
            seconds = time.perf_counter() - started
        return {"seconds": seconds, "runs": counter.runs}

    async def process_all(self, jobs: int, limit: int) -> dict[str, Any]:
        """Work until all jobs are done, wherever they run; their processes are counted in."""
        computed, started = cpu_seconds(), time.perf_counter()
        counter.expect(sys.maxsize)
        async with self.working(limit):
            await self.all_done()
            seconds = time.perf_counter() - started
        return {"seconds": seconds, "runs": jobs, "computed": cpu_seconds() - computed}

    async def claim(self, limit: int, times: int) -> dict[str, Any]:
        """Claim again and again, and return the seconds of each claim."""
        producer = Producer(uuid4(), "Staffa", "bench")
        engine = PostgresEngine(ConnectionSettings(self.dsn), "public", 1)
        waited = []
        for _ in range(times):
            started = time.perf_counter()
            claimed = await engine.claim_jobs(QUEUE, limit, producer)
            waited.append(time.perf_counter() - started)
            counter.runs += len(claimed)
        await engine.close()
        return {"waited": waited, "runs": counter.runs}


if __name__ == "__main__":
    main(StaffaContender)
