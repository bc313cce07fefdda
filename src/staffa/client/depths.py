"""Backpressure: a client adds no more to a queue in which too many jobs wait.

It is soft: judged before a write on a count that is at most a second old, to which the client adds
what it has written since. So several clients together may overshoot, and one by the size of a
single write; but a queue is never called full on a count that is mixed with guesses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from staffa._internal.clock import Clock
from staffa.errors import QueueFull
from staffa.jobs import Job
from staffa.queue import MaxDepth
from staffa.telemetry import emit
from staffa.telemetry.catalogue import QueueFilled
from staffa.types import State

AGE_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.5

Count = Callable[[Mapping[str, int]], Awaitable[dict[str, int]]]


@dataclass(slots=True)
class _Depth:
    """How many jobs of a queue are available.

    Args:
        counted: How many there were.
        at: When, on the monotonic clock.
        added: How many this client has written since.
    """

    counted: int
    at: float
    added: int = 0


class Depths:
    """The depths of the queues that have a limit.

    Args:
        limits: The limits by queue.
        clock: For the age of counts.
        instance: The client whose events are told.
    """

    def __init__(
        self, limits: Mapping[str, MaxDepth], clock: Clock, instance: str | None = None
    ) -> None:
        self._instance = instance
        self._limits = limits
        self._clock = clock
        self._depths: dict[str, _Depth] = {}

    async def make_room(self, jobs: Iterable[Job], count: Count, *, may_wait: bool) -> None:
        """Return once none of the queues of new jobs is full; jobs for later are not looked at.

        Args:
            jobs: What will be written.
            count: Counts available jobs of queues, each up to a limit.
            may_wait: Whether to wait where the policy is to; else a full queue is an error.

        Raises:
            QueueFull: If a queue is full.
        """
        if not self._limits:
            return
        asked = {job.queue for job in jobs if job.state is State.AVAILABLE}
        queues = sorted(asked & self._limits.keys())
        told: set[str] = set()
        while full := await self._find_full(queues, count):
            for queue in full:
                depth, limit = self._depths[queue].counted, self._limits[queue]
                if queue not in told:
                    emit(
                        QueueFilled, instance=self._instance, queue=queue, depth=depth,
                        limit=limit.limit,
                    )  # fmt: skip
                    told.add(queue)
                if limit.on_full == "raise" or not may_wait:
                    raise QueueFull(queue, depth, limit.limit)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def note_woken(self, woken: Mapping[str, int]) -> None:
        """Add to the counts how many jobs have become available in queues."""
        for queue, number in woken.items():
            if queue in self._depths:
                self._depths[queue].added += number

    async def _find_full(self, queues: Iterable[str], count: Count) -> list[str]:
        """Return the queues that are full, counting anew where the last count does not do."""
        old = {queue: self._limits[queue].limit for queue in queues if self._is_doubtful(queue)}
        if old:
            now = self._clock.monotonic()
            found = await count(old)
            self._depths.update({queue: _Depth(found[queue], now) for queue in old})
        return [queue for queue in queues if self._is_full(queue)]

    def _is_doubtful(self, queue: str) -> bool:
        depth = self._depths.get(queue)
        if depth is None or self._clock.monotonic() - depth.at > AGE_SECONDS:
            return True
        return depth.added > 0 and self._is_full(queue)

    def _is_full(self, queue: str) -> bool:
        depth = self._depths[queue]
        return depth.counted + depth.added >= self._limits[queue].limit
