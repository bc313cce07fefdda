"""The contract of what is set about queues at run time: a part of every engine's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from staffa.dynamic import DynamicQueue
from staffa.limits import Limits


@dataclass(frozen=True, slots=True)
class Control:
    """An option of a queue as it was set at run time.

    Args:
        queue: The queue; ``*`` for all.
        scope: Who obeys: `EVERYBODY`, or what `node_scope` or `process_scope` returns.
        option: ``running``, ``paused``, ``limit``, or ``dynamic``: the options of a queue that is
            kept in the database. Those are read from rows of their own.
        value: A boolean, the limit or the options; `AS_CONFIGURED` takes back what was set before.
        version: Rises with each change of an instance; 0 before it is written.
    """

    queue: str
    scope: str
    option: str
    value: Any
    version: int = 0


AS_CONFIGURED = "configured"
"""The value of an option that is no longer set: the configuration or the row of the queue holds."""

EVERYBODY = "*"
"""The scope of all processes of an instance."""


def node_scope(node: str) -> str:
    """Return the scope of the processes of a node."""
    return f"node:{node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanges:
    """What becomes of an instance's dynamic queues.

    Args:
        rows: The queues that change, as they will be.
        controls: What is set about queues in the same transaction.
        limits: The limits of queues on all nodes that are written there, too: what the rows say
            and what claims obey is one thing, in whatever order changes come.
    """

    rows: Sequence[DynamicQueue] = ()
    controls: Sequence[Control] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)


ChangeQueues = Callable[[Sequence[DynamicQueue]], QueueChanges]


def dynamic_control(row: DynamicQueue) -> Control:
    """Return what processes are told of a dynamic queue."""
    options = None if row.deleted else row.options
    return Control(row.queue, EVERYBODY, "dynamic", options, row.version)


class ControlsQueues(Protocol):
    """What an engine does for queues at run time."""

    async def control_queues(self, name: str, controls: Sequence[Control]) -> list[Control]:
        """Set options of an instance's queues, and return them with their versions.

        What is set about a dynamic queue for everybody is kept among its options as well.
        """

    async def read_dynamic_queues(self, name: str) -> list[DynamicQueue]:
        """Read an instance's dynamic queues by name, the deleted ones too."""

    async def change_dynamic_queues(self, name: str, change: ChangeQueues) -> list[Control]:
        """Change an instance's dynamic queues, and return what processes are to be told.

        Args:
            name: The instance.
            change: Called with all of them, while nobody else can change any; returns what is
                written. What it raises is passed on, and nothing is changed.
        """

    async def forget_controls(self, *, age: float) -> int:
        """Forget what was set longer than an age in seconds ago and makes no difference.

        That are options of queues, and dynamic queues that were deleted.
        """
