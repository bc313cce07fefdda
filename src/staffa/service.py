"""The base of everything that starts and stops.

Invariants: `start` returns once the service runs, or raises and leaves nothing behind; `stop` may
be called at any time, also twice, also while `start` is under way, and returns once nothing runs
any more; a service can be started again. A `run` or a tick that raises is reported and tried
again after a capped, jittered delay: nothing that it meets ends the service.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable

from staffa._internal.backoff import Backoff
from staffa.errors import DatabaseUnavailable
from staffa.telemetry import Outages, report, span

_CANCEL_AGAIN_SECONDS = 5.0


class Service(ABC):
    """Something that runs in a task of its own between `start` and `stop`.

    A subclass overrides `run`, and `on_start` and `on_stop` where it has to.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether its task is under way."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Start the service; nothing happens if it runs already."""
        async with self._starting:
            if self._task is not None:
                return
            await self.on_start()
            self._task = asyncio.get_running_loop().create_task(
                self._run_for_ever(), name=f"staffa-{type(self).__name__}"
            )

    async def stop(self) -> None:
        """Stop the service; nothing happens if it does not run."""
        async with self._starting:
            task = self._task
            if task is None:
                return
            while not task.done():  # a library may swallow a cancellation
                task.cancel()
                await asyncio.wait([task], timeout=_CANCEL_AGAIN_SECONDS)
            self._task = None
            await self.on_stop()

    async def on_start(self) -> None:  # noqa: B027  # most need none
        """Prepare; what this raises, `start` raises."""

    @abstractmethod
    async def run(self) -> None:
        """Do the work, until cancelled."""

    async def on_stop(self) -> None:  # noqa: B027  # likewise
        """Clean up, after the task has ended."""

    async def _run_for_ever(self) -> None:
        """Run until cancelled, or until `run` has nothing more to do."""
        backoff = Backoff()
        while True:
            try:
                await self.run()
            except Exception as error:  # noqa: BLE001  # a service goes on whatever it meets
                report(f"{type(self).__name__} begins anew", error, level=severity(error))
                await asyncio.sleep(backoff.next_seconds())
            else:
                return


class Loop(Service):
    """A service that calls `tick` again and again.

    Args:
        interval: Seconds between two ticks.
    """

    def __init__(self, interval: float) -> None:
        super().__init__()
        self.interval = interval
        self._span = f"staffa.service.{type(self).__name__.lower()}"
        self._backoff = Backoff()
        self._outages = Outages(type(self).__name__)
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Have the next tick at once."""
        self._wanted.set()

    @abstractmethod
    async def tick(self) -> None:
        """Do one round of work."""

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self._wanted.clear()
            try:
                with span(self._span):
                    await self.tick()
                self._backoff.reset()
                self._outages.end()
                pause = self.interval
            except Exception as error:  # noqa: BLE001  # the loop goes on whatever a tick meets
                pause = max(self._backoff.next_seconds(), 0.0)
                what = f"{type(self).__name__} will try again"
                self._outages.report(what, error, level=severity(error))
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        except TimeoutError:
            pass


async def attempt(what: str, step: Awaitable[object]) -> None:
    """Await a step on the way down, whose next ones must follow whatever this one meets."""
    try:
        await step
    except Exception as error:  # noqa: BLE001  # the rest has to be stopped all the same
        report(f"{what} failed", error, level=severity(error))


def severity(error: Exception) -> int:
    """Return the log level of an error that a loop survived: an outage is no defect of ours."""
    if isinstance(error, DatabaseUnavailable):
        return logging.WARNING
    return logging.ERROR
