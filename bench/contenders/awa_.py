"""awa-pg, whose core is compiled: COPY for bulk, and its claimers at their defaults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from awa import AsyncClient

from bench.contenders.contract import Contender, Enqueue, counter, main

_CHUNK = 5_000


@dataclass
class Count:
    """The arguments of the job."""

    n: int


class AwaContender(Contender):
    """A client with one queue."""

    def __init__(self, dsn: str) -> None:
        # Its parser wants a host beside a user; the socket that the query names has precedence.
        super().__init__(dsn.replace("@/", "@localhost/", 1))

    async def install(self) -> None:
        """Make its tables."""
        command = [sys.executable, "-m", "awa", "--database-url", self.dsn, "migrate"]
        subprocess.run(command, check=True)  # noqa: ASYNC221 - nothing else runs meanwhile
        async with AsyncClient(self.dsn) as client:
            await client.install_queue_storage()  # where its COPY goes; else a worker's start does

    async def insert(self, jobs: int) -> None:
        """Copy in chunks."""
        async with AsyncClient(self.dsn) as client:
            for first in range(0, jobs, _CHUNK):
                chunk = [Count(n) for n in range(first, min(first + _CHUNK, jobs))]
                await client.enqueue_many_copy(chunk, queue="bench")

    async def insert_singly(self, jobs: int) -> None:
        """Insert one job after the other."""
        async with AsyncClient(self.dsn) as client:
            for n in range(jobs):
                await client.insert(Count(n), queue="bench")

    @asynccontextmanager
    async def working(self, limit: int) -> AsyncIterator[Enqueue]:
        """Run its queue."""
        async with self._client() as client:
            await client.start([("bench", limit)])
            yield lambda n: client.insert(Count(n), queue="bench")
            await client.shutdown()

    async def all_done(self) -> None:
        """Believe its runs: jobs stay where they are, and what it counts itself takes minutes."""

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        async with AsyncClient(self.dsn) as client:

            async def count(job: Any) -> None:
                counter.ran()

            client.task(Count, queue="bench")(count)
            yield client


if __name__ == "__main__":
    main(AwaContender)
