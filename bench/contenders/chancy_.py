"""chancy with its executor for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chancy import Chancy, Queue, Worker, job
from psycopg import AsyncConnection

from bench.contenders.contract import Contender, Enqueue, counter, main

_UNFINISHED = "SELECT count(*) FROM chancy_jobs WHERE state NOT IN ('succeeded', 'failed')"


@job(queue="bench")
async def count(*, n: int) -> None:
    """Count a run."""
    counter.ran()


class ChancyContender(Contender):
    """An app with one queue."""

    async def install(self) -> None:
        """Make its tables."""
        async with Chancy(self.dsn) as app:
            await app.migrate()

    async def insert(self, jobs: int) -> None:
        """Push in batches."""
        async with Chancy(self.dsn) as app:
            made = [count.job.with_kwargs(n=n) for n in range(jobs)]
            async for _ in app.push_many(made, batch_size=5_000):
                pass

    async def insert_singly(self, jobs: int) -> None:
        """Push one job after the other."""
        async with Chancy(self.dsn) as app:
            for n in range(jobs):
                await app.push(count.job.with_kwargs(n=n))

    @asynccontextmanager
    async def working(self, limit: int) -> AsyncIterator[Enqueue]:
        """Run its worker."""
        async with Chancy(self.dsn) as app:
            await app.declare(self._queue("bench", limit), upsert=True)
            async with Worker(app):
                yield lambda n: app.push(count.job.with_kwargs(n=n))

    @asynccontextmanager
    async def working_on_ten_queues(self) -> AsyncIterator[None]:
        """Run a worker of ten queues."""
        async with Chancy(self.dsn) as app:
            for n in range(10):
                await app.declare(self._queue(f"queue_{n}", 10), upsert=True)
            async with Worker(app):
                yield

    async def unfinished(self) -> int:
        """Count the rows that are not final."""
        async with await AsyncConnection.connect(self.dsn) as connection:
            row = await (await connection.execute(_UNFINISHED)).fetchone()
        return int(row[0]) if row else 0

    def _queue(self, name: str, limit: int) -> Queue:
        return Queue(name, concurrency=limit, executor=Chancy.Executor.Async, eager_polling=True)


if __name__ == "__main__":
    main(ChancyContender)
