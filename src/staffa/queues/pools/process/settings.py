"""How many children there are, and when one is replaced by a new one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Self

from staffa.config import Config


def usable_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPoolSettings:
    """The bounds of a pool of processes.

    Args:
        size: How many children there may be at once; those that are just ending are not counted.
        max_jobs: After how many jobs a child is replaced; None for never.
        max_age: After how many seconds it is replaced, once its job has ended.
        max_memory: From how many bytes of resident memory it is replaced, once its job has ended.
        idle: After how many seconds without a job a child ends.

    Example:
        >>> ProcessPoolSettings(size=4, max_jobs=1000).max_jobs
        1000
    """

    size: int = field(default_factory=usable_cores)
    max_jobs: int | None = None
    max_age: float | None = None
    max_memory: int | None = None
    idle: float = 60.0

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the settings that a client's settings ask for: of the size, the process's part."""
        size = usable_cores() if config.processes is None else config.processes
        return cls(
            size=max(config.share.of(size), 1),
            max_jobs=config.process_max_jobs,
            max_age=config.process_max_age,
            max_memory=config.process_max_memory,
        )

    def is_worn_out(self, *, jobs: int, age: float, memory: int) -> bool:
        """Tell whether a child has had its time."""
        return (
            (self.max_jobs is not None and jobs >= self.max_jobs)
            or (self.max_age is not None and age >= self.max_age)
            or (self.max_memory is not None and memory >= self.max_memory)
        )
