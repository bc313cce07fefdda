"""How a producer asks for jobs: plainly, or under the limits of its queue.

A queue that a limit holds back sleeps until a token comes back, as the claim has told, or a job of
the queue has ended here: that is when its slot is free for the other nodes, too, and not before its
outcome is stored. What comes from elsewhere is found as new jobs are: told of, or polled for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from staffa.engine import Engine, Producer
from staffa.jobs import Job
from staffa.limits import Limits
from staffa.telemetry import emit
from staffa.telemetry.catalogue import QueueLimited

_LEAST_SECONDS = 0.01


class Claims(Protocol):
    """Claims the jobs of a queue."""

    async def take(self, limit: int) -> list[Job]:
        """Lease up to so many jobs."""

    def settled(self) -> None:
        """Take note that a job of the queue has ended, and its outcome is stored."""

    def close(self) -> None:
        """Wake nobody any more."""


class PlainClaims:
    """Claims from a queue without limits of all nodes.

    Args:
        queue: The queue.
        engine: Where from.
        producer: Who leases.
    """

    def __init__(self, queue: str, engine: Engine, producer: Producer) -> None:
        self._queue = queue
        self._engine = engine
        self._producer = producer

    async def take(self, limit: int) -> list[Job]:
        """Lease jobs."""
        return await self._engine.claim_jobs(self._queue, limit, self._producer)

    def settled(self) -> None:
        """The slot has been free since the function returned."""

    def close(self) -> None:
        """Nobody is woken from here."""


class LimitedClaims:
    """Claims from a queue that has limits of all nodes.

    Args:
        queue: The queue.
        engine: Where from.
        producer: Who leases.
        limits: The limits, as this node is configured.
        wake: Has the producer claim again.
    """

    def __init__(
        self,
        queue: str,
        engine: Engine,
        producer: Producer,
        limits: Limits,
        wake: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._producer = producer
        self._limits = limits
        self._wake = wake
        self._short = False
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, limit: int) -> list[Job]:
        """Lease jobs as far as the limits allow it, and have it tried again in time."""
        self.close()
        claimed = await self._engine.claim_limited_jobs(
            self._queue, limit, self._producer, self._limits
        )
        if claimed.short and not self._short:
            emit(
                QueueLimited,
                producer=self._producer,
                queue=self._queue,
                delay=claimed.delay,
                instance=self._producer.name,
            )
        self._short = claimed.short
        if claimed.delay is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(claimed.delay, _LEAST_SECONDS), self._wake)
        return claimed.jobs

    def settled(self) -> None:
        """Claim again if a limit holds jobs back."""
        if self._short:
            self._wake()

    def close(self) -> None:
        """Wake the producer no more by time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
