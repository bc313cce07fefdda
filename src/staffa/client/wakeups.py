"""Tells other nodes that queues have jobs.

Invariants: a notification is sent after the commit, in a transaction of its own, or with it, by the
statement that writes a single job; what comes while one is being sent, or within a few milliseconds
after it, goes out together with the next or with the next job; one that can't be sent costs at
most a poll interval.

A queue that has a free slot here takes the job itself, mostly, and has been told already. Others
hear of it a moment later: else their notification and its claim would hold each other up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.errors import DatabaseError
from staffa.notifier import Notifier
from staffa.service import Service
from staffa.telemetry import report

# Who enqueues one job after the other would spend as much on wake-ups as on the jobs; a worker that
# was just woken looks again by itself for as long as it finds jobs.
_PAUSE_SECONDS = 0.005
_ALONG_SECONDS = 0.004  # a job that comes now spares the notification of those before it
_HEAD_START_SECONDS = 0.002
_FLUSH_SECONDS = 1.0


class Wakeups(Service):
    """Sends wake-ups: from a task of its own while it is started, else from the caller's.

    Args:
        notifier: Carries them to other nodes.
    """

    def __init__(self, notifier: Notifier) -> None:
        super().__init__()
        self._notifier = notifier
        self._waiting: set[str] = set()
        self._arrived = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._taken_here: Callable[[str], bool] = lambda queue: False
        self._sent_at = -_PAUSE_SECONDS

    def leave_first(self, taken_here: Callable[[str], bool]) -> None:
        """Tell of queues a moment later from now on where this process takes their jobs itself."""
        self._taken_here = taken_here

    def goes_along(self, queue: str) -> Collection[str] | None:
        """Return the wake-ups that the statement which writes a job is to take along; None for no.

        It is to wake the job's queue as well, which counts as sent. Not soon after the last
        wake-up, nor where another queue waits for the next or others are to hear of this one later.
        """
        now = SYSTEM_CLOCK.monotonic()
        if now < self._sent_at + _ALONG_SECONDS or (self.running and self._taken_here(queue)):
            return None
        if self._waiting and self._waiting != {queue}:
            return None
        taken, self._waiting = self._waiting, set()
        self._sent_at = now
        return taken

    async def send(self, queues: Iterable[str]) -> None:
        """Wake queues on all nodes: at once, or together with others right after a wake-up."""
        self.announce(queues)
        if self.running or not self._waiting:
            return
        if self._pause() > 0:
            self._send_later()
        else:
            await self._send_waiting()

    def announce(self, queues: Iterable[str]) -> None:
        """Have queues woken soon."""
        self._waiting.update(queues)
        if self._waiting:
            self._arrived.set()

    def send_soon(self, queues: Iterable[str]) -> None:
        """Wake queues on all nodes soon; for callers on the loop that can't await."""
        self.announce(queues)
        if not self.running:
            self._send_later()

    async def flush(self) -> None:
        """Send what waits to be sent later, before the client's connections are closed."""
        await self._send_waiting()
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=_FLUSH_SECONDS)

    async def run(self) -> None:
        """Send what has come, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            head_start = _HEAD_START_SECONDS if all(map(self._taken_here, self._waiting)) else 0.0
            await asyncio.sleep(head_start)
            await self._send_after_pause()

    def _send_later(self) -> None:
        if self._sending is None or self._sending.done():
            loop = asyncio.get_running_loop()
            self._sending = loop.create_task(self._send_in_any_case(), name="staffa-wakeups")

    async def _send_in_any_case(self) -> None:
        try:
            await self._send_after_pause()
        finally:  # also where the program ends that has enqueued
            await self._send_waiting()

    async def _send_after_pause(self) -> None:
        """Send what waits, with what comes meanwhile, unless jobs take it along."""
        while self._waiting:
            if seconds := self._pause():
                await asyncio.sleep(seconds)
            else:
                await self._send_waiting()

    def _pause(self) -> float:
        """Return for how many seconds wake-ups are still collected since the last one."""
        return max(0.0, self._sent_at + _PAUSE_SECONDS - SYSTEM_CLOCK.monotonic())

    async def _send_waiting(self) -> None:
        batch, self._waiting = sorted(self._waiting), set()
        if not batch:  # another caller has taken ours along
            return
        self._sent_at = SYSTEM_CLOCK.monotonic()
        try:
            await self._notifier.notify([("insert", {"queue": queue}) for queue in batch])
        except DatabaseError as error:
            report("a wake-up was not sent; polling finds the jobs", error, level=logging.INFO)
