"""Runs jobs and chunks one by one where they are asked for: for tests and inline clients.

What runs them is the executor, and what comes of them is judged and followed by the same code as in
a worker process. What is missing is what a single run makes no use of: a lease that may be lost,
outcomes in bundles, progress that somebody watches.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import uuid4

from staffa._internal import json
from staffa._internal.clock import Clock
from staffa.config import Config
from staffa.engine import Engine, Producer
from staffa.errors import DataRefused, JobError
from staffa.jobs import Job
from staffa.queues.acker import failed_instead
from staffa.queues.aftermath import call_all, calls_after
from staffa.queues.checkpoints import KeptNotes
from staffa.queues.claims import Claimed
from staffa.queues.composing import Composes
from staffa.queues.executor import Executor
from staffa.queues.handovers import completed
from staffa.queues.outcomes import Ended, Outcome
from staffa.queues.pools.process import ProcessPool, ProcessPoolSettings
from staffa.queues.pools.thread import PATIENCE_SECONDS, ThreadPool, Threads
from staffa.queues.run import Stop
from staffa.telemetry import emit, working_for
from staffa.telemetry.catalogue import JobEnded
from staffa.types import State

_numbers = itertools.count(1)
_TIMES = {
    State.COMPLETED: "completed_at",
    State.CANCELLED: "cancelled_at",
    State.DISCARDED: "discarded_at",
}


def next_number() -> int:
    """Return the id of a job that has no row."""
    return next(_numbers)


class InlineRunner:
    """Runs jobs on the event loop on which it is made; `async with` ends what it has started.

    Args:
        config: The client's settings.
        clock: Measures.
        threads: Where plain functions run; threads of its own if not given.
        engine: Where the jobs have rows, if they have.
        composer: Serves jobs of workflows.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        threads: Threads | None = None,
        engine: Engine | None = None,
        composer: Composes | None = None,
    ) -> None:
        self.producer = Producer(uuid4(), config.name, config.node)
        self._own_threads = ThreadPool()
        self._threads = self._own_threads if threads is None else threads
        self._processes = ProcessPool(ProcessPoolSettings.of(config))
        self._clock = clock
        self._keys = config.encryption_keys
        self._outcomes: dict[int, Outcome] = {}
        self._executor = Executor(
            self,
            self._threads,
            self._processes,
            KeptNotes(engine, self.producer),
            imports=config.imports,
            unknown_after=config.unknown_after,
            clock=clock,
            keys=config.encryption_keys,
            handovers=self,
            composer=composer,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._executor.stop_all(Stop.SHUTDOWN)
        await self._executor.wait(2 * PATIENCE_SECONDS)
        await self._processes.stop()
        self._own_threads.stop()

    def submit(self, outcome: Ended) -> None:
        """Take an outcome; for the executor alone."""
        self._outcomes[id(outcome.job)] = outcome.in_full()

    def hand_over(self, outcome: Outcome) -> None:
        """Take the outcome of a job that was completed in a transaction; for the executor alone."""
        self.submit(outcome)

    async def run(self, job: Job) -> Outcome:
        """Run a claimed job once, and return what came of it."""
        await self._run(job)
        return self._outcomes.pop(id(job))

    async def run_together(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run the claimed jobs of a chunk once, and return what came of each."""
        await self._run(tuple(jobs))
        return [self._outcomes.pop(id(job)) for job in jobs]

    async def _run(self, claimed: Claimed) -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with working_for(self.producer.name):
            self._executor.start(
                claimed, lambda _: None if ended.done() else ended.set_result(None)
            )
        await ended

    async def follow(self, outcome: Outcome, state: State) -> None:
        """Tell of an outcome, and call the hooks."""
        emit(
            JobEnded,
            instance=self.producer.name,
            job=outcome.job,
            state=state,
            seconds=outcome.seconds,
            error=outcome.ack.error,
            exception=outcome.exception,
        )
        await call_all(calls_after(outcome, state), self._threads)

    async def perform(self, job: Job, *, attempt: int = 1) -> tuple[Outcome, Job]:
        """Run a new job without a database; return the outcome, and what its row would be."""
        row, claimed = self._claim(job, attempt)
        return await self._end(row, await self.run(claimed))

    async def perform_together(
        self, jobs: Sequence[Job], *, attempt: int = 1
    ) -> list[tuple[Outcome, Job]]:
        """Do the same with the jobs of a chunk."""
        claimed = [self._claim(job, attempt) for job in jobs]
        ended = await self.run_together([job for _, job in claimed])
        pairs = zip(claimed, ended, strict=True)
        return [await self._end(row, outcome) for (row, _), outcome in pairs]

    def _claim(self, job: Job, attempt: int) -> tuple[dict[str, Any], Job]:
        row = self._row_of(job, attempt)
        return row, Job.from_claim(row, job.queue, row["attempted_by"], row["attempted_at"])

    async def _end(self, row: Mapping[str, Any], outcome: Outcome) -> tuple[Outcome, Job]:
        await self.follow(outcome, outcome.state)
        return outcome, Job.from_row(_row_after(row, outcome, self._clock.now()))

    def _row_of(self, job: Job, attempt: int) -> dict[str, Any]:
        """Return the row of a job as a claim reads it: everything went through JSON."""
        sealed = job.sealed(self._keys)
        now = self._clock.now()
        due = sealed.scheduled_at or now + timedelta(seconds=sealed.scheduled_in or 0.0)
        return {
            "id": next_number(),
            "worker": sealed.worker,
            "queue": sealed.queue,
            "args": sealed.args_json,
            "meta": sealed.meta_json,
            "errors": None,
            "tags": list(sealed.tags),
            "attempt": attempt,
            "max_attempts": sealed.max_attempts,
            "priority": sealed.priority,
            "inserted_at": now,
            "scheduled_at": due,
            "attempted_at": max(now, due),
            "attempted_by": (self.producer.node, str(self.producer.uuid)),
            "completed_at": None,
            "cancelled_at": None,
            "discarded_at": None,
        }


async def write_outcome(
    outcome: Outcome, engine: Engine, producer: Producer
) -> tuple[Outcome, State, bool]:
    """Write an outcome; return what was written, the job's state now, and whether we wrote that.

    A job that has ended otherwise meanwhile, as it was cancelled, stays as it is.

    Raises:
        DatabaseError: If it could not be written.
    """
    number = outcome.ack.lease.id
    try:
        written = await _write(outcome, engine, producer)
    except DataRefused as error:
        outcome = failed_instead(outcome, error)
        written = await _write(outcome, engine, producer)
    if number in written:
        return outcome, written[number], True
    completion = outcome.completion
    if completion is not None and await engine.trace_acks([completion], producer):
        return completed(outcome), State.COMPLETED, True
    rows = await engine.get_jobs([number])
    return outcome, rows[0].state if rows else State.CANCELLED, False


async def _write(outcome: Outcome, engine: Engine, producer: Producer) -> Mapping[int, State]:
    if outcome.job.linked:
        return (await engine.ack_linked_jobs([outcome.ack], producer)).states
    return await engine.ack_jobs([outcome.ack], producer)


def raise_failure(outcome: Outcome) -> None:
    """Raise what made an attempt fail, if it did.

    Raises:
        JobError: In place of what would end the test run itself, such as `SystemExit`.
    """
    error = outcome.failure
    if isinstance(error, Exception):
        raise error
    if error is not None:
        raise JobError(f"job {outcome.job.id} raised {error!r}") from error


def _row_after(row: Mapping[str, Any], outcome: Outcome, now: datetime) -> dict[str, Any]:
    """Return what an outcome makes of a row."""
    ack, state = outcome.ack, outcome.state
    after = {**row, "state": state, "attempt": row["attempt"] - ack.refund}
    if ack.meta:
        after["meta"] = json.dumps({**json.loads(row["meta"]), **ack.meta})
    if ack.error is not None:
        error = {"attempt": row["attempt"], "at": now.isoformat(), "error": ack.error}
        after["errors"] = json.dumps([error])
    if state in {State.SCHEDULED, State.RETRYABLE}:
        after["scheduled_at"] = now + timedelta(seconds=ack.delay or 0.0)
    if state in _TIMES:
        after[_TIMES[state]] = now
    return after
