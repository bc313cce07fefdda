"""What a network does to the messages that it carries: late, lost, or nothing at all.

All chances come from one generator with a seed, so that a run can be repeated as far as the order
of messages can.
"""

from __future__ import annotations

import asyncio
import enum
import random


class Side(enum.Enum):
    """An end of a connection."""

    CLIENT = "client"
    SERVER = "server"


class Way(enum.Flag):
    """In which direction messages go."""

    TO_SERVER = enum.auto()
    TO_CLIENT = enum.auto()
    BOTH = TO_SERVER | TO_CLIENT


class Weather:
    """The state of the network, for all connections alike.

    Args:
        seed: Of all chances.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.harm = 0
        self._longest = 0.0
        self._loss = 0.0
        self._resent_after = 0.0
        self._cuts = 0.0
        self._open = {way: asyncio.Event() for way in Way.BOTH}
        self.thaw()

    def delay(self, longest: float) -> None:
        """Let each message take up to so many seconds each way."""
        self._longest = longest

    def lose(self, rate: float, resent_after: float) -> None:
        """Lose a share of the messages, as TCP shows it: they come late, and all behind them."""
        self._loss, self._resent_after = rate, resent_after

    def cut(self, rate: float) -> None:
        """Break the connection at a share of the messages."""
        self._cuts = rate

    def freeze(self, way: Way) -> None:
        """Carry nothing in a direction."""
        for one in way:
            self._open[one].clear()

    def thaw(self) -> None:
        """Carry everything."""
        for event in self._open.values():
            event.set()

    async def passable(self, way: Way) -> None:
        """Wait while nothing is carried in a direction."""
        await self._open[way].wait()

    def late(self) -> float:
        """Return after how many seconds the next message arrives."""
        seconds = self._random.uniform(0.0, self._longest)
        return seconds + (self._resent_after if self._happens(self._loss) else 0.0)

    def breaks(self) -> bool:
        """Tell whether the connection breaks at this message."""
        return self._happens(self._cuts)

    def _happens(self, rate: float) -> bool:
        happens = rate > 0 and self._random.random() < rate
        self.harm += happens
        return happens
