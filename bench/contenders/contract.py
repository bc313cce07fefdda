"""What is asked of each contender, and the program around it.

A contender runs in an environment of its own, in which there is nothing but what it needs, so this
module stands on the standard library alone. The program says ``ready`` once all is imported, waits
for a line, does what it was asked for, and prints one line of JSON.

The job is the same for all: it takes one number, counts itself and returns.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

POLL_SECONDS = 0.01
LOOK_SECONDS = 0.1
"""Between two looks at the database while others work: each look costs a connection."""
PAUSE_SECONDS = 0.005
"""Between two jobs whose latency is measured: the worker is idle again."""
SETTLE_SECONDS = 15
"""From its start until a worker does nothing but what it does for ever.

A server counts the transactions of connections that are idle up to ten seconds late.
"""
MARK = "now"
"""What a program says when that begins which is measured of it, and when it ends."""

Enqueue = Callable[[int], Awaitable[Any]]


class Counter:
    """Counts the runs of the job within a process."""

    def __init__(self) -> None:
        self.runs = 0
        self.last: float = 0.0
        self._wanted = 0
        self._reached = asyncio.Event()

    def expect(self, runs: int) -> None:
        """Set how many runs `reached` waits for from now on."""
        self.runs, self._wanted = 0, runs
        self._reached = asyncio.Event()

    def ran(self) -> None:
        """Count one run."""
        self.runs += 1
        if self.runs >= self._wanted:
            self.last = time.perf_counter()
            self._reached.set()

    async def reached(self) -> None:
        """Wait until there have been as many runs as expected."""
        await self._reached.wait()


counter = Counter()


class Contender:
    """A job system; what it can't do is left out of the tables.

    Args:
        dsn: The database that was made for this run.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def install(self) -> None:
        """Make its tables."""
        raise NotImplementedError

    async def insert(self, jobs: int) -> None:
        """Insert jobs in bulk, in the fastest way that it offers."""
        raise NotImplementedError

    async def insert_singly(self, jobs: int) -> None:
        """Insert jobs one after the other, each committed and announced."""
        raise NotImplementedError

    def working(self, limit: int) -> AbstractAsyncContextManager[Enqueue]:
        """Run a worker of a limit, and say how to enqueue one job beside it."""
        raise NotImplementedError

    async def unfinished(self) -> int:
        """Return how many jobs are not done yet, as the database has it."""
        raise NotImplementedError

    async def process(self, jobs: int, limit: int) -> dict[str, Any]:
        """Work until all jobs are done."""
        counter.expect(jobs)
        started = time.perf_counter()
        async with self.working(limit):
            await counter.reached()
            await self.all_done()
            seconds = time.perf_counter() - started
            return {"seconds": seconds, "runs": counter.runs, "resident": resident_bytes()}

    async def share(self, limit: int) -> dict[str, Any]:
        """Work, together with other processes, until all jobs are done."""
        counter.expect(sys.maxsize)
        started = time.perf_counter()
        async with self.working(limit):
            await self.others_done()
            return {"seconds": time.perf_counter() - started, "runs": counter.runs}

    async def react(self, jobs: int, limit: int = 10) -> dict[str, Any]:
        """Return the seconds between the call that enqueues and the function's entry."""
        waited = []
        async with self.working(limit) as enqueue:
            await asyncio.sleep(1)
            for number in range(jobs):
                counter.expect(1)
                started = time.perf_counter()
                await enqueue(number)
                await counter.reached()
                waited.append(counter.last - started)
                await asyncio.sleep(PAUSE_SECONDS)
        return {"waited": waited}

    async def idle(self, seconds: float) -> dict[str, Any]:
        """Work on ten queues that have no jobs; the start and the end are not measured."""
        async with self.working_on_ten_queues():
            await asyncio.sleep(SETTLE_SECONDS)
            print(MARK, flush=True)
            await asyncio.sleep(seconds)
            print(MARK, flush=True)
            await asyncio.to_thread(sys.stdin.readline)  # until the end is noted
        return {"seconds": seconds}

    def working_on_ten_queues(self) -> AbstractAsyncContextManager[Any]:
        """Run a worker of ten queues."""
        raise NotImplementedError

    async def all_done(self) -> None:
        """Wait until the database has no unfinished job."""
        while await self.unfinished():
            await asyncio.sleep(POLL_SECONDS)

    async def others_done(self) -> None:
        """Do the same beside others' work, which many looks would hold up."""
        while await self.unfinished():
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def running(worker: Awaitable[Any], stop: Callable[[], Any]) -> AsyncIterator[None]:
    """Run a worker beside what is done, and stop it at the end."""
    task = asyncio.ensure_future(worker)
    try:
        yield
    finally:
        stop()
        await asyncio.wait([task], timeout=5)
        task.cancel()


def resident_bytes() -> int:
    """Return what of this process lies in memory."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds() -> float:
    """Return what this process and its ended children have computed."""
    own, children = (resource.getrusage(who) for who in (0, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


async def _answer(contender: Contender, action: str, options: dict[str, Any]) -> None:
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started, computed = time.perf_counter(), cpu_seconds()
    result = await getattr(contender, action)(**options) or {}
    result.setdefault("seconds", time.perf_counter() - started)
    result["cpu"] = cpu_seconds() - computed
    print(json.dumps(result), flush=True)


def main(kind: type[Contender]) -> None:
    """Do what the command line asks for: an action, and its options as JSON."""
    action, dsn, options = sys.argv[1:]
    run(_answer(kind(dsn), action, json.loads(options)))
    os._exit(0)  # what a contender leaves running must not hold up the next one


def run(work: Any) -> None:
    """Run on uvloop where there is one: the best setting of all that know asyncio."""
    try:
        import uvloop  # noqa: PLC0415 - only in the environments of those that gain by it
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
