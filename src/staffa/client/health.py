"""A client's part in the health port of its process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from staffa._internal.clock import Clock
from staffa._internal.lazy import load
from staffa.client.vitals import Vitals
from staffa.config import Config

if TYPE_CHECKING:
    from staffa.services.health import HealthPort


@dataclass(frozen=True, slots=True)
class Health:
    """What is told of a client, and where.

    Args:
        vitals: Judges it.
        port: Tells it.
    """

    vitals: Vitals
    port: HealthPort

    @classmethod
    def open(cls, config: Config, clock: Clock) -> Self | None:
        """Begin to tell, if the settings want it.

        Raises:
            ConfigError: If the port can't be listened on.
        """
        if config.health_port is None:
            return None
        vitals = Vitals(config, clock)
        open_port = load("staffa.services.health:HealthPort").open
        port = open_port(config.health_host, config.health_port, config.name, vitals)
        return cls(vitals, port)

    @property
    def url(self) -> str:
        """Where it is told, without a path."""
        return self.port.url

    async def close(self) -> None:
        """Tell no more."""
        await asyncio.to_thread(self.port.close)
