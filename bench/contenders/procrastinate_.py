"""procrastinate on psycopg's pool; its concurrency is the limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from procrastinate import App, PsycopgConnector

from bench.contenders.contract import Contender, Enqueue, counter, main, running

_CHUNK = 5_000
_UNFINISHED = "SELECT count(*) AS left FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"


class ProcrastinateContender(Contender):
    """An app with one task."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._app = App(connector=PsycopgConnector(conninfo=dsn))

        @self._app.task(name="count", queue="bench")
        async def count(n: int) -> None:
            counter.ran()

        self._count = count

    async def install(self) -> None:
        """Make its tables."""
        async with self._app.open_async():
            await self._app.schema_manager.apply_schema_async()

    async def insert(self, jobs: int) -> None:
        """Defer in chunks."""
        async with self._app.open_async():
            for first in range(0, jobs, _CHUNK):
                chunk = [{"n": n} for n in range(first, min(first + _CHUNK, jobs))]
                await self._count.batch_defer_async(*chunk)

    async def insert_singly(self, jobs: int) -> None:
        """Defer one job after the other; its trigger notifies."""
        async with self._app.open_async():
            for n in range(jobs):
                await self._count.defer_async(n=n)

    @asynccontextmanager
    async def working(self, limit: int) -> AsyncIterator[Enqueue]:
        """Run its worker."""
        async with self._app.open_async():
            worker = asyncio.ensure_future(
                self._app.run_worker_async(concurrency=limit, install_signal_handlers=False)
            )
            async with running(worker, worker.cancel):
                yield lambda n: self._count.defer_async(n=n)

    @asynccontextmanager
    async def working_on_ten_queues(self) -> AsyncIterator[None]:
        """Run a worker of ten queues."""
        queues = [f"queue_{n}" for n in range(10)]
        async with self._app.open_async():
            worker = asyncio.ensure_future(
                self._app.run_worker_async(queues=queues, install_signal_handlers=False)
            )
            async with running(worker, worker.cancel):
                yield

    async def unfinished(self) -> int:
        """Count the rows that are not final."""
        row = await self._app.connector.execute_query_one_async(_UNFINISHED)
        return int(row["left"])


if __name__ == "__main__":
    main(ProcrastinateContender)
