"""What happens to processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import ClassVar

from tests.chaos.faults.fault import Fault
from tests.chaos.settings import DEAD_AFTER
from tests.chaos.slots import Slot
from tests.chaos.world import World


class EndProcess(Fault):
    """A signal that ends a process; the next one starts when it has ended."""

    number: ClassVar[signal.Signals]

    def among(self, world: World) -> Sequence[Slot]:
        """Return where the process is."""
        return world.workers

    async def inject(self, world: World) -> bool:
        """Inject."""
        async with world.disturb(self.among(world), self.random) as slot:
            if slot is None:
                return False
            slot.send(self.number, fatal=True)
            return await slot.ended(slot.generation)


class KillWorker(EndProcess):
    """SIGKILL of a worker process."""

    name = "worker killed"
    weight = 20
    number = signal.SIGKILL


class KillEnqueuer(EndProcess):
    """SIGKILL of a process that enqueues."""

    name = "enqueuer killed"
    number = signal.SIGKILL

    def among(self, world: World) -> Sequence[Slot]:
        """Return where the process is."""
        return world.enqueuers


class KillChild(Fault):
    """SIGKILL of a child of a worker's pool of processes, as by the kernel that lacks memory."""

    name = "pool child killed"

    async def inject(self, world: World) -> bool:
        """Inject."""
        slot = await world.find(world.workers, self.random)
        children = slot.children() if slot else []
        if slot is None or not children:
            return False
        world.notebook.write("child killed", node=slot.node)
        with suppress(ProcessLookupError):
            os.kill(self.random.choice(children), signal.SIGKILL)
        return True


class FreezeWorker(Fault):
    """SIGSTOP for longer than a process may be silent, then SIGCONT: a zombie that writes late."""

    name = "worker frozen"
    weight = 15

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


class StopWorker(EndProcess):
    """SIGTERM, as by a deploy."""

    name = "worker stopped"
    number = signal.SIGTERM


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
