"""What every fault is.

A fault draws what it needs to know when the schedule is made, so that the seed decides it; what it
meets when its time comes is a matter of chance. `inject` returns once it is over, and tells whether
it could be done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import ClassVar

from tests.chaos.world import World


class Fault(ABC):
    """Something that goes wrong.

    Args:
        random: Decides everything about it.
    """

    name: ClassVar[str]
    weight: ClassVar[int] = 10

    def __init__(self, random: Random) -> None:
        self.random = random

    @abstractmethod
    async def inject(self, world: World) -> bool:
        """Have it happen, and return when it is over; False if it could not be done."""
