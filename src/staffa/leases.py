"""The right of a worker process to run a job: who has it, what ends it, what is noted under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, NamedTuple
from uuid import UUID

from staffa.jobs import Job
from staffa.types import State


@dataclass(frozen=True, slots=True)
class Producer:
    """One start of a worker process: what its leases name."""

    uuid: UUID
    name: str
    node: str


class Lease(NamedTuple):
    """The right to end one run of a job; no two of them overlap."""

    id: int
    attempt: int
    attempted_at: datetime

    @classmethod
    def of(cls, job: Job) -> Lease:
        """Return the lease of a claimed job."""
        assert job.id is not None  # noqa: S101  # claimed jobs have both
        assert job.attempted_at is not None  # noqa: S101
        # Made for each run: not by the constructor, whose frame takes half of the time.
        return tuple.__new__(cls, (job.id, job.attempt, job.attempted_at))


class Hold(Enum):
    """How it stands with a lease whose job may have been completed in a user's transaction."""

    FREE = auto()
    """The job runs, and nobody holds its row."""
    HELD = auto()
    """The job runs, as far as is committed, and another transaction holds its row."""
    ENDED = auto()
    """The job does not run under this lease any more."""


@dataclass(slots=True, kw_only=True)
class Ack:
    """The outcome of one run, to be written under its lease.

    It is not frozen, though nobody changes it: that would treble the time that making one takes.

    Args:
        lease: The run.
        state: What the job becomes; a retryable one without attempts left becomes discarded.
        refund: Whether the attempt is given back.
        error: What is added to the job's errors.
        delay: Seconds until the job is due again.
        meta: What is merged into the job's meta.
    """

    lease: Lease
    state: State
    refund: bool = False
    error: str | None = None
    delay: float | None = None
    meta: Mapping[str, Any] | None = None

    @property
    def plain(self) -> bool:
        """Whether it is a completion with nothing to it."""
        there_is_more = self.refund or self.error is not None or self.meta is not None
        return self.state is State.COMPLETED and not there_is_more


Ending = Ack | Lease
"""What ends a run; a lease alone stands for a completion with nothing to it."""


def lease_of(ending: Ending) -> Lease:
    """Return the lease under which a run has ended."""
    return ending if isinstance(ending, Lease) else ending.lease


def plain_leases(endings: Sequence[Ending]) -> list[Lease] | None:
    """Return the leases of runs that have all completed with nothing to it; None if one has not."""
    leases = [lease_of(ending) for ending in endings if isinstance(ending, Lease) or ending.plain]
    return leases if len(leases) == len(endings) else None


def as_ack(ending: Ending) -> Ack:
    """Return what ends a run as an outcome in any case."""
    return Ack(lease=ending, state=State.COMPLETED) if isinstance(ending, Lease) else ending


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a running job notes in its row.

    Args:
        lease: The run.
        meta: What is merged into the job's meta.
    """

    lease: Lease
    meta: Mapping[str, Any]
