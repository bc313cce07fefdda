"""What engines tell of what they have changed: jobs that were written, changed, rescued, staged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from staffa.jobs import Job
from staffa.linking import NOTHING, Followed
from staffa.types import State


@dataclass(frozen=True, slots=True)
class Changed:
    """A job that an operation changed.

    Args:
        id: The job.
        queue: Its queue.
        worker: The name of its worker.
        previous_state: Its state before.
        attempt: How many attempts it has used.
    """

    id: int
    queue: str
    worker: str
    previous_state: State
    attempt: int = field(default=0, compare=False)


class Changes(list[Changed]):
    """Jobs that an operation changed, and what followed for others.

    Args:
        changed: The jobs.
        followed: What came of it in the flows that they belong to.
    """

    def __init__(self, changed: Iterable[Changed] = (), followed: Followed = NOTHING) -> None:
        super().__init__(changed)
        self.followed = followed


@dataclass(frozen=True, slots=True)
class Rescued:
    """A job that was put back or ended without a run that could tell of it."""

    id: int
    queue: str
    worker: str
    state: State
    attempt: int = field(default=0, compare=False)


class Rescues(list[Rescued]):
    """Jobs that were put back or ended, and what followed for others.

    Args:
        rescued: The jobs.
        followed: What came of it in the flows that they belong to.
    """

    def __init__(self, rescued: Iterable[Rescued] = (), followed: Followed = NOTHING) -> None:
        super().__init__(rescued)
        self.followed = followed


@dataclass(frozen=True, slots=True)
class Staged:
    """What one round of staging found.

    Args:
        staged: How many jobs became available.
        queues: The queues that have available jobs, as far as they were asked for or staged.
    """

    staged: int
    queues: frozenset[str]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of new jobs, as far as a stream tells of it.

    Args:
        ids: Theirs, in the order given; that of the existing one for a unique job in conflict.
        conflicts: The existing ones, by their places.
        woken: How many have become available, by queue.
    """

    ids: list[int]
    conflicts: Mapping[int, Job]
    woken: Mapping[str, int]

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Written:
        """Return it of jobs as they were stored."""
        woken: dict[str, int] = {}
        for job in jobs:
            if job.wakes_its_queue:
                woken[job.queue] = woken.get(job.queue, 0) + 1
        return cls(
            [job.id for job in jobs if job.id is not None],  # all have one
            {place: job for place, job in enumerate(jobs) if job.conflict},
            woken,
        )

    @classmethod
    def together(cls, parts: Sequence[Written]) -> Written:
        """Return it of jobs that were written in parts, in none of which there was a conflict."""
        woken: Counter[str] = Counter()
        for part in parts:
            woken.update(part.woken)
        return cls([number for part in parts for number in part.ids], {}, woken)
