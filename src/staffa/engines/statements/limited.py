"""What statements of limits are given and return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from staffa.jobs import Job
from staffa.limits import Limits, Partition


@dataclass(frozen=True, slots=True)
class Ring:
    """Where the keys of a queue's partitions lie, and how they are made.

    Args:
        queue: The queue.
        partition: What divides it.
    """

    queue: str
    partition: Partition

    @property
    def prefix(self) -> str:
        """How its keys begin; all of them are after it."""
        return self.partition.prefix

    @property
    def end(self) -> str:
        """What all of its keys are before."""
        return self.prefix[:-1] + chr(ord(self.prefix[-1]) + 1)


@dataclass(frozen=True, slots=True)
class Chunked:
    """What of a queue is claimed in chunks.

    Args:
        names: The workers: their jobs are left.
        heads: The first jobs of chunks that can be claimed: these are not.
    """

    names: Sequence[str] = ()
    heads: Sequence[int] = ()


NO_CHUNKS = Chunked()


@dataclass(frozen=True, slots=True)
class Locked:
    """The row of a queue's limits; `used_at` tells it from what other claims leave there."""

    limits: Limits
    options: str
    cursors: dict[str, str]
    sweep: dict[str, Any]
    used_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment, how many jobs of the queue run, and what was spent of it as a whole."""

    now: datetime
    running: int
    meter: Mapping[str, Any] | None


Place = tuple[int, str, int]
"""Where the next page of waiting jobs begins: after a priority, a time and an id."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the jobs that wait.

    Args:
        seen: How many there were.
        unsigned: Those without a key of now.
        place: Where the next page begins.
    """

    seen: int
    unsigned: Sequence[int]
    place: Place | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A partition that waits.

    Args:
        key: Its key.
        weight: The tokens that its next job takes.
        running: How many of its jobs run.
        meter: What it has spent, as it was stored.
        ready: Whether it may have another job, as far as that is known without its weight.
        free_at: Until when nothing of it can start.
    """

    key: str
    weight: int
    running: int
    meter: Mapping[str, Any] | None
    ready: bool
    free_at: datetime | None


@dataclass(frozen=True, slots=True)
class Walk:
    """The partitions that a walk has come by, at one priority; None where nothing waits."""

    priority: int | None
    partitions: Sequence[Waiting]


class Taken(NamedTuple):
    """A job that was leased.

    Args:
        job: The job.
        key: Its partition's key.
        weight: The tokens that it takes.
        urgency: By which jobs are ordered: the priority, the time and the id.
    """

    job: Job
    key: str
    weight: int
    urgency: tuple[int, Any, int]


@dataclass(frozen=True, slots=True)
class Catch:
    """What was leased of partitions.

    Args:
        taken: The jobs.
        moved: How many were put where they belong instead.
    """

    taken: Sequence[Taken]
    moved: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was leased in one statement from a queue without partitions.

    Args:
        slots: How many jobs might have run, besides those that ran.
        jobs: The jobs, by urgency.
    """

    slots: int
    jobs: list[Job]


@dataclass(frozen=True, slots=True)
class InTurns:
    """The same from partitions.

    Args:
        used_at: When, as the row of the limits has it now.
        cursors: By priority, the partition that was served last.
        seen: How many jobs were looked at for their keys.
        place: Where the next page of them begins.
        taken: The jobs.
    """

    used_at: datetime
    cursors: dict[str, str]
    seen: int
    place: Place | None
    taken: Sequence[Taken]


@dataclass(frozen=True, slots=True)
class Spending:
    """What is written about a meter."""

    key: str
    meter: Mapping[str, Any]
    free_at: datetime | None


@dataclass(slots=True)
class Owner:
    """Whose tokens are meant: a job's columns, as far as its partition looks at them.

    Args:
        fields: What divides the queue; nothing for the queue as a whole.
        worker: The name of the worker.
        args: The args.
        meta: The meta.
    """

    fields: Sequence[str] = ()
    worker: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """A moment, a partition's key, and what was spent of it."""

    now: datetime
    key: str
    meter: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Busy:
    """What a partition uses."""

    key: str
    running: int
    meter: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Weights:
    """What jobs take of a rate limit: without a word of their own, and at most."""

    usual: int = 1
    most: int = 1

    @classmethod
    def of(cls, limits: Limits) -> Weights:
        """Return those of a queue; without a rate limit nobody asks for them."""
        rate = limits.rate_limit
        return cls() if rate is None else cls(rate.weight, rate.allowed)
