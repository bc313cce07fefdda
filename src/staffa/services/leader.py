"""Elects one leader among the nodes of an instance, for the services that one node is enough for.

The lease is judged by the database's clock; its holder stops believing once its own monotonic
clock, read before the statement was sent, says that it has run out. A resignation is told to the
others, who then elect at once.

Options: `lease`, renewed after a third of it.
Events: `staffa.leader.elected`, `staffa.leader.lost`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from staffa._internal.clock import Clock
from staffa.engine import Engine, Producer
from staffa.errors import DatabaseError
from staffa.service import Loop
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import LeaderElected, LeaderLost

_RENEWALS = 3
_RESIGN_SECONDS = 5.0


class Leader(Loop):
    """Takes part in elections.

    Args:
        engine: Where the lease is kept.
        producer: The candidate.
        lease: Its length in seconds.
        clock: Judges whether the lease has run out.
        on_elected: Called when this node begins to lead.
        on_resigned: Awaited after a resignation, to tell the other nodes.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        lease: float,
        *,
        clock: Clock,
        on_elected: Callable[[], None],
        on_resigned: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(lease / _RENEWALS)
        self._engine = engine
        self._producer = producer
        self._lease = lease
        self._clock = clock
        self._on_elected = on_elected
        self._on_resigned = on_resigned
        self._until: float | None = None

    @property
    def leading(self) -> bool:
        """Whether this node leads, for all that it can know."""
        return self._until is not None and self._clock.monotonic() < self._until

    async def tick(self) -> None:
        """Take or renew the lease."""
        self._notice_lapse()
        asked_at = self._clock.monotonic()
        elected = await self._engine.elect_leader(self._producer, lease=self._lease)
        self._notice_lapse()
        led = self._until is not None
        self._until = asked_at + self._lease if elected else None
        if elected != led:
            emit(LeaderElected if elected else LeaderLost, producer=self._producer)
        if elected and not led:
            self._on_elected()

    def _notice_lapse(self) -> None:
        """End a lease that ran out unrenewed: who waits for an election must hear of the next."""
        if self._until is not None and not self.leading:
            self._until = None
            emit(LeaderLost, producer=self._producer)

    async def on_stop(self) -> None:
        """Resign; without a database the lease runs out by itself."""
        if self._until is None:
            return
        self._until = None
        try:
            async with asyncio.timeout(_RESIGN_SECONDS):
                if await self._engine.resign_leader(self._producer):
                    await self._on_resigned()
        except (DatabaseError, TimeoutError) as error:
            report("the leader could not resign", error, level=logging.WARNING)
