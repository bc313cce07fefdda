"""Makes due jobs available, and finds those that no notification told of.

One statement serves all queues of the node; every node runs it, skipping what another one is at.

Options: `interval` between rounds, up to three times as long while there is nothing to do and
notifications arrive.
Events: `staffa.stager.staged` with the number of jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa.engine import Engine
from staffa.portions import Portion
from staffa.service import Loop
from staffa.telemetry import emit
from staffa.telemetry.catalogue import JobsStaged

_LARGEST_BATCH = 5000
_IDLE_FACTOR = 3.0
_SLOWING = 1.5


class Stager(Loop):
    """Stages jobs.

    Args:
        engine: Where.
        queues: Returns the queues that run here.
        interval: Seconds between two rounds.
        on_available: Called with the queues that have jobs.
        may_slow: Tells whether somebody else would tell of jobs as well.
        clock: Tells when a round has succeeded.
    """

    def __init__(
        self,
        engine: Engine,
        queues: Callable[[], Sequence[str]],
        interval: float,
        *,
        on_available: Callable[[Iterable[str]], None],
        may_slow: Callable[[], bool] = lambda: True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(interval)
        self._engine = engine
        self._queues = queues
        self._shortest = interval
        self._on_available = on_available
        self._may_slow = may_slow
        self._portion = Portion(_LARGEST_BATCH)
        self._clock = clock
        self.succeeded_at: float | None = None

    @property
    def longest(self) -> float:
        """Seconds between two rounds at most."""
        return self._shortest * _IDLE_FACTOR

    async def tick(self) -> None:
        """Stage until nothing is due."""
        while True:
            with self._portion.tried() as most:
                found = await self._engine.stage_jobs(most, self._queues())
            if found.staged:
                emit(JobsStaged, count=found.staged)
            self._on_available(found.queues)
            if found.staged < most:
                break
        self.succeeded_at = self._clock.monotonic()
        idle = not found.queues and self._may_slow()
        self.interval = min(self.interval * _SLOWING, self.longest) if idle else self._shortest
