"""What happens to jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from staffa.telemetry.events import Event
from staffa.types import JobReference, JobView, State


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted(Event):
    """A job begins to run here.

    Args:
        job: As it was claimed.
    """

    kind: ClassVar[str] = "staffa.job.start"

    job: JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded(Event):
    """The outcome of a run is stored; the name ends with the state that the job has now.

    Args:
        job: As it was claimed; for a job that ended without running here, what is known of it.
        state: The new state.
        seconds: How long it ran; None where it did not run here.
        error: The text that was added to its errors.
        exception: What was raised, for reporters of errors; `Cancel` and `Discard` have one, too.
    """

    kind: ClassVar[str] = "staffa.job"

    job: JobView | JobReference
    state: State
    seconds: float | None = None
    error: str | None = None
    exception: BaseException | None = None

    @property
    def name(self) -> str:
        """``staffa.job.`` and the state."""
        return f"{self.kind}.{self.state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLeaseLost(Event):
    """The outcome of a run was not stored: the job is somebody else's by now.

    Args:
        job: As it was claimed.
        seconds: How long it ran.
    """

    kind: ClassVar[str] = "staffa.job.lease_lost"

    job: JobView
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRescued(Event):
    """A job was taken away from a process that died, and is available again.

    Args:
        job: The job.
    """

    kind: ClassVar[str] = "staffa.job.rescued"

    job: JobReference


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUnknown(Event):
    """A job was put back, as no code here has its worker, or the key of its encrypted args.

    Args:
        job: As it was claimed.
        error: Says what is not known.
    """

    kind: ClassVar[str] = "staffa.job.unknown_worker"

    job: JobView
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsStaged(Event):
    """Due jobs became available.

    Args:
        count: How many.
    """

    kind: ClassVar[str] = "staffa.stager.staged"

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobConflicted(Event):
    """A unique job was not written, as there is one like it.

    Args:
        job: The one that there is.
    """

    kind: ClassVar[str] = "staffa.job.conflict"

    job: JobView
