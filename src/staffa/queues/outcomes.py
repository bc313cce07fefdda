"""What is written for each way in which a run can end: pure functions of the job and the result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from staffa._internal.backoff import retry_delay
from staffa._internal.json import clean
from staffa.engine import Ack, Ending, Lease
from staffa.errors import DeadlinePassed, JobCancelled, JobDiscarded, ProcessJobError
from staffa.jobs import Job
from staffa.queues.described import LONGEST_ERROR, describe_error
from staffa.queues.recording import Recording, record, wants_record
from staffa.registry import WorkerDefinition
from staffa.results import Cancel, Discard, Snooze
from staffa.signals import PARKED_KEY, Parked
from staffa.types import EndReason, State


@dataclass(slots=True)
class Outcome:
    """What came of one run of a job; the executor fills in how long it took.

    Args:
        job: The job, as it was claimed.
        ack: What is to be written.
        seconds: How long it ran.
        result: What it returned or raised.
        reason: Why it was cancelled or discarded; None where its last attempt may have failed.
        unknown_worker: Whether it did not run at all, as something that it takes is not known.
        substitute: Whether it stands for one that could not be written.
        completion: What a transaction of the user's has written already, if it was committed.
    """

    job: Job
    ack: Ack
    seconds: float = 0.0
    result: object = None
    reason: EndReason | None = None
    unknown_worker: bool = False
    substitute: bool = False
    completion: Ack | None = None

    @property
    def lease(self) -> Lease:
        """The run."""
        return self.ack.lease

    @property
    def ending(self) -> Ending:
        """What is to be written."""
        return self.ack

    @property
    def size(self) -> int:
        """About how many characters of results it has."""
        result = self.ack.meta.get("return") if self.ack.meta else None
        return len(result) if isinstance(result, str) else 0

    def in_full(self) -> Outcome:
        """Return this."""
        return self

    @property
    def exception(self) -> BaseException | None:
        """What reporters of errors are told; `Cancel` and `Discard` have exceptions as well."""
        match self.result:
            case Cancel():
                return JobCancelled(self.ack.error)
            case Discard():
                return JobDiscarded(self.ack.error)
            case BaseException():
                return self.result
            case _:
                return None

    @property
    def state(self) -> State:
        """The state that it leads to."""
        exhausted = self.job.attempt >= self.job.max_attempts
        discarded = self.ack.state is State.RETRYABLE and exhausted
        return State.DISCARDED if discarded else self.ack.state

    @property
    def failure(self) -> BaseException | None:
        """What made the attempt fail; None if it did not, or if an error was to end the job."""
        expected = self.reason in {EndReason.ERROR, EndReason.DEADLINE}
        return self.result if isinstance(self.result, BaseException) and not expected else None


@dataclass(frozen=True, slots=True)
class Parking:
    """How a run ends that waits for signals.

    Args:
        names: The signals.
        seconds: After which the job is due all the same.
    """

    names: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class Completion:
    """A run that has returned, of which nothing else is to be written, as it is with most.

    It is made for each job, and costs a third of what an `Outcome` does with its `Ack`.

    Args:
        job: The job, as it was claimed.
        lease: The run.
        result: What it returned.
        seconds: How long it ran.
    """

    job: Job
    lease: Lease
    result: object
    seconds: float = 0.0

    size: ClassVar[int] = 0

    @property
    def ending(self) -> Ending:
        """What is to be written."""
        return self.lease

    def in_full(self) -> Outcome:
        """Return the same as any other outcome."""
        ack = Ack(lease=self.lease, state=State.COMPLETED)
        return Outcome(self.job, ack, self.seconds, self.result)


Ended = Outcome | Completion


class TakesOutcomes(Protocol):
    """Where outcomes go."""

    def submit(self, outcome: Ended) -> None:
        """Take an outcome."""


class TakesHandovers(Protocol):
    """Where the outcomes of functions go whose jobs were completed in transactions of users."""

    def hand_over(self, outcome: Outcome) -> None:
        """Take an outcome, whose `completion` says what may be in the row already."""


_FIRST_PUT_BACK_SECONDS = 30.0
_UNFILLED_SECONDS = 2.0
_LONGEST_PUT_BACK_SECONDS = 600.0
_FORGET_UNKNOWN_SECONDS = 3600.0
_LARGEST_COUNT = 10**9


def of_completion(job: Job, result: object, definition: WorkerDefinition | None) -> Ack:
    """Return the outcome of a job that completes in a transaction of the user's."""
    lease = Lease.of(job)
    if wants_record(job, result, definition):
        return _completed(lease, record(job, result, definition))
    return Ack(lease=lease, state=State.COMPLETED)


def is_plain(job: Job, result: object, definition: WorkerDefinition | None) -> bool:
    """Tell whether nothing is to be written of a function that returned but that it has."""
    if result is None and not job.meta:
        return definition is None or not definition.options.get("recorded")
    if isinstance(result, Cancel | Discard | Snooze | Recording):
        return False
    return not wants_record(job, result, definition)


