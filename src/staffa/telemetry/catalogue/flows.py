"""What happens to workflows, batches and chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from staffa.telemetry.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowEnded(Event):
    """The last job of a workflow, a batch or a chain has ended.

    Args:
        flow: Its id.
    """

    kind: ClassVar[str] = "staffa.flow.end"

    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsRepaired(Event):
    """Jobs had ended, and what depends on them was not told of it.

    Args:
        foreign: How many were ended by other clients, which know nothing of what depends on them.
        own: How many by this one: there should be none, ever.
        recounted: How many flows had counts that were not those of their jobs.
    """

    kind: ClassVar[str] = "staffa.flow.repaired"

    foreign: int
    own: int
    recounted: int
