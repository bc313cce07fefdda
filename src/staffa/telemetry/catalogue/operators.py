"""What people do to jobs, queues and entries of cron."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from staffa.telemetry.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTaken(Event):
    """Somebody has changed something by hand, or has tried to.

    Args:
        action: What, such as ``jobs.cancel`` or ``queues.pause``.
        actor: Who: the user of the machine, where it was done from the command line.
        source: Where it was done: ``cli``.
        target: What it was about: ids, a filter, a queue, a node.
        count: How many jobs were changed; None where it is not about jobs.
        error: Why it failed, or came to an early end.
    """

    kind: ClassVar[str] = "staffa.audit"

    action: str
    actor: str
    source: str
    target: Mapping[str, Any]
    count: int | None = None
    error: str | None = None
