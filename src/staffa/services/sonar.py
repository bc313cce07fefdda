"""Knows whether notifications arrive: each node pings all nodes, itself included.

A node whose own ping does not come back in time is isolated: it says so once, names the likely
cause, and finds jobs by polling alone until pings come back. One that hears only itself is
solitary, one that hears others is clustered. The first ping is a self-test at the start.

Pings of Staffa carry the producer's uuid besides what all implementations send, since two processes
of one machine have the same node name.

Options: none; a ping follows after 5 s, after up to 25 s while nothing changes.
Events: `staffa.sonar.changed`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from staffa._internal.clock import Clock
from staffa.engine import Producer
from staffa.errors import DatabaseError
from staffa.notifier import Notifier
from staffa.service import Loop
from staffa.telemetry import emit
from staffa.telemetry.catalogue import ConnectivityChanged
from staffa.types import Connectivity

logger = logging.getLogger("staffa")

PATIENCE_SECONDS = 2.0
_SHORTEST_SECONDS = 5.0
_LONGEST_SECONDS = 25.0  # released Elixir nodes forget whom they have not heard for 30 s
_SLOWING = 1.5
_STALE_SECONDS = 150.0  # peers ping every 60 s at least
_MOST_OTHERS = 10_000  # anybody can send: what it fills is bounded

_ISOLATED = (
    "notifications do not arrive: jobs are found by polling, every %g s. The likely cause is a "
    "pooler such as PgBouncer, which shares sessions: give the setting listen_dsn a direct "
    "connection to PostgreSQL, or set notifier to 'polling'"
)


class Sonar(Loop):
    """Pings.

    Args:
        notifier: Carries the pings.
        producer: Who pings.
        clock: Measures how long ago others were heard.
        poll: Seconds between two polls, for the warning.
        on_recovered: Called when notifications arrive again, as some may have been missed.
    """

    def __init__(
        self,
        notifier: Notifier,
        producer: Producer,
        *,
        clock: Clock,
        poll: float,
        on_recovered: Callable[[], None],
    ) -> None:
        super().__init__(_SHORTEST_SECONDS)
        self._notifier = notifier
        self._producer = producer
        self._clock = clock
        self._poll = poll
        self._on_recovered = on_recovered
        self._came_back = asyncio.Event()
        self._others: dict[str, float] = {}
        self._warned = False
        self.connectivity = Connectivity.UNKNOWN

    def hear(self, payload: Mapping[str, Any]) -> None:
        """Take a ping that has arrived."""
        if not isinstance(payload.get("node"), str):
            return
        if payload.get("uuid") == str(self._producer.uuid):
            self._came_back.set()
        elif len(self._others) < _MOST_OTHERS:
            self._others[str(payload.get("uuid", payload["node"]))] = self._clock.monotonic()

    async def tick(self) -> None:
        """Ping, and judge what comes back."""
        self._came_back.clear()
        try:
            await self._notifier.notify([("sonar", self._ping())])
        except DatabaseError:
            self._judge(came_back=False, sent=False)
            raise
        self._judge(came_back=await self._wait())

    def _ping(self) -> dict[str, Any]:
        return {
            "node": self._producer.node,
            "ping": True,
            "uuid": str(self._producer.uuid),
        }

    async def _wait(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._came_back.wait()
        except TimeoutError:
            return False
        return True

    def _judge(self, *, came_back: bool, sent: bool = True) -> None:
        now = self._clock.monotonic()
        self._others = {
            other: at for other, at in self._others.items() if now - at < _STALE_SECONDS
        }
        if not came_back:
            connectivity = Connectivity.ISOLATED
        elif self._others:
            connectivity = Connectivity.CLUSTERED
        else:
            connectivity = Connectivity.SOLITARY
        previous, self.connectivity = self.connectivity, connectivity
        if connectivity is previous and came_back:
            self.interval = min(self.interval * _SLOWING, _LONGEST_SECONDS)
        else:
            self.interval = _SHORTEST_SECONDS
        if connectivity is not previous:
            emit(ConnectivityChanged, connectivity=connectivity, previous=previous)
        if came_back and previous is Connectivity.ISOLATED:
            logger.info("notifications arrive again")
            self._on_recovered()
        if sent and not came_back and not self._warned:
            logger.warning(_ISOLATED, self._poll)
        self._warned = sent and not came_back
