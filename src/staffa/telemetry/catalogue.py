"""All events but the spans, which have their own module: what each is called and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from staffa.telemetry.events import Event
from staffa.types import JobReference, JobView, ProducerView, State


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
class JobConflicted(Event):
    """A unique job was not written, as there is one like it.

    Args:
        job: The one that there is.
    """

    kind: ClassVar[str] = "staffa.job.conflict"

    job: JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilled(Event):
    """Jobs were refused, or have to wait, as too many wait in their queue.

    Args:
        queue: The queue.
        depth: How many jobs wait in it, at least.
        limit: How many may.
    """

    kind: ClassVar[str] = "staffa.queue.full"

    queue: str
    depth: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUnknown(Event):
    """A job was put back, as no code here has its worker.

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
class LeaderElected(Event):
    """This node leads from now on.

    Args:
        producer: The node.
    """

    kind: ClassVar[str] = "staffa.leader.elected"

    producer: ProducerView


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderLost(Event):
    """This node leads no more.

    Args:
        producer: The node.
    """

    kind: ClassVar[str] = "staffa.leader.lost"

    producer: ProducerView


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatLate(Event):
    """The heartbeat had a gap: the machine, or code that holds the GIL, stopped its thread.

    Args:
        producer: The node.
        seconds: Between two heartbeats.
    """

    kind: ClassVar[str] = "staffa.producer.gap"

    producer: ProducerView
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStarted(Event):
    """A queue begins to run here: with the process, or by `start_queue`.

    Args:
        producer: The node.
        queue: The queue.
        limit: How many of its jobs run at once here.
    """

    kind: ClassVar[str] = "staffa.queue.started"

    producer: ProducerView
    queue: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStopped(Event):
    """A queue runs here no more, by `stop_queue`; its running jobs go on.

    Args:
        producer: The node.
        queue: The queue.
        limit: How many of its jobs run at once here.
    """

    kind: ClassVar[str] = "staffa.queue.stopped"

    producer: ProducerView
    queue: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Event):
    """A queue claims nothing here until it is resumed.

    Args:
        producer: The node.
        queue: The queue.
        limit: How many of its jobs run at once here.
    """

    kind: ClassVar[str] = "staffa.queue.paused"

    producer: ProducerView
    queue: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueResumed(Event):
    """A queue that was paused claims jobs here again.

    Args:
        producer: The node.
        queue: The queue.
        limit: How many of its jobs run at once here.
    """

    kind: ClassVar[str] = "staffa.queue.resumed"

    producer: ProducerView
    queue: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueScaled(Event):
    """A queue has another limit here.

    Args:
        producer: The node.
        queue: The queue.
        limit: How many of its jobs run at once here.
    """

    kind: ClassVar[str] = "staffa.queue.scaled"

    producer: ProducerView
    queue: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadStuck(Event):
    """A function in a thread did not stop in time; its thread is left alone.

    Args:
        job: What it runs.
        call: The call.
    """

    kind: ClassVar[str] = "staffa.thread.stuck"

    call: Callable[[], Any]
    job: JobView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBlocked(Event):
    """The event loop does not go on: a job calls something that blocks.

    Args:
        seconds: For how long so far.
        job: The guilty one; None if the loop is blocked by something else.
        stack: Where it is, as text.
    """

    kind: ClassVar[str] = "staffa.loop.blocked"

    seconds: float
    job: JobView | None
    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopFreed(Event):
    """The event loop goes on again.

    Args:
        seconds: For how long it was blocked.
        job: As it was told.
    """

    kind: ClassVar[str] = "staffa.loop.freed"

    seconds: float
    job: JobView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierLost(Event):
    """The connection that listens was lost.

    Args:
        prefix: The schema.
    """

    kind: ClassVar[str] = "staffa.notifier.lost"

    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierReconnected(Event):
    """The connection that listens is there again.

    Args:
        prefix: The schema.
    """

    kind: ClassVar[str] = "staffa.notifier.reconnected"

    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownBegun(Event):
    """The node claims no more.

    Args:
        producer: The node.
        grace: Seconds for which running jobs may go on.
    """

    kind: ClassVar[str] = "staffa.shutdown.begin"

    producer: ProducerView
    grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownEnded(Event):
    """The node has stopped.

    Args:
        producer: The node.
    """

    kind: ClassVar[str] = "staffa.shutdown.end"

    producer: ProducerView


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSurvived(Event):
    """Something went wrong that stopped nothing; it is logged as well.

    Args:
        what: What could not be done.
        error: Why.
    """

    kind: ClassVar[str] = "staffa.error"

    what: str
    error: BaseException
