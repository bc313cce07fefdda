"""What a node tells dashboards, where the setting `metrics` is on and a database carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from staffa._internal.clock import Clock
from staffa.config import Config
from staffa.cron.stored import Entry
from staffa.engine import Engine, Producer
from staffa.met.cronitor import Cronitor
from staffa.met.gossip import Gossip
from staffa.met.metrics import Completed, Metrics
from staffa.notifier import Notifier
from staffa.queue import QueueCheck
from staffa.service import Loop


class Broadcasts:
    """Gossip, metrics and cronitor, or none of them.

    Args:
        config: The client's settings.
        engine: Where jobs are stored.
        notifier: Carries notifications.
        producer: This node.
        checks: Returns what its queues do.
        entries: Returns its entries of cron.
        leading: Tells whether it leads.
        clock: Measures.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        notifier: Notifier,
        producer: Producer,
        *,
        checks: Callable[[], Sequence[QueueCheck]],
        entries: Callable[[], Sequence[Entry]],
        leading: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._gossip: Gossip | None = None
        self._metrics: Metrics | None = None
        self._services: list[Loop] = []
        if not config.metrics or not engine.capabilities.listens:
            return
        self._gossip = Gossip(notifier, producer, checks=checks, poll=config.poll)
        self._metrics = Metrics(engine, notifier, producer, leading=leading, clock=clock)
        self._services = [self._gossip, self._metrics]
        if config.cron is not None:
            self._services.append(
                Cronitor(
                    engine,
                    notifier,
                    producer,
                    entries=entries,
                    leading=leading,
                    dead_after=config.dead_after,
                )
            )

    async def start(self) -> None:
        """Start all."""
        for service in self._services:
            await service.start()

    def count_completed(self, runs: Iterable[Completed]) -> None:
        """Take note of runs whose completions are stored."""
        if self._metrics is not None:
            self._metrics.count_completed(runs)

    def begin_shutdown(self) -> None:
        """Tell that the queues are about to end."""
        if self._gossip is not None:
            self._gossip.begin_shutdown(self._clock.now())

    async def stop(self) -> None:
        """Stop all."""
        for service in reversed(self._services):
            await service.stop()
