"""Keeps a queue from claiming while many of its outcomes wait to be written.

A slot is free when its function has returned, so short jobs could be claimed and run much faster
than their outcomes are written: each that waits lies in memory, and runs again if the process dies.

Invariants: a queue waits for its own outcomes only; those that are being written do not count, so
that the next ones are claimed meanwhile; who waits looks again after each bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staffa.queues.outcomes import Ended

LARGEST_BACKLOG = 5000  # as much again as the largest bundle that is being written


class Backlog:
    """The outcomes of a process that wait.

    Args:
        waiting: Returns them, as each that writes some has them.
    """

    def __init__(self, waiting: Callable[[], Sequence[Sequence[Ended]]]) -> None:
        self._waiting = waiting
        self._full: dict[str, Callable[[], None]] = {}

    def is_full(self, queue: str, on_room: Callable[[], None]) -> bool:
        """Tell whether too many outcomes of a queue wait.

        Args:
            queue: The queue.
            on_room: Called when it is worth asking again, if so.
        """
        if queue in self._full:
            self._full[queue] = on_room
            return True
        waiting = self._waiting()
        if sum(map(len, waiting)) < LARGEST_BACKLOG:
            return False
        own = sum(ended.job.queue == queue for some in waiting for ended in some)
        if own < LARGEST_BACKLOG:
            return False
        self._full[queue] = on_room
        return True

    def lowered(self) -> None:
        """Have queues ask again: a bundle has been written."""
        full, self._full = self._full, {}
        for on_room in full.values():
            on_room()
