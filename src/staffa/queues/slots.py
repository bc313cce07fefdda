"""The slots of a node that all its queues share: how `node_limit` is kept, and fairly.

Invariants: never are more taken than there are, as a claim takes its slots before it asks for jobs,
and gives back those that it found none for. A queue that could use more than it got stands in line.
One slot of those that are free is owed to each queue in line, in its order: nobody else is offered
it. Who was served goes to the end of the line. So a queue waits for at most one slot of each of the
others, however many jobs those have. What is free beyond that is divided evenly among those that
ask; what one of them has no jobs for is offered to the next.

A queue that can't claim now (it is paused, has no slot of its own, or waits for a time) does not
stand in line, where it would hold up the others.
"""

from __future__ import annotations

from itertools import islice
from typing import Protocol


class Taker(Protocol):
    """A queue that takes slots."""

    def ready(self) -> None:
        """Ask again: slots are free."""


class Slots:
    """The slots of this process.

    Args:
        limit: How many there are; None for any number.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._taken = 0
        self._line: dict[Taker, None] = {}

    @property
    def load(self) -> float:
        """Which part of them is taken; nothing of any number."""
        if self.limit is None:
            return 0.0
        return self._taken / self.limit if self.limit else 1.0

    def offered(self, taker: Taker, wanted: int) -> int:
        """Return how many of the slots that a queue could use it may take now."""
        if self.limit is None:
            return wanted
        free = self.limit - self._taken
        line = list(self._line)
        ahead = line.index(taker) if taker in self._line else len(line)
        sharing = len(self._line) + (taker not in self._line)
        return max(min(wanted, -(-free // sharing), free - ahead), 0)

    def take(self, taker: Taker, wanted: int) -> int:
        """Take as many as are offered; where those are fewer, the queue stands in line."""
        if self.limit is None:
            return wanted
        count = self.offered(taker, wanted)
        self._taken += count
        if count:
            self.leave(taker)
        if count < wanted:
            self._line.setdefault(taker)
        return count

    def give_back(self, count: int) -> None:
        """Have slots free again."""
        if self.limit is not None:
            self._taken -= count
            self._offer()

    def leave(self, taker: Taker) -> None:
        """Have a queue stand in line no more."""
        if taker in self._line:
            del self._line[taker]
            self._offer()

    def _offer(self) -> None:
        assert self.limit is not None  # noqa: S101  # else nobody stands in line
        for taker in list(islice(self._line, max(self.limit - self._taken, 0))):
            taker.ready()
