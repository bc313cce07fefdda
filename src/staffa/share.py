"""Which part of its node's limits a worker process has.

Processes that one `staffa start --processes N` looks after are one node to people: a limit is the
node's, and they share it. Each computes its part alone, so that a limit which is set at run time is
divided without a word between them. The first ones have what does not divide evenly.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one process.

    Args:
        index: Which of the processes it is, from 0.
        count: How many there are.
        since: Which changes of queues at run time the first of them knew when it began: later ones
            hold for this one too, whenever it was started. None in the first one itself.

    Example:
        >>> [Share(index, 4).of(10) for index in range(4)]
        [3, 3, 2, 2]
        >>> [Share(index, 4).of(2) for index in range(4)]
        [1, 1, 0, 0]
    """

    index: int = 0
    count: int = 1
    since: int | None = None

    def of(self, limit: int) -> int:
        """Return this process's part of a limit; 0 if there are more processes than that."""
        return limit // self.count + (self.index < limit % self.count)

    @property
    def is_whole(self) -> bool:
        """Whether the process shares with no other."""
        return self.count == 1

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"


WHOLE = Share()
"""The part of a process that is alone."""
