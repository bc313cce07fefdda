"""How large a chaos run is, and how quickly its processes judge each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = 'Jobs "in chaos"'
"""The schema of a run; its name needs quoting on purpose."""

HEARTBEAT = 0.3
DEAD_AFTER = 3.0
MAX_RESCUES = 3
PROMPT: dict[str, Any] = {
    "heartbeat": HEARTBEAT,
    "dead_after": DEAD_AFTER,
    "max_rescues": MAX_RESCUES,
    "poll": 0.2,
    "leader_lease": 3.0,
    "shutdown_grace": 1.0,
    "processes": 1,
    "reindexer": "false",
}
"""Settings of the workers: what takes half a minute in production takes a few seconds."""

RESCUE_BOUND = 30.0
"""What is promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How large a run is.

    Args:
        seed: Decides the schedule of faults and the work.
        seconds: How long faults are injected.
        folder: Where logs, notes and the history lie.
        workers: How many worker processes there are at a time.
        enqueuers: How many processes enqueue.
        jobs_per_second: How many jobs each of these enqueues at most.
        seconds_between_faults: The mean.
        rescue_bound: Seconds after which nobody may hold a job of a dead process; time in which the
            database was away is added.
        only: The names of the faults that are injected; all if there are none.
    """

    seed: int
    seconds: float
    folder: Path
    workers: int = 3
    enqueuers: int = 2
    jobs_per_second: float = 8.0
    seconds_between_faults: float = 2.0
    rescue_bound: float = RESCUE_BOUND
    only: frozenset[str] = frozenset()
