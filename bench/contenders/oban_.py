"""The Python package oban on psycopg's pool, as its documentation sets it up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from oban import Oban, job
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

from bench.contenders.contract import Contender, Enqueue, counter, main

_CHUNK = 5_000
_UNFINISHED = "SELECT count(*) FROM oban_jobs WHERE state NOT IN ('completed', 'discarded')"


@job(queue="bench")
async def count(n: int) -> None:
    """Count a run."""
    counter.ran()


class ObanContender(Contender):
    """A client with a queue."""

    async def install(self) -> None:
        """Make its table."""
        async with self._pool() as pool:
            await install(pool)

    async def insert(self, jobs: int) -> None:
        """Insert in chunks."""
        async with self._pool() as pool:
            app = Oban(pool=pool)
            for first in range(0, jobs, _CHUNK):
                await app.enqueue_many(
                    count.new(n) for n in range(first, min(first + _CHUNK, jobs))
                )

    async def insert_singly(self, jobs: int) -> None:
        """Enqueue one job after the other; its trigger notifies."""
        async with self._pool() as pool:
            app = Oban(pool=pool)
            for n in range(jobs):
                await app.enqueue(count.new(n))

    @asynccontextmanager
    async def working(self, limit: int) -> AsyncIterator[Enqueue]:
        """Run the queue."""
        async with self._pool() as pool, Oban(pool=pool, queues={"bench": limit}) as app:
            yield lambda n: app.enqueue(count.new(n))

    @asynccontextmanager
    async def working_on_ten_queues(self) -> AsyncIterator[None]:
        """Run ten queues."""
        queues = {f"queue_{n}": 10 for n in range(10)}
        async with self._pool() as pool, Oban(pool=pool, queues=queues):
            yield

    async def unfinished(self) -> int:
        """Count the rows that are not final."""
        async with self._pool() as pool, pool.connection() as connection:
            row = await (await connection.execute(_UNFINISHED)).fetchone()
        return int(row[0]) if row else 0

    def _pool(self) -> AsyncConnectionPool:
        return AsyncConnectionPool(self.dsn, min_size=1, max_size=10, open=False)


if __name__ == "__main__":
    main(ObanContender)
