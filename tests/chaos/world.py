"""What faults are injected into: the server, the processes, the ways between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random

import asyncpg

from tests.chaos.notes import Notebook
from tests.chaos.server import ChaosServer
from tests.chaos.slots import EnqueuerSlot, Slot, WorkerSlot
from tests.support.events import eventually

_SECONDS = 10.0


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

    @asynccontextmanager
    async def disturb(self, slots: Sequence[Slot], random: Random) -> AsyncIterator[Slot | None]:
        """Yield a slot that nothing else disturbs meanwhile; None if there is none for long.

        One worker is left undisturbed: somebody must be there to rescue, or nothing could be said
        of how long that takes.
        """
        with suppress(AssertionError):
            await eventually(lambda: self._free(slots), "a slot", _SECONDS)
        free = self._free(slots)
        if not free:
            yield None
            return
        slot = random.choice(free)
        slot.disturbed = True
        try:
            yield slot
        finally:
            slot.disturbed = False

    async def find(self, slots: Sequence[Slot], random: Random) -> Slot | None:
        """Return a slot whose process is up, disturbed or not; None if there is none for long."""

        def up() -> list[Slot]:
            return [slot for slot in slots if slot.is_up]

        with suppress(AssertionError):
            await eventually(up, "a slot", _SECONDS)
        found = up()
        return random.choice(found) if found else None

    def _free(self, slots: Sequence[Slot]) -> list[Slot]:
        """Return those of some slots that may be disturbed."""
        quiet = [slot for slot in self.workers if slot.is_up and not slot.disturbed]
        return [
            slot
            for slot in slots
            if slot.is_up and not slot.disturbed and (slot not in quiet or len(quiet) > 1)
        ]

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
