"""How a producer asks for jobs: plainly, or under the limits of its queue, some of them in chunks.

A queue that a limit holds back sleeps until a token comes back, as the claim has told, or a job of
the queue has ended here: that is when its slot is free for the other nodes, too, and not before its
outcome is stored. What comes from elsewhere is found as new jobs are: told of, or polled for.

A queue in which jobs wait for others of their chunk sleeps until the next chunk is due, unless new
jobs come before. The claim of a queue without chunks is what it would be if there were none.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from staffa import registry
from staffa._internal.clock import Clock
from staffa.chunking import ChunkRule
from staffa.engine import Engine, Producer
from staffa.errors import SchemaMissing
from staffa.jobs import Job
from staffa.limits import Limits
from staffa.queues import outcomes
from staffa.queues.rules import ChunkRules
from staffa.telemetry import emit
from staffa.telemetry.catalogue import QueueLimited

_LEAST_SECONDS = 0.01
_LOOK_SECONDS = 30.0
_REST = 0.00005  # seconds for each job that was looked at in vain, which takes a tenth of it

Claimed = Job | tuple[Job, ...]
"""What takes one slot: a job, or those of a chunk."""


def jobs_of(claimed: Iterable[Claimed]) -> list[Job]:
    """Return the jobs of all that was claimed."""
    jobs: list[Job] = []
    for one in claimed:
        jobs.extend([one] if isinstance(one, Job) else one)
    return jobs


class Claims(Protocol):
    """Claims the jobs of a queue."""

    async def take(self, limit: int) -> Sequence[Claimed]:
        """Lease up to so many jobs and chunks."""

    def settled(self) -> None:
        """Take note that a job of the queue has ended, and its outcome is stored."""

    def close(self) -> None:
        """Wake nobody any more."""


class _Waking:
    """What wakes a producer after a time.

    Args:
        wake: Has the producer claim again.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None

    def wake_in(self, seconds: float | None) -> None:
        """Wake it once, after so many seconds; None for never."""
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(seconds, _LEAST_SECONDS), self._wake)

    def close(self) -> None:
        """Wake the producer no more by time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class PlainClaims(_Waking):
    """Claims from a queue without limits of all nodes.

    Args:
        queue: The queue.
        engine: Where from.
        producer: Who leases.
        wake: Has the producer claim again.
    """

    def __init__(
        self, queue: str, engine: Engine, producer: Producer, wake: Callable[[], None]
    ) -> None:
        super().__init__(wake)
        self._queue = queue
        self._engine = engine
        self._producer = producer
        self._rules = ChunkRules(queue)
        self._rests_until = -math.inf

    async def take(self, limit: int) -> Sequence[Claimed]:
        """Lease jobs, and chunks where there are workers for them."""
        rules = self._rules.current()
        if rules:
            return await self._take_chunks(limit, rules)
        jobs = await self._engine.claim_jobs(self._queue, limit, self._producer)
        if not registry.chunked():
            return jobs
        return await self._put_strangers_back(jobs)

    async def _take_chunks(self, limit: int, rules: Sequence[ChunkRule]) -> Sequence[Claimed]:
        self.close()
        now = asyncio.get_running_loop().time()
        if now < self._rests_until:
            self.wake_in(self._rests_until - now)
            return await self._take_others(limit, rules)
        found = await self._engine.claim_chunks(self._queue, limit, self._producer, rules)
        rest = 0.0 if found.chunks else found.seen * _REST
        self._rests_until = now + rest
        if found.delay is not None:
            self.wake_in(max(found.delay, rest))
        left = limit - len(found.chunks)
        if not found.others or left <= 0:
            return found.chunks
        return [*found.chunks, *await self._take_others(left, rules)]

    async def _take_others(self, limit: int, rules: Sequence[ChunkRule]) -> list[Job]:
        names = [name for rule in rules for name in rule.names]
        jobs = await self._engine.claim_jobs(self._queue, limit, self._producer, without=names)
        return await self._put_strangers_back(jobs)

    async def _put_strangers_back(self, jobs: list[Job]) -> list[Job]:
        """Put jobs back that were claimed one by one but belong into chunks; return the others."""
        strangers = self._rules.find_strangers(jobs)
        if not strangers:
            return jobs
        acks = [outcomes.of_interruption(job) for job in strangers]
        await self._engine.ack_jobs(acks, self._producer)
        self._wake()  # from now on there are rules for them
        numbers = {job.id for job in strangers}
        return [job for job in jobs if job.id not in numbers]

    def settled(self) -> None:
        """The slot has been free since the function returned."""


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
        self._claims: Claims = PlainClaims(queue, engine, producer, wake)
        self._limited = False
        self._looks_at = -math.inf

    async def take(self, limit: int) -> Sequence[Claimed]:
        """Lease jobs, under limits if there are any."""
        now = self._clock.monotonic()
        if not self._limited and now >= self._looks_at:
            with suppress(SchemaMissing):  # an older schema has no limits
                await self._look()
            self._looks_at = now + _LOOK_SECONDS  # where it has failed, nothing is claimed before
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


class LimitedClaims(_Waking):
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
        super().__init__(wake)
        self._queue = queue
        self._engine = engine
        self._producer = producer
        self._limits = limits
        self._rules = ChunkRules(queue)
        self._short = False

    async def take(self, limit: int) -> Sequence[Claimed]:
        """Lease jobs as far as the limits allow it, and have it tried again in time."""
        self.close()
        rules = self._rules.current()
        if rules:
            claimed = await self._engine.claim_limited_jobs(
                self._queue, limit, self._producer, self._limits, rules=rules
            )
        else:
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
        self.wake_in(claimed.delay)
        if registry.chunked():  # those that were met alone run alone, as their tokens are spent
            self._rules.find_strangers(claimed.jobs)
        if not claimed.followers:
            return claimed.jobs
        return [_with_followers(job, claimed.followers) for job in claimed.jobs]

    def settled(self) -> None:
        """Claim again if a limit holds jobs back."""
        if self._short:
            self._wake()


def _with_followers(job: Job, followers: Mapping[int, Sequence[Job]]) -> Claimed:
    assert job.id is not None  # noqa: S101  # it was claimed
    return (job, *followers[job.id]) if job.id in followers else job
