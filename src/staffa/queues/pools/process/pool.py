"""A pool of child processes.

Invariants: at most `size` jobs run at once, and more calls wait in the order in which they came; a
child is started when a call needs one, and serves again unless it is worn out, was asked to stop,
or has died; the death of a child is the end of one run. A run that had not begun when its child
died, because that was killed while it was idle, is given to another child.

A child whose job was asked to stop is replaced even if it answered in good order: the job may have
been interrupted anywhere, with a lock held or a module half imported.
"""

from __future__ import annotations

import asyncio

from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa.errors import ProcessUnavailable
from staffa.queues.pools.process.calls import ProcessCall
from staffa.queues.pools.process.handle import PATIENCE_SECONDS, Child, NotBegun
from staffa.queues.pools.process.messages import OnMessage
from staffa.queues.pools.process.settings import ProcessPoolSettings
from staffa.queues.pools.process.starts import Starts


class ProcessPool:
    """Runs jobs in processes. It belongs to the event loop on which it is made.

    Args:
        settings: Its bounds.
        clock: Measures the ages of processes.
    """

    def __init__(self, settings: ProcessPoolSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings = settings
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(settings.size)
        self._starts = Starts(self._make_child)
        self._children: set[Child] = set()
        self._idle: dict[Child, asyncio.TimerHandle] = {}
        self._stopped = False

    async def run(self, call: ProcessCall, *, on_message: OnMessage | None = None) -> object:
        """Run a job in a child, and return its result.

        When the caller is cancelled, the job is told to stop and its child is killed after
        `PATIENCE_SECONDS`. A job that ends in time all the same has its result returned.

        Args:
            call: The job.
            on_message: Serves what the job asks of this process.

        Raises:
            ProcessJobError: If the job raised.
            ProcessDied: If its process died.
            ProcessUnavailable: If there is no process for it.
            FrameError: If it is too long to be sent.
        """
        failures = self._starts.failures
        async with self._slots:
            while True:
                child, is_new = await self._take(failures)
                try:
                    return await child.run(call, on_message)
                except NotBegun as died:
                    if is_new:
                        raise died.error from None
                finally:
                    self._give_back(child)

    async def stop(self) -> None:
        """End all children: idle ones in good order, busy ones at once. Nothing runs afterwards."""
        self._stopped = True
        children = list(self._children)
        for child in children:
            if child in self._idle:
                self._retire(child)
            else:
                child.kill("the pool was stopped")
        try:
            await self._wait_for(children, PATIENCE_SECONDS)
        finally:
            for child in children:
                child.kill()
        await self._wait_for(children, None)

    async def _take(self, failures: int) -> tuple[Child, bool]:
        """Return a child that is ready, and whether it was just started."""
        while self._idle:
            child, timer = self._idle.popitem()  # the one that was busy last
            timer.cancel()
            if child.usable and not self._is_worn_out(child):
                return child, False
            child.exit()
        return await self._starts.start(failures), True

    def _give_back(self, child: Child) -> None:
        if child.usable and not self._stopped and not self._is_worn_out(child):
            timer = self._loop.call_later(self._settings.idle, self._retire, child)
            self._idle[child] = timer
        else:
            child.exit()

    def _is_worn_out(self, child: Child) -> bool:
        return self._settings.is_worn_out(jobs=child.jobs, age=child.age, memory=child.memory)

    def _retire(self, child: Child) -> None:
        """End a child that is idle."""
        self._idle.pop(child).cancel()
        child.exit()

    def _make_child(self) -> Child:
        if self._stopped:
            raise ProcessUnavailable("the pool of processes has stopped: no job runs there")
        child = Child(self._forget, self._clock)
        self._children.add(child)
        return child

    def _forget(self, child: Child) -> None:
        """Called when a child has ended."""
        self._children.discard(child)
        timer = self._idle.pop(child, None)
        if timer is not None:
            timer.cancel()

    async def _wait_for(self, children: list[Child], seconds: float | None) -> None:
        tasks = [child.task for child in children if child.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
