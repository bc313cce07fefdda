"""What faults are injected into: the server, the processes, the ways between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from random import Random

import asyncpg

from tests.chaos.notes import Notebook
from tests.chaos.server import ChaosServer
from tests.chaos.slots import EnqueuerSlot, Slot, WorkerSlot


class World:
    """All that runs.

    Args:
        server: The database's server.
        dsn: The database, without a proxy between.
        prefix: The schema.
        notebook: Where what happens is noted.
        workers: The places of worker processes.
        enqueuers: The places of processes that enqueue.
    """

    def __init__(
        self,
        server: ChaosServer,
        dsn: str,
        prefix: str,
        notebook: Notebook,
        workers: Sequence[WorkerSlot],
        enqueuers: Sequence[EnqueuerSlot],
    ) -> None:
        self.server = server
        self.dsn = dsn
        self.prefix = prefix
        self.notebook = notebook
        self.workers = workers
        self.enqueuers = enqueuers
        self._database = asyncio.Lock()

    @contextmanager
    def disturb(self, slots: Sequence[Slot], random: Random) -> Iterator[Slot | None]:
        """Yield a slot that nothing else disturbs; None if that would leave no other undisturbed.

        Somebody must be left who can rescue, or nothing could be said of how long that takes.
        """
        free = [slot for slot in slots if slot.is_up and not slot.disturbed]
        all_of = [slot for slot in self.workers if slot.is_up and not slot.disturbed]
        if not free or (free[0] in self.workers and len(all_of) < 2):
            yield None
            return
        slot = random.choice(free)
        slot.disturbed = True
        try:
            yield slot
        finally:
            slot.disturbed = False

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Be the only one that takes the database away from everybody, and note for how long."""
        async with self._database:
            began = time.monotonic()
            try:
                yield
            finally:
                self.notebook.write("outage", seconds=time.monotonic() - began)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection | None]:
        """Yield a connection of one's own; None while the database is away."""
        try:
            connection = await asyncpg.connect(self.dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            yield None
            return
        try:
            yield connection
        finally:
            connection.terminate()
