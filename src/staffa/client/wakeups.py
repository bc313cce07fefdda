"""Tells other nodes that queues have jobs.

Invariants: a notification is sent after the commit, in a transaction of its own; what comes while
one is being sent goes out together with the next; one that can't be sent costs at most a poll
interval.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from staffa.errors import DatabaseError
from staffa.notifier import Notifier
from staffa.service import Service
from staffa.telemetry import report


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

    async def send(self, queues: Iterable[str]) -> None:
        """Wake queues on all nodes."""
        self.announce(queues)
        if not self.running:
            await self._send_waiting()

    def announce(self, queues: Iterable[str]) -> None:
        """Have queues woken soon."""
        self._waiting.update(queues)
        if self._waiting:
            self._arrived.set()

    def send_soon(self, queues: Iterable[str]) -> None:
        """Wake queues on all nodes soon; for callers on the loop that can't await."""
        self.announce(queues)
        if not self.running and (self._sending is None or self._sending.done()):
            loop = asyncio.get_running_loop()
            self._sending = loop.create_task(self._send_waiting(), name="staffa-wakeups")

    async def run(self) -> None:
        """Send what has come, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self._send_waiting()

    async def _send_waiting(self) -> None:
        batch, self._waiting = sorted(self._waiting), set()
        if not batch:  # another caller has taken ours along
            return
        try:
            await self._notifier.notify([("insert", {"queue": queue}) for queue in batch])
        except DatabaseError as error:
            report("a wake-up was not sent; polling finds the jobs", error, level=logging.INFO)
