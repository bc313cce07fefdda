"""The faults of the matrix, as they are injected into a run.

A fault draws what it needs to know when the schedule is made, so that the seed decides it; what it
meets when its time comes is a matter of chance. `inject` returns once it is over, and tells whether
it could be done.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from random import Random
from typing import ClassVar

import asyncpg

from staffa._internal.identifiers import quote_identifier
from tests.chaos.settings import DEAD_AFTER
from tests.chaos.world import World


class Fault:
    """Something that goes wrong.

    Args:
        random: Decides everything about it.
    """

    name: ClassVar[str]
    weight: ClassVar[int] = 10

    def __init__(self, random: Random) -> None:
        self.random = random

    async def inject(self, world: World) -> bool:
        """Have it happen, and return when it is over; False if it could not be done."""
        raise NotImplementedError


class KillWorker(Fault):
    """SIGKILL of a worker process."""

    name = "worker killed"
    weight = 20

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(world.workers, self.random) as slot:
            if slot is None:
                return False
            slot.send(signal.SIGKILL, fatal=True)
            return await slot.ended(slot.generation)


class KillEnqueuer(Fault):
    """SIGKILL of a process that enqueues."""

    name = "enqueuer killed"

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(world.enqueuers, self.random) as slot:
            if slot is None:
                return False
            slot.send(signal.SIGKILL, fatal=True)
            return await slot.ended(slot.generation)


class KillChild(Fault):
    """SIGKILL of a child of a worker's pool of processes, as by the kernel that lacks memory."""

    name = "pool child killed"

    async def inject(self, world: World) -> bool:
        """Inject."""
        slot = self.random.choice(world.workers)
        children = slot.children()
        if not children:
            return False
        world.notebook.write("child killed", node=slot.node)
        with suppress(ProcessLookupError):
            os.kill(self.random.choice(children), signal.SIGKILL)
        return True


class FreezeWorker(Fault):
    """SIGSTOP for longer than a process may be silent, then SIGCONT: a zombie that writes late."""

    name = "worker frozen"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.seconds = random.uniform(1.2, 2.2) * DEAD_AFTER

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(world.workers, self.random) as slot:
            if slot is None:
                return False
            slot.send(signal.SIGSTOP)
            await asyncio.sleep(self.seconds)
            slot.send(signal.SIGCONT)
            return True


class StopWorker(Fault):
    """SIGTERM, as by a deploy."""

    name = "worker stopped"

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(world.workers, self.random) as slot:
            if slot is None:
                return False
            slot.send(signal.SIGTERM, fatal=True)
            return await slot.ended(slot.generation)


class StopWorkerAtOnce(Fault):
    """SIGTERM twice."""

    name = "worker stopped twice"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.seconds = random.uniform(0.0, 0.5)

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(world.workers, self.random) as slot:
            if slot is None:
                return False
            slot.send(signal.SIGTERM, fatal=True)
            generation = slot.generation
            await asyncio.sleep(self.seconds)
            if slot.generation == generation:
                slot.send(signal.SIGTERM, fatal=True)
            return await slot.ended(generation)


class CrashDatabase(Fault):
    """An immediate stop of PostgreSQL, and its start after a while."""

    name = "database crashed"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.seconds = random.uniform(0.0, 2.0)

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.outage():
            await world.server.crash()
            await asyncio.sleep(self.seconds)
            await world.server.start()
        return True


class TerminateBackends(Fault):
    """`pg_terminate_backend` of some connections, whoever's they are."""

    name = "connections terminated"
    weight = 15

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.share = random.choice([0.2, 0.5, 1.0])

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.connection() as connection:
            if connection is None:
                return False
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                rows = await connection.fetch(
                    "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend' AND datname = current_database()"
                )
                chosen = [row["pid"] for row in rows if self.random.random() < self.share]
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", chosen
                )
                return bool(chosen)
        return False


class LoseListeners(Fault):
    """The connections that listen are ended: notifications are lost until they are back."""

    name = "notifications lost"

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.connection() as connection:
            if connection is None:
                return False
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return bool(
                    await connection.fetchval(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
                    )
                )
        return False


