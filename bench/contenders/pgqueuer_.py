"""pgqueuer on asyncpg: batches of 500, or the largest that a limit allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from bench.contenders.contract import Contender, Enqueue, counter, main, running

_CHUNK = 5_000
_UNFINISHED = "SELECT count(*) FROM pgqueuer"


class PgQueuerContender(Contender):
    """Rows are deleted when they are done."""

    async def install(self) -> None:
        """Make the tables."""
        connection = await asyncpg.connect(self.dsn)
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    async def insert(self, jobs: int) -> None:
        """Insert in chunks, as its documentation advises."""
        connection = await asyncpg.connect(self.dsn)
        queries = Queries(AsyncpgDriver(connection))
        for first in range(0, jobs, _CHUNK):
            payloads: list[bytes | None] = [
                b"%d" % n for n in range(first, min(first + _CHUNK, jobs))
            ]
            count = len(payloads)
            await queries.enqueue(["count"] * count, payloads, [0] * count)
        await connection.close()

    async def insert_singly(self, jobs: int) -> None:
        """Enqueue one job after the other; its trigger notifies."""
        connection = await asyncpg.connect(self.dsn)
        queries = Queries(AsyncpgDriver(connection))
        for n in range(jobs):
            await queries.enqueue("count", b"%d" % n)
        await connection.close()

    @asynccontextmanager
    async def working(self, limit: int) -> AsyncIterator[Enqueue]:
        """Run its queue manager."""
        connection = await asyncpg.connect(self.dsn)
        app = PgQueuer(AsyncpgDriver(connection))

        @app.entrypoint("count")
        async def count(job: Job) -> None:
            counter.ran()

        sending = await asyncpg.connect(self.dsn)
        queries = Queries(AsyncpgDriver(sending))
        worker = app.run(batch_size=limit, dequeue_timeout=timedelta(seconds=30))
        async with running(worker, app.shutdown.set):
            yield lambda n: queries.enqueue("count", b"%d" % n)

    @asynccontextmanager
    async def working_on_ten_queues(self) -> AsyncIterator[None]:
        """Run a manager of ten entrypoints, which are its queues."""
        connection = await asyncpg.connect(self.dsn)
        app = PgQueuer(AsyncpgDriver(connection))
        for n in range(10):

            @app.entrypoint(f"queue_{n}")
            async def count(job: Job) -> None:
                counter.ran()

        async with running(app.run(batch_size=10), app.shutdown.set):
            yield

    async def unfinished(self) -> int:
        """Count the rows that are left."""
        connection = await asyncpg.connect(self.dsn)
        found: int = await connection.fetchval(_UNFINISHED)
        await connection.close()
        return found


if __name__ == "__main__":
    main(PgQueuerContender)
