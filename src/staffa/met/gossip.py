"""Tells what the queues of this process do, every second.

A dashboard keeps the last check of each node and queue: two processes that run the same queue under
the same `node` take turns there. It forgets a node that it has not heard for half a minute.

Options: none.
Events: none but the span `staffa.service.gossip`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from staffa.engine import Producer
from staffa.met.portions import cut, fits
from staffa.notifier import Notifier
from staffa.queue import QueueCheck
from staffa.service import Loop

INTERVAL_SECONDS = 1.0


class Gossip(Loop):
    """Sends checks of queues.

    Args:
        notifier: Carries them.
        producer: Whose queues.
        checks: Returns what they do.
        poll: Seconds between two looks for jobs; dashboards show it.
    """

    def __init__(
        self,
        notifier: Notifier,
        producer: Producer,
        *,
        checks: Callable[[], Sequence[QueueCheck]],
        poll: float,
    ) -> None:
        super().__init__(INTERVAL_SECONDS)
        self._notifier = notifier
        self._producer = producer
        self._checks = checks
        self._poll = poll
        self._stopping_since: datetime | None = None

    def begin_shutdown(self, at: datetime) -> None:
        """Tell from now on that the queues are about to end."""
        self._stopping_since = at
        self.wake()

    async def tick(self) -> None:
        """Send what the queues do now."""
        checks = [self._payload_of(check) for check in self._checks()]
        payloads = cut(checks, lambda part: {"checks": part})
        if payloads:
            await self._notifier.notify([("gossip", payload) for payload in payloads])

    def _payload_of(self, check: QueueCheck) -> Mapping[str, Any]:
        since = self._stopping_since
        told: dict[str, Any] = {
            "uuid": str(check.uuid),
            "name": self._producer.name,
            "node": check.node,
            "queue": check.queue,
            "local_limit": check.limit,
            "paused": check.paused or since is not None,
            "refresh_interval": round(self._poll * 1000),
            "running": list(check.running),
            "started_at": _spell(check.started_at),
            "updated_at": _spell(check.updated_at),
            "shutdown_started_at": None if since is None else _spell(since),
        }
        while not fits({"checks": [told]}):
            # some have to do: of two parts, dashboards would keep the later one
            told["running"] = told["running"][: len(told["running"]) // 2]
        return told


def _spell(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
