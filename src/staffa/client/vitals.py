"""How a client is: what its health port says of it.

Dead is only what nothing but a new process mends: an event loop that has ended, or a heartbeat
whose thread no longer goes round. An outage of the database is no death, or an orchestrator would
restart all workers at once for it; neither is a blocked event loop, behind which the heartbeat goes
on, or it would kill a job for computing. Both make the process not ready, as it claims nothing
meanwhile.

All is read on the health port's thread, and nothing waits there: neither for the loop nor for the
database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from staffa._internal.clock import Clock
from staffa.client.node import Node
from staffa.config import Config
from staffa.services.health.verdicts import Verdict
from staffa.types import Connectivity

_STANDSTILL_SECONDS = 120.0  # what a round may take while every reply is awaited in vain, and more
_LATE_ROUNDS = 4
_MOST_NAMES = 5


class Vitals:
    """Judges one client.

    Args:
        config: Its settings.
        clock: Measures how long ago something was.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.node: Node | None = None
        self.stopping = False

    def alive(self, longest_block: float | None) -> Verdict:
        """Tell whether the process does what only a new one could mend otherwise.

        Args:
            longest_block: For how many seconds the event loop may be blocked; None for ever.
        """
        return Verdict(list(self._deadly(longest_block)), self._details())

    def ready(self) -> Verdict:
        """Tell whether jobs can be claimed and run now."""
        return Verdict(list(self._hindering()), self._details())

    def _deadly(self, longest_block: float | None) -> Iterator[str]:
        if not self._loop.is_running():
            yield "the event loop has ended without stopping the client"
        node = self.node
        if node is None or self.stopping:
            return
        watchman = node.supervisor.watchman
        still = self._age(watchman.turned_at)
        if not watchman.running:
            yield "the heartbeat's thread has ended"
        elif still is not None and still > self._config.heartbeat + _STANDSTILL_SECONDS:
            yield f"the heartbeat's thread has stood still for {still:.1f} s"
        blocked = node.supervisor.watchdog.blocked_seconds
        if longest_block is not None and blocked > longest_block:
            yield self._blocked(node, blocked)

    def _hindering(self) -> Iterator[str]:
        node = self.node
        if self.stopping:
            yield "it is shutting down"
        if not self._loop.is_running():
            yield "the event loop has ended without stopping the client"
        if node is None:
            yield "it is starting"
            return
        blocked = node.supervisor.watchdog.blocked_seconds
        if blocked >= self._config.loop_blocked_after:
            yield self._blocked(node, blocked)
        yield from self._unreached(node)
        yield from self._idle_queues(node)
        yield from self._deafness(node)

    def _blocked(self, node: Node, seconds: float) -> str:
        job = node.supervisor.watchdog.culprit
        by = "" if job is None else f" by job {job.id}"
        return f"the event loop has been blocked{by} for {seconds:.1f} s"

    def _unreached(self, node: Node) -> Iterator[str]:
        beaten = self._age(node.supervisor.watchman.beaten_at)
        if beaten is None:
            yield "the database was not reached yet"
        elif beaten > self._config.dead_after:
            yield f"the database was last reached {beaten:.1f} s ago"
        looked = self._age(node.stager.succeeded_at)
        patience = max(self._config.dead_after, _LATE_ROUNDS * node.stager.longest)
        if looked is None:
            yield "due jobs were not looked for yet"
        elif looked > patience:
            yield f"due jobs were last looked for {looked:.1f} s ago"

    def _idle_queues(self, node: Node) -> Iterator[str]:
        queues = node.supervisor.roster.open()
        if not queues and self._config.share.index == 0:  # the others may have no part of any limit
            yield "no queue runs here"
        failing = [
            name for name, entry in queues if entry.producer.failing and not entry.producer.paused
        ]
        if failing:
            shown = ", ".join(repr(name) for name in failing[:_MOST_NAMES])
            more = f" and {len(failing) - _MOST_NAMES} more" if len(failing) > _MOST_NAMES else ""
            yield f"the last claim failed from {shown}{more}: see the log"

    def _deafness(self, node: Node) -> Iterator[str]:
        if node.upkeep.polling:
            return
        if not node.notifier.connected:
            yield "notifications can't arrive: the connection that listens is lost"
        elif node.upkeep.watched and node.upkeep.connectivity is Connectivity.UNKNOWN:
            yield "it is not known yet whether notifications arrive"
        elif node.upkeep.watched and node.upkeep.connectivity is Connectivity.ISOLATED:
            yield (
                "notifications do not arrive: give listen_dsn a direct connection, or set notifier "
                "to 'polling'"
            )

    def _details(self) -> dict[str, Any]:
        node = self.node
        state = "stopping" if self.stopping else "starting" if node is None else "running"
        if node is None:
            return {"state": state}
        queues = [entry.producer for _, entry in node.supervisor.roster.open()]
        return {
            "state": state,
            "database_reached_seconds_ago": self._age(node.supervisor.watchman.beaten_at),
            "event_loop_blocked_seconds": round(node.supervisor.watchdog.blocked_seconds, 3),
            "notifications": "polling" if node.upkeep.polling else node.upkeep.connectivity.value,
            "queues": len(queues),
            "paused": sum(queue.paused for queue in queues),
            "running_jobs": sum(len(queue.running_ids) for queue in queues),
        }

    def _age(self, at: float | None) -> float | None:
        return None if at is None else round(self._clock.monotonic() - at, 3)
