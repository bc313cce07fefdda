"""The job: a row of the jobs table, before and after it was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import Context, ContextVar
from datetime import datetime, timedelta
from typing import Any, Self

from staffa._internal import json
from staffa._internal.epoch import LateTime, to_epoch
from staffa.args.plain import dump_object
from staffa.chains import Chain, ChainOptions
from staffa.deadlines import DEADLINE_KEY, Deadline, note_deadline, postpone
from staffa.errors import ConfigError, InvalidJob
from staffa.limits import WEIGHT_KEY
from staffa.options import (
    DEFAULT_MAX_ATTEMPTS,
    DEFAULT_QUEUE,
    MAX_ATTEMPTS,
    MAX_PRIORITY,
    MAX_WEIGHT,
    check_flag,
    check_instance,
    check_length,
    check_queue,
    check_tags,
    check_time,
    check_whole_number,
    check_worker_name,
)
from staffa.payload import A
from staffa.results import RELAY_KEY, Recorded, recorded_meta
from staffa.running import Running
from staffa.types import Seconds, State
from staffa.unique import Replace, Unique, UniqueOptions

TIMEOUT_KEY = "staffa_timeout"
"""Where `meta` holds the time-out that a single job was given."""


class Job(Running[A]):
    """A unit of work: which worker runs it, with which arguments, and what became of it.

    A job that was made here has no id until it is enqueued. Every time is in UTC. ``Job[Order]`` is
    the type of the jobs of a class worker with ``args=Order``: their `args` are an order.

    Args:
        worker: The worker's name, as it is registered: ``module.qualname`` unless fixed by `name=`.
        args: The arguments, a JSON object.
        queue: The queue, 1 to 127 characters.
        priority: 0 to 9, 0 is the most urgent.
        max_attempts: How often it may run, 1 to 32767.
        tags: Labels: trimmed, lower-cased, without repeats.
        meta: Data about the job, a JSON object.
        scheduled_at: When it may run; a datetime with a time zone.
        scheduled_in: How long from now it may run, in seconds or as a timedelta.
        timeout: How long one attempt may take, in seconds or as a timedelta; the worker's own if
            not given. Kept in `meta`.
        deadline: Until when it is worth running: seconds, a timedelta or a `Deadline`, counted from
            the moment at which it is due. Kept in `meta`.
        encrypted: Whether the args are encrypted when the job is enqueued.
        recorded: Whether what the function returns is kept; with a limit of its size if `Recorded`.
        unique: Whether the job is written only if there is none like it: True, or a `Unique`.
        replace: What is overwritten of the job that there is, by its state.
        chain: Has it run after the job that was written before it for the same key, see `Chain`.
        weight: How many tokens of its queue's rate limit it takes, 1 and more; what the limit says
            if not given. Kept in `meta`.
        instance: The name of the client that `enqueue` of its function or class goes through; a
            client that is given the job takes it, whatever its name is. Not stored.

    Raises:
        InvalidJob: If a value can't be stored; the message names it and the remedy.
        ConfigError: If `unique`, `replace` or `chain` can't be used.
        InvalidArgs: If args or meta are no plain JSON object.

    Example:
        >>> Job(worker="myapp.Mailer", args={"to": "a@example.com"}, queue="mail", priority=1)
        <Job worker='myapp.Mailer' queue='mail' state=available>
    """

    __slots__ = (
        "_errors",
        "_inserted_at",
        "_scheduled_at",
        "_scheduled_in",
        "attempt",
        "attempted_at",
        "attempted_by",
        "cancelled_at",
        "completed_at",
        "discarded_at",
        "id",
        "instance",
        "max_attempts",
        "priority",
        "queue",
        "state",
        "tags",
        "worker",
    )

    id: int | None
    instance: str | None
    state: State
    queue: str
    worker: str
    tags: tuple[str, ...]
    attempt: int
    max_attempts: int
    priority: int
    attempted_by: tuple[str, ...] | None
    _inserted_at: datetime | float | None
    _scheduled_at: datetime | float | None
    inserted_at = LateTime()
    scheduled_at = LateTime()
    attempted_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    discarded_at: datetime | None

    def __init__(
        self,
        *,
        worker: str,
        args: Mapping[str, Any] | None = None,
        queue: str = DEFAULT_QUEUE,
        priority: int = 0,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
        scheduled_at: datetime | None = None,
        scheduled_in: Seconds | None = None,
        timeout: Seconds | None = None,
        deadline: Seconds | Deadline | None = None,
        encrypted: bool = False,
        recorded: bool | Recorded = False,
        unique: Unique | UniqueOptions | bool | None = None,
        replace: Replace | None = None,
        chain: Chain | ChainOptions | None = None,
        weight: int | None = None,
        instance: str | None = None,
    ) -> None:
        self.id = None
        self.instance = None if instance is None else check_instance(instance)
        self.worker = check_worker_name(worker)
        self._encrypt = check_flag("encrypted", encrypted)
        args = {} if args is None else args
        self._args = dump_object(args, "args", hide=encrypted)
        self._model = None
        self.queue = check_queue(queue)
        self.priority = check_whole_number("priority", priority, 0, MAX_PRIORITY)
        self.max_attempts = check_whole_number("max_attempts", max_attempts, 1, MAX_ATTEMPTS)
        self.tags = check_tags(tags)
        meta = {} if meta is None else meta
        self._meta = dump_object(meta, "meta")
        noted = recorded_meta(recorded) | ({"encrypted": True} if encrypted else {})
        if timeout is not None:
            noted[TIMEOUT_KEY] = check_length(timeout, "timeout")
        if weight is not None:
            noted[WEIGHT_KEY] = check_whole_number("weight", weight, 1, MAX_WEIGHT)
        if noted:
            self._meta = dump_object({**meta, **noted}, "meta")
        self._errors: str | None = None
        if scheduled_at is not None and scheduled_in is not None:
            raise InvalidJob("scheduled_at and scheduled_in are both given: give one of them")
        self.scheduled_at = None if scheduled_at is None else check_time(scheduled_at)
        self._scheduled_in = (
            None if scheduled_in is None else check_length(scheduled_in, "scheduled_in")
        )
        if deadline is not None:
            noted = _note_deadline(deadline, self.scheduled_at, self._scheduled_in)
            self._meta = dump_object({**json.loads(self._meta), DEADLINE_KEY: noted}, "meta")
        later = self.scheduled_at is not None or self._scheduled_in is not None
        self.state = State.SCHEDULED if later else State.AVAILABLE
        self._set_unique(unique, replace)
        self._set_chain(chain)
        self.attempt = 0
        self.attempted_by = None
        self.inserted_at = None
        self.attempted_at = None
        self.completed_at = None
        self.cancelled_at = None
        self.discarded_at = None
        self._set_waiting()

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the job of a row that the engine read: times in UTC, JSON still as text."""
        job = cls._from_columns(row)
        job.state = State(row["state"])
        job.queue = row["queue"]
        attempted_by = row["attempted_by"]
        job.attempted_by = tuple(attempted_by) if attempted_by else None  # Python's oban has {}
        job.attempted_at = row["attempted_at"]
        job.completed_at = row["completed_at"]
        job.cancelled_at = row["cancelled_at"]
        job.discarded_at = row["discarded_at"]
        return job

    @classmethod
    def from_claim(
        cls,
        row: Mapping[str, Any],
        queue: str,
        attempted_by: tuple[str, str],
        attempted_at: datetime,
    ) -> Self:
        """Return a job that was just claimed; the claim reads only the columns it needs."""
        job = cls._from_columns(row)
        job.attempted_at = attempted_at
        job.state = State.EXECUTING
        job.queue = queue
        job.attempted_by = attempted_by
        job.completed_at = None
        job.cancelled_at = None
        job.discarded_at = None
        return job

    @classmethod
    def _from_columns(cls, row: Mapping[str, Any]) -> Self:
        job = cls.__new__(cls)
        job.id = row["id"]
        job.instance = None
        job.worker = row["worker"]
        job._args = row["args"]
        job._meta = row["meta"] or "{}"
        job._errors = row["errors"]
        job._scheduled_in = None
        job._encrypt = False
        job._model = None
        job._set_waiting()
        job._set_written()
        job.chain = None
        job.tags = tuple(row["tags"] or ())
        job.attempt = row["attempt"]
        job.max_attempts = row["max_attempts"]
        job.priority = row["priority"]
        job._inserted_at = row["inserted_at"]
        job._scheduled_at = row["scheduled_at"]
        return job

    def _twin(self) -> Self:
        # By hand, twice for each job that is enqueued: what `copy` does takes eight times as long.
        job = self.__new__(type(self))
        job.id = self.id
        job.instance = self.instance
        job.worker = self.worker
        job.state = self.state
        job.queue = self.queue
        job.tags = self.tags
        job.attempt = self.attempt
        job.max_attempts = self.max_attempts
        job.priority = self.priority
        job.attempted_by = self.attempted_by
        job._inserted_at = self._inserted_at
        job._scheduled_at = self._scheduled_at
        job.attempted_at = self.attempted_at
        job.completed_at = self.completed_at
        job.cancelled_at = self.cancelled_at
        job.discarded_at = self.discarded_at
        job.unique = self.unique
        job.replace = self.replace
        job.conflict = self.conflict
        job.chain = self.chain
        job._errors = self._errors
        job._scheduled_in = self._scheduled_in
        job._args = self._args
        job._encrypt = self._encrypt
        job._meta = self._meta
        job._model = self._model
        job._released = self._released
        job._unique_key = self._unique_key
        job._made_key = self._made_key
        job._context = self._context
        job._enqueued = self._enqueued
        return job

    __copy__ = _twin

    def with_args(self, args: Mapping[str, Any]) -> Self:
        """Return a job like this one, which was not enqueued, with other args.

        Raises:
            InvalidArgs: If they are no plain JSON object.
        """
        job = self._twin()
        job._args = dump_object(args, "args", hide=self._encrypt)
        return job

    def relayed(self, secret: str) -> Self:
        """Return this new job with the mark of a relay: its result is kept, and told."""
        return self.with_meta({"recorded": True, RELAY_KEY: secret})

    def with_meta(self, changes: Mapping[str, Any]) -> Self:
        """Return a job like this one, which was not enqueued, with more in its meta.

        Raises:
            InvalidArgs: If that is no plain JSON object.
        """
        job = self._twin()
        job._meta = dump_object({**self.meta, **changes}, "meta")
        return job

    def as_enqueued(self, row: Mapping[str, Any]) -> Self:
        """Return this job with what the database gave it when it was enqueued."""
        job = self._twin()
        job.id = row["id"]
        job.state = State(row["state"])
        job._inserted_at = row["inserted_at"]
        job._scheduled_at = row["scheduled_at"]
        return job

    def in_state(self, state: State) -> Self:
        """Return this stored job in the state that it has come to; for the engine alone."""
        job = self._twin()
        job.state = state
        return job

    def delayed(self, seconds: float) -> Self:
        """Return this job for a time that is so much later."""
        job = self._twin()
        if job.scheduled_at is not None:
            try:
                job.scheduled_at += timedelta(seconds=seconds)
            except OverflowError:
                raise InvalidJob(
                    f"scheduled_at {job.scheduled_at} can't be {seconds} s later: give an earlier "
                    "time"
                ) from None
        else:
            job._scheduled_in = (job._scheduled_in or 0.0) + seconds
        if DEADLINE_KEY in job.meta:
            noted = postpone(job.meta[DEADLINE_KEY], seconds)
            job._meta = dump_object({**job.meta, DEADLINE_KEY: noted}, "meta")
        job.state = State.SCHEDULED
        return job

    @property
    def errors(self) -> list[dict[str, Any]]:
        """What went wrong in each failed attempt: `attempt`, `at` and `error`."""
        return [] if self._errors is None else json.loads(self._errors)

    @property
    def seconds_waited(self) -> float:
        """How long it was due before it was claimed; 0 for one that was not; for metrics alone."""
        due = self._scheduled_at
        if self.attempted_at is None or due is None:
            return 0.0
        if isinstance(due, datetime):
            return (self.attempted_at - due).total_seconds()
        return to_epoch(self.attempted_at) - due

    @property
    def scheduled_in(self) -> float | None:
        """The delay in seconds that the job was made with."""
        return self._scheduled_in

    def __repr__(self) -> str:
        number = "" if self.id is None else f" {self.id}"
        return f"<Job{number} worker={self.worker!r} queue={self.queue!r} state={self.state}>"


def _note_deadline(
    deadline: Seconds | Deadline, scheduled_at: datetime | None, scheduled_in: float | None
) -> dict[str, Any]:
    try:
        return note_deadline(deadline, scheduled_at, scheduled_in)
    except ConfigError as error:
        raise InvalidJob(str(error)) from None


_current: ContextVar[Job | None] = ContextVar("staffa_current_job", default=None)


def current_job() -> Job:
    """Return the job that is running, from anywhere in its call stack, in threads too.

    Raises:
        InvalidJob: If no job is running here.
    """
    job = _current.get()
    if job is None:
        raise InvalidJob("no job is running here: current_job() works inside of a job only")
    return job


def find_current_job() -> Job | None:
    """Return the job that is running, or None outside of jobs."""
    return _current.get()


def find_job_in(context: Context) -> Job | None:
    """Return the job that runs in a context; any thread may ask."""
    return context.get(_current)


def set_current_job(job: Job) -> None:
    """Say which job runs in this context; for the executor alone."""
    _current.set(job)