class HoldLocks(Fault):
    """A stranger's transaction holds rows of jobs, or the whole table."""

    name = "locks held"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.whole = random.random() < 0.3
        self.seconds = random.uniform(0.3, 2.0)

    async def inject(self, world: World) -> bool:
        """Inject."""
        jobs = f"{quote_identifier(world.prefix)}.oban_jobs"
        statement = (
            f"LOCK TABLE {jobs} IN SHARE ROW EXCLUSIVE MODE"
            if self.whole
            else f"SELECT FROM {jobs} WHERE state NOT IN ('completed', 'cancelled', 'discarded')"
            " ORDER BY id LIMIT 50 FOR UPDATE"
        )
        async with world.outage(), world.connection() as connection:
            if connection is None:
                return False
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with connection.transaction():
                    await connection.execute(statement)
                    await asyncio.sleep(self.seconds)
                return True
        return False


class RefuseConnections(Fault):
    """A worker's connections are cut, and new ones refused for a while."""

    name = "connections refused"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.seconds = random.uniform(0.2, 1.5) * DEAD_AFTER

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(
            [slot for slot in world.workers if slot.proxy], self.random
        ) as slot:
            if slot is None or slot.proxy is None:
                return False
            await slot.proxy.close()
            await asyncio.sleep(self.seconds)
            await slot.proxy.open()
            return True


class BlackHole(Fault):
    """Nothing gets through to a worker or from it, and nobody is told; then its ways are cut."""

    name = "network frozen"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.seconds = random.uniform(0.5, 2.0) * DEAD_AFTER

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(
            [slot for slot in world.workers if slot.proxy], self.random
        ) as slot:
            if slot is None or slot.proxy is None:
                return False
            slot.proxy.freeze()
            await asyncio.sleep(self.seconds)
            slot.proxy.thaw()
            return True


class LoseReply(Fault):
    """A statement commits, and its reply is lost; or its client is cut off while it runs."""

    name = "replies lost"
    weight = 40
    _of_workers = (
        "outcome.refund",
        "candidate.attempt <",
        "WITH staged",
        "staffa_producers AS producer",
    )
    _of_enqueuers = ("json_to_recordset",)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.to_worker = random.random() < 0.7
        self.piece = random.choice(self._of_workers if self.to_worker else self._of_enqueuers)
        self.abandoned = random.random() < 0.3

    async def inject(self, world: World) -> bool:
        """Inject."""
        slots = world.workers if self.to_worker else world.enqueuers
        proxies = [slot.proxy for slot in slots if slot.proxy and slot.is_up]
        if not proxies:
            return False
        proxy = self.random.choice(proxies)
        (proxy.abandon if self.abandoned else proxy.lose_reply)(self.piece)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await proxy.caught()
                return True
        return False


FAULTS: tuple[type[Fault], ...] = (
    KillWorker,
    KillEnqueuer,
    KillChild,
    FreezeWorker,
    StopWorker,
    StopWorkerAtOnce,
    CrashDatabase,
    TerminateBackends,
    LoseListeners,
    HoldLocks,
    RefuseConnections,
    BlackHole,
    LoseReply,
)


def schedule(
    random: Random, seconds: float, gap: float, faults: tuple[type[Fault], ...] = FAULTS
) -> list[tuple[float, Fault]]:
    """Return what goes wrong and when, from the beginning of the run.

    Args:
        random: Decides it all.
        seconds: Until when.
        gap: The mean number of seconds between two.
        faults: Of which kinds; one of each comes first, in any order, then by their weights.
    """
    first = random.sample(faults, len(faults))
    planned = []
    at = random.expovariate(1 / gap)
    while at < seconds:
        kind = first.pop() if first else random.choices(faults, [f.weight for f in faults])[0]
        planned.append((at, kind(Random(random.getrandbits(64)))))
        at += random.expovariate(1 / gap)
    return planned
