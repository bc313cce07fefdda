"""The services that keep the tables and the notifications in order, as the settings want them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from staffa._internal.clock import Clock
from staffa.config import Config
from staffa.engine import Engine, Producer
from staffa.notifier import Notifier
from staffa.service import Loop
from staffa.services.prioritizer import PrioritizerLoop
from staffa.services.pruner import PrunerLoop
from staffa.services.reindexer import ReindexerLoop
from staffa.services.sonar import Sonar
from staffa.types import Connectivity


class Upkeep:
    """Pruner, prioritizer, reindexer and sonar, but for those that are turned off.

    Args:
        config: The client's settings.
        engine: Where jobs are stored.
        notifier: Carries notifications.
        producer: This node.
        leading: Tells whether this node leads.
        clock: Measures.
        on_recovered: Called when notifications arrive again.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        notifier: Notifier,
        producer: Producer,
        *,
        leading: Callable[[], bool],
        clock: Clock,
        on_recovered: Callable[[], None],
    ) -> None:
        self.polling = config.notifier == "polling" or not engine.capabilities.listens
        self._sonar: Sonar | None = None
        self._services: list[Loop] = []
        if config.sonar and not self.polling:
            self._sonar = Sonar(
                notifier, producer, clock=clock, poll=config.poll, on_recovered=on_recovered
            )
            self._services.append(self._sonar)
        if config.pruner is not None:
            self._services.append(PrunerLoop(engine, config.pruner, leading=leading, clock=clock))
        if config.prioritizer is not None:
            self._services.append(PrioritizerLoop(engine, config.prioritizer, leading=leading))
        if config.reindexer is not None:
            self._services.append(
                ReindexerLoop(engine, config.reindexer, leading=leading, clock=clock)
            )

    @property
    def watched(self) -> bool:
        """Whether it is watched if notifications arrive."""
        return self._sonar is not None

    @property
    def connectivity(self) -> Connectivity:
        """What is known of notifications."""
        if self.polling:
            return Connectivity.ISOLATED
        return Connectivity.UNKNOWN if self._sonar is None else self._sonar.connectivity

    def hear(self, payload: Mapping[str, Any]) -> None:
        """Take a ping."""
        if self._sonar is not None:
            self._sonar.hear(payload)

    async def start(self) -> None:
        """Start all."""
        for service in self._services:
            await service.start()

    async def stop(self) -> None:
        """Stop all."""
        for service in reversed(self._services):
            await service.stop()
