"""What services do: pruner, prioritizer, reindexer, the look at vacuums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from staffa.telemetry.events import Event
from staffa.types import State


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPruned(Event):
    """Finished jobs were deleted, as their time was over.

    Args:
        state: Of which state.
        count: How many.
    """

    kind: ClassVar[str] = "staffa.pruner.pruned"

    state: State
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRaised(Event):
    """Jobs have become more urgent, as they have waited for long.

    Args:
        queue: Their queue.
        priority: The one that they had.
        count: How many.
    """

    kind: ClassVar[str] = "staffa.prioritizer.raised"

    queue: str
    priority: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRebuilt(Event):
    """An index had grown out of proportion, and was built anew.

    Args:
        index: Its name.
        seconds: How long that took.
    """

    kind: ClassVar[str] = "staffa.reindexer.rebuilt"

    index: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDropped(Event):
    """What an interrupted rebuild of an index had left was dropped.

    Args:
        index: Its name.
    """

    kind: ClassVar[str] = "staffa.reindexer.dropped"

    index: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumOverdue(Event):
    """The jobs table has more dead rows than living ones; it is logged as well.

    Args:
        live: Rows that are there.
        dead: Rows that take up space until a vacuum removes them.
        oldest_snapshot: Seconds since the oldest transaction began that keeps them; None without.
    """

    kind: ClassVar[str] = "staffa.vacuum.overdue"

    live: int
    dead: int
    oldest_snapshot: float | None
