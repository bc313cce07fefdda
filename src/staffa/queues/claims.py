"""How a producer asks for jobs: plainly, or under the limits of its queue.

A queue that a limit holds back sleeps until a token comes back, as the claim has told, or a job of
the queue has ended here: that is when its slot is free for the other nodes, too, and not before its
outcome is stored. What comes from elsewhere is found as new jobs are: told of, or polled for.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from staffa._internal.clock import Clock
from staffa.engine import Engine, Producer
from staffa.errors import SchemaMissing
from staffa.jobs import Job
from staffa.limits import Limits
from staffa.telemetry import emit
from staffa.telemetry.catalogue import QueueLimited

_LEAST_SECONDS = 0.01
_LOOK_SECONDS = 30.0


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


class KeptClaims:
    """Claims from a queue that the node is not configured for, as others limit it.

    Such a queue was started at run time. Its limits, if it has any, are looked for before the first
    claim, and now and then while there are none; claims under limits see all changes themselves.

    Args:
        queue: The queue.
        engine: Where from.
        producer: Who leases.
        wake: Has the producer claim again.
        clock: Tells when to look again.
    """

    def __init__(
        self,
        queue: str,
        engine: Engine,
        producer: Producer,
        wake: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._engine = engine
        self._producer = producer
        self._wake = wake
        self._clock = clock
        self._claims: Claims = PlainClaims(queue, engine, producer)
        self._limited = False
        self._looks_at = -math.inf

    async def take(self, limit: int) -> list[Job]:
        """Lease jobs, under limits if there are any."""
        now = self._clock.monotonic()
        if not self._limited and now >= self._looks_at:
            self._looks_at = now + _LOOK_SECONDS
            with suppress(SchemaMissing):  # an older schema has no limits
                await self._look()
        return await self._claims.take(limit)

    async def _look(self) -> None:
        for use in await self._engine.read_limits([self._queue]):
            self._limited = True
            self._claims = LimitedClaims(
                self._queue, self._engine, self._producer, use.limits, self._wake
            )

    def settled(self) -> None:
        """Claim again if a limit holds jobs back."""
        self._claims.settled()

    def close(self) -> None:
        """Wake the producer no more by time."""
        self._claims.close()


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
