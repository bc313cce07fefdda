"""Looking at the queues of this process."""

from __future__ import annotations

from dataclasses import dataclass

from staffa.client.jobs import Jobs
from staffa.errors import InstanceError


@dataclass(frozen=True, slots=True)
class QueueCheck:
    """A queue on this node.

    Args:
        queue: Its name.
        node: The node.
        limit: How many of its jobs run at once here.
        running: How many run at the moment.
    """

    queue: str
    node: str
    limit: int
    running: int


class Queues(Jobs):
    """Queues."""

    def check_queue(self, queue: str) -> QueueCheck:
        """Return what a queue does on this node.

        Raises:
            InstanceError: If it does not run here.
        """
        for check in self.check_all_queues():
            if check.queue == queue:
                return check
        running = ", ".join(check.queue for check in self.check_all_queues()) or "none"
        raise InstanceError(f"queue {queue!r} does not run here: running are {running}")

    def check_all_queues(self) -> list[QueueCheck]:
        """Return what each queue does on this node."""
        if self._node is None:
            return []
        return [
            QueueCheck(name, self.config.node, self.config.queues[name].limit, used)
            for name, used in self._node.supervisor.running().items()
        ]
