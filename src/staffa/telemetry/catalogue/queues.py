"""What happens to queues, and to what runs their jobs: threads, processes, the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from staffa.telemetry.events import Event
from staffa.types import JobView, ProducerView


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
class QueueLimited(Event):
    """Limits of all nodes begin to hold jobs of a queue back here.

    Args:
        producer: The node.
        queue: The queue.
        delay: Seconds until a token comes back; None if the end of a job is waited for.
    """

    kind: ClassVar[str] = "staffa.queue.limited"

    producer: ProducerView
    queue: str
    delay: float | None


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
class QueueInserted(Event):
    """A dynamic queue was written that was not there; told where that was done.

    Args:
        queue: The queue.
        options: Its options, as a table of ``staffa.toml`` has them.
    """

    kind: ClassVar[str] = "staffa.queue.inserted"

    queue: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueUpdated(Event):
    """Options of a dynamic queue were changed; told where that was done.

    Args:
        queue: The queue.
        options: All its options from now on.
    """

    kind: ClassVar[str] = "staffa.queue.updated"

    queue: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDeleted(Event):
    """A dynamic queue was deleted; told where that was done.

    Args:
        queue: The queue.
        options: What it had.
    """

    kind: ClassVar[str] = "staffa.queue.deleted"

    queue: str
    options: Mapping[str, Any]


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
class ProcessStarted(Event):
    """A process for jobs that compute is ready.

    Args:
        pid: The process.
        seconds: How long its start took.
    """

    kind: ClassVar[str] = "staffa.process.started"

    pid: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnded(Event):
    """Such a process has ended.

    Args:
        pid: The process.
        jobs: How many jobs it was given.
        exit_code: Its exit code; a negative one is the signal that killed it.
        reason: Why it was ended; None if it was not asked to, or is not needed any more.
    """

    kind: ClassVar[str] = "staffa.process.ended"

    pid: int
    jobs: int
    exit_code: int
    reason: str | None


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
