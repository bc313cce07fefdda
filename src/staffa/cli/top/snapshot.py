"""What the view shows at one moment, read by statements that indexes make cheap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from staffa.cli.queue_status import judge_queues, living, read_dynamic
from staffa.engine import Engine
from staffa.jobs import Job
from staffa.running import PROGRESS_KEY
from staffa.survey import ProducerStatus, Running
from staffa.types import State

MOST_COUNTED = 10_000
_MOST_JOBS = 50
_MOST_ERRORS = 10
_LEAST_WINDOW_SECONDS = 5.0
_FAILURES = (State.RETRYABLE, State.DISCARDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """A living worker process."""

    node: str
    uuid: str
    leads: bool
    started_at: datetime
    silent: float
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """A queue: its jobs by state, and how many attempts end in a second."""

    queue: str
    paused: bool
    available: int
    scheduled: int
    retryable: int
    executing: int
    completed_per_second: float
    failed_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A running job; `progress` is the share that it has told, from 0 to 1."""

    id: int
    queue: str
    worker: str
    node: str | None
    attempt: int
    max_attempts: int
    seconds: float
    progress: float | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """A job whose last attempt has failed."""

    id: int
    queue: str
    worker: str
    state: State
    attempt: int
    max_attempts: int
    at: str | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All of it.

    Args:
        at: When it was read, by the database's clock.
        nodes: By name.
        queues: By name.
        running: The longest running first.
        errors: The last one first.
    """

    at: datetime
    nodes: Sequence[NodeLine]
    queues: Sequence[QueueLine]
    running: Sequence[JobLine]
    errors: Sequence[ErrorLine]

    def describe(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"counted_up_to": MOST_COUNTED, **asdict(self)}


async def take_snapshot(
    engine: Engine, now: datetime, name: str, *, dead_after: float, interval: float
) -> Snapshot:
    """Look at what goes on.

    Args:
        engine: Where.
        now: The time on the database's clock.
        name: The instance whose nodes are shown.
        dead_after: Seconds after which a silent process counts as dead.
        interval: Seconds between two looks.
    """
    survey = engine.survey
    window = max(interval, _LEAST_WINDOW_SECONDS)
    producers = living(await survey.list_producers(), name, dead_after)
    running = await survey.count_running()
    waiting = await survey.count_waiting(most=MOST_COUNTED)
    counts = {(one.queue, one.state): one.count for one in waiting}
    for one in running:
        key = (one.queue, State.EXECUTING)
        counts[key] = counts.get(key, 0) + one.count
    ended = await survey.count_ended(seconds=window)
    controls = await survey.list_controls(name)
    known = {**dict.fromkeys(ended, 0), **counts}
    dynamic = await read_dynamic(engine, name)
    queues = judge_queues(known, producers, running, controls, dynamic)
    return Snapshot(
        at=now,
        nodes=[_node(producer, running) for producer in producers],
        queues=[
            QueueLine(
                queue=status.queue,
                paused=status.paused,
                available=status.counts.get(State.AVAILABLE, 0),
                scheduled=status.counts.get(State.SCHEDULED, 0),
                retryable=status.counts.get(State.RETRYABLE, 0),
                executing=status.counts.get(State.EXECUTING, 0),
                completed_per_second=_rate(ended, status.queue, (State.COMPLETED,), window),
                failed_per_second=_rate(ended, status.queue, _FAILURES, window),
            )
            for status in queues
        ],
        running=[_job(job, now) for job in await survey.list_running(_MOST_JOBS)],
        errors=[_error(job) for job in await survey.list_failed(_MOST_ERRORS)],
    )


def _node(producer: ProducerStatus, running: Sequence[Running]) -> NodeLine:
    return NodeLine(
        node=producer.node,
        uuid=str(producer.uuid),
        leads=producer.leads,
        started_at=producer.started_at,
        silent=producer.silent,
        running=sum(one.count for one in running if one.producer == str(producer.uuid)),
    )


def _rate(
    ended: Mapping[tuple[str, State], int], queue: str, states: Sequence[State], window: float
) -> float:
    return round(sum(ended.get((queue, state), 0) for state in states) / window, 2)


def _job(job: Job, now: datetime) -> JobLine:
    told = job.meta.get(PROGRESS_KEY)
    share = told.get("value") if isinstance(told, dict) else None
    note = told.get("note") if isinstance(told, dict) else None
    begun = job.attempted_at
    return JobLine(
        id=job.id or 0,
        queue=job.queue,
        worker=job.worker,
        node=job.attempted_by[0] if job.attempted_by else None,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        seconds=0.0 if begun is None else max((now - begun).total_seconds(), 0.0),
        progress=float(share) if isinstance(share, int | float) and 0 <= share <= 1 else None,
        note=note if isinstance(note, str) else None,
    )


def _error(job: Job) -> ErrorLine:
    """Return the last line of a job's last error, which says what was raised."""
    last: Any = job.errors[-1] if job.errors else {}
    text, at = (last.get("error"), last.get("at")) if isinstance(last, dict) else (None, None)
    lines = str(text or "").strip().splitlines()
    return ErrorLine(
        id=job.id or 0,
        queue=job.queue,
        worker=job.worker,
        state=job.state,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        at=at if isinstance(at, str) else None,
        error=lines[-1] if lines else "",
    )
