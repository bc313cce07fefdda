"""Celery with Redis: one worker process, threads, the largest prefetch; results are ignored."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import Any

import redis
from celery import Celery

from bench.contenders.contract import Contender, main

_DONE = "bench:done"
app = Celery("bench.contenders.celery_", broker=os.environ.get("BENCH_REDIS"))
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=0,
    task_acks_late=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
_store = redis.Redis.from_url(os.environ.get("BENCH_REDIS", "redis://"))


@app.task(name="count")
def count(n: int) -> None:
    """Count a run where other processes see it."""
    _store.incr(_DONE)


class CeleryContender(Contender):
    """A worker is its own program; Redis is its database."""

    async def install(self) -> None:
        """Empty the database."""
        _store.flushdb()

    async def insert(self, jobs: int) -> None:
        """Send one after the other: it has no bulk form."""
        await self.insert_singly(jobs)

    async def insert_singly(self, jobs: int) -> None:
        """Send on one connection."""
        with app.producer_pool.acquire(block=True) as producer:
            for n in range(jobs):
                count.apply_async((n,), producer=producer)

    async def process(self, jobs: int, limit: int) -> dict[str, Any]:
        """Run its worker until all jobs are done."""
        _store.delete(_DONE)
        worker = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
            [
                *(sys.executable, "-m", "celery", "-A", "bench.contenders.celery_", "worker"),
                *("--pool=threads", f"--concurrency={limit}", "--loglevel=ERROR"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not _done():  # its start is not counted, as the others' imports are not
            await asyncio.sleep(0.005)
        first, started = _done(), time.perf_counter()
        while _done() < jobs:
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - started
        worker.terminate()
        worker.wait()
        return {"seconds": seconds, "runs": _done() - first}


def _done() -> int:
    return int(_store.get(_DONE) or 0)


if __name__ == "__main__":
    main(CeleryContender)
