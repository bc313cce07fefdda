"""dramatiq with Redis: one worker process with threads."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.worker import Worker

from bench.contenders.contract import Contender, main

_URL = os.environ.get("BENCH_REDIS", "redis://")
_store = redis.Redis.from_url(_URL)
broker = RedisBroker(url=_URL)
dramatiq.set_broker(broker)
_runs: list[int] = []


@dramatiq.actor(queue_name="bench", actor_name="count")
def count(n: int) -> None:
    """Count a run."""
    _runs.append(n)


class DramatiqContender(Contender):
    """A worker of threads within this process; Redis is its database."""

    async def install(self) -> None:
        """Empty the database."""
        _store.flushdb()

    async def insert(self, jobs: int) -> None:
        """Send one after the other: it has no bulk form."""
        await self.insert_singly(jobs)

    async def insert_singly(self, jobs: int) -> None:
        """Send on one connection."""
        for n in range(jobs):
            count.send(n)

    async def process(self, jobs: int, limit: int) -> dict[str, Any]:
        """Run its worker until all jobs are done."""
        started = time.perf_counter()
        worker = Worker(broker, worker_threads=min(limit, 8))
        worker.start()
        while len(_runs) < jobs or _left():
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - started
        worker.stop(timeout=1_000)
        return {"seconds": seconds, "runs": len(_runs)}


def _left() -> int:
    return int(_store.hlen("dramatiq:bench.msgs"))  # acknowledged ones are gone


if __name__ == "__main__":
    main(DramatiqContender)