def of_result(job: Job, result: object, definition: WorkerDefinition | None = None) -> Ack:
    """Return the outcome of a function that returned.

    Args:
        job: The job.
        result: What it returned.
        definition: Says whether and how the result is recorded, where the job does not.
    """
    lease = Lease.of(job)
    match result:
        case Cancel():
            return Ack(lease=lease, state=State.CANCELLED, error=_reason("Cancel", result.reason))
        case Discard():
            return Ack(lease=lease, state=State.DISCARDED, error=_reason("Discard", result.reason))
        case Snooze():
            return Ack(
                lease=lease,
                state=State.SCHEDULED,
                refund=True,
                delay=result.seconds,
                meta={
                    **(result.meta or {}),
                    **({PARKED_KEY: []} if job.meta.get(PARKED_KEY) else {}),
                    "snoozed": _count(job.meta.get("snoozed")) + 1,
                },
            )
        case Recording():
            return _completed(lease, result)
        case _ if wants_record(job, result, definition):
            return _completed(lease, record(job, result, definition))
        case _:
            return Ack(lease=lease, state=State.COMPLETED)


def _completed(lease: Lease, kept: Recording) -> Ack:
    return Ack(lease=lease, state=State.COMPLETED, meta=kept.meta, error=kept.error)


def of_error(job: Job, error: BaseException, delay: float | None) -> Ack:
    """Return the outcome of a failed attempt.

    Args:
        job: The job.
        error: What was raised.
        delay: Seconds until the next attempt; the default backoff if None.
    """
    seconds = retry_delay(job.attempt, job.max_attempts) if delay is None else delay
    return Ack(
        lease=Lease.of(job), state=State.RETRYABLE, error=describe_error(error), delay=seconds
    )


def of_end(job: Job, error: BaseException, state: State) -> Ack:
    """Return the outcome of an error after which no retry is wanted."""
    return Ack(lease=Lease.of(job), state=state, error=describe_error(error))


def of_deadline(job: Job, error: DeadlinePassed) -> Ack:
    """Return the outcome of a job whose deadline passed."""
    return Ack(lease=Lease.of(job), state=State.CANCELLED, error=str(error))


def of_defect(job: Job) -> Ack:
    """Return the outcome of a run whose own outcome could not be judged."""
    return Ack(
        lease=Lease.of(job),
        state=State.RETRYABLE,
        error="the outcome could not be judged: see the worker's log",
        delay=retry_delay(job.attempt, job.max_attempts),
    )


def of_undecodable(job: Job, error: BaseException) -> Ack:
    """Return the outcome of a job whose row can't be decoded: no retry would help."""
    text = f"the job can't be decoded: {type(error).__name__}: {error}"
    return Ack(lease=Lease.of(job), state=State.DISCARDED, error=clean(text)[:LONGEST_ERROR])


def of_interruption(job: Job) -> Ack:
    """Return the outcome of a run that a stopping process broke off: as if it had not begun."""
    return Ack(lease=Lease.of(job), state=State.AVAILABLE, refund=True)


def of_parking(job: Job, parking: Parking) -> Ack:
    """Return the outcome of a run that ends until a signal comes, or its time is up.

    It is no snooze of the job's own, so `meta.snoozed` does not count it.
    """
    return Ack(
        lease=Lease.of(job),
        state=State.SCHEDULED,
        refund=True,
        delay=parking.seconds,
        meta={PARKED_KEY: list(parking.names)},
    )


def is_parked(error: BaseException) -> bool:
    """Tell whether an error is what ends the run of a job that parks.

    Example:
        >>> is_parked(Parked("go")), is_parked(BaseExceptionGroup("tasks", [Parked("go")]))
        (True, True)
        >>> is_parked(ValueError())
        False
    """
    if isinstance(error, BaseExceptionGroup):  # of a TaskGroup, one of whose tasks waited
        return error.split(Parked)[1] is None
    return isinstance(error, Parked) or (
        isinstance(error, ProcessJobError) and Parked in error.known_types
    )


def of_unfilled(job: Job) -> Ack:
    """Return the outcome of a job whose arguments could not be read: it is tried again soon."""
    return Ack(lease=Lease.of(job), state=State.SCHEDULED, refund=True, delay=_UNFILLED_SECONDS)


def of_unknown_worker(job: Job, error: BaseException, unknown_after: float) -> Ack:
    """Return the outcome of a job whose worker nobody here knows.

    It is put back without using its attempt, at first for 30 s, then for longer: a rolling deploy
    has old and new code running. When that has gone on for too long, attempts fail.

    Args:
        job: The job.
        error: Says what is not known.
        unknown_after: Seconds after which attempts fail.
    """
    now = job.attempted_at
    assert now is not None  # noqa: S101  # a claimed job has it
    noted = job.meta.get("unknown_worker")
    note = noted if isinstance(noted, dict) else {}
    since, last = _time(note.get("since")), _time(note.get("last"))
    if since is None or last is None or (now - last).total_seconds() > _FORGET_UNKNOWN_SECONDS:
        note, since = {}, now  # it was known in between
    if (now - since).total_seconds() >= unknown_after:
        return of_error(job, error, None)
    count = _count(note.get("count"))
    return Ack(
        lease=Lease.of(job),
        state=State.SCHEDULED,
        refund=True,
        delay=min(_FIRST_PUT_BACK_SECONDS * 2 ** min(count, 10), _LONGEST_PUT_BACK_SECONDS),
        meta={
            "unknown_worker": {
                "count": count + 1,
                "since": since.isoformat(),
                "last": now.isoformat(),
            }
        },
    )


def _reason(kind: str, reason: object) -> str:
    return clean(kind if reason is None else f"{kind}: {reason}")[:LONGEST_ERROR]


def _count(value: object) -> int:
    """Return a count that a row may hold; any client may have written something else there."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), _LARGEST_COUNT)


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
