"""What happens to the ways between processes and the database."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import ClassVar

from tests.chaos.faults.fault import Fault
from tests.chaos.settings import DEAD_AFTER
from tests.chaos.slots import Slot
from tests.chaos.world import World
from tests.support.proxy import Proxy, Side, Way


class NetworkFault(Fault):
    """The way between a process and the database is spoiled for a while."""

    times_dead_after: ClassVar[tuple[float, float]] = (0.5, 2.0)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.seconds = random.uniform(*self.times_dead_after) * DEAD_AFTER

    async def inject(self, world: World) -> bool:
        """Inject."""
        slots = [slot for slot in (*world.workers, *world.enqueuers) if slot.proxy]
        async with world.disturb(slots, self.random) as slot:
            if slot is None or slot.proxy is None:
                return False
            await self.spoil(slot.proxy)
            try:
                await asyncio.sleep(self.seconds)
            finally:
                await self.mend(slot.proxy)
            return True

    @abstractmethod
    async def spoil(self, proxy: Proxy) -> None:
        """Begin."""

    async def mend(self, proxy: Proxy) -> None:
        """End."""
        proxy.clear()


class RefuseConnections(NetworkFault):
    """Connections are cut, and new ones refused."""

    name = "connections refused"

    async def spoil(self, proxy: Proxy) -> None:
        """Begin."""
        await proxy.close()

    async def mend(self, proxy: Proxy) -> None:
        """End."""
        await proxy.open()


class BlackHole(NetworkFault):
    """Nothing gets through, in one direction or both, and nobody is told."""

    name = "network frozen"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.way = random.choice([Way.BOTH, Way.TO_SERVER, Way.TO_CLIENT])
        self.then_cut = random.random() < 0.5

    async def spoil(self, proxy: Proxy) -> None:
        """Begin."""
        proxy.freeze(self.way)

    async def mend(self, proxy: Proxy) -> None:
        """End."""
        proxy.thaw(cut=self.then_cut)


class SlowNetwork(NetworkFault):
    """Messages take up to two seconds each way."""

    name = "network slow"
    times_dead_after = (1.0, 3.0)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.longest = random.choice([0.05, 0.5, 2.0])

    async def spoil(self, proxy: Proxy) -> None:
        """Begin."""
        proxy.delay(self.longest)


class LossyNetwork(NetworkFault):
    """Some messages are lost and come late, or break their connection."""

    name = "network lossy"
    times_dead_after = (1.0, 3.0)

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.lost = random.choice([0.01, 0.05])
        self.broken = random.choice([0.0, 0.01, 0.05])

    async def spoil(self, proxy: Proxy) -> None:
        """Begin."""
        proxy.lose_messages(self.lost)
        proxy.break_connections(self.broken)


class HalfOpen(NetworkFault):
    """One side of all connections is gone, and the other is not told."""

    name = "network half open"

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.gone = random.choice([Side.CLIENT, Side.SERVER])

    async def spoil(self, proxy: Proxy) -> None:
        """Begin."""
        proxy.half_open(self.gone)


class LoseNotifications(NetworkFault):
    """No notification arrives, and nobody is told."""

    name = "notifications lost"
    times_dead_after = (1.0, 3.0)

    async def spoil(self, proxy: Proxy) -> None:
        """Begin."""
        proxy.lose_notifications()


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
        slots: Sequence[Slot] = world.workers if self.to_worker else world.enqueuers
        slot = await world.find([slot for slot in slots if slot.proxy], self.random)
        if slot is None or slot.proxy is None:
            return False
        proxy = slot.proxy
        (proxy.abandon if self.abandoned else proxy.lose_reply)(self.piece)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await proxy.caught()
                return True
        return False
