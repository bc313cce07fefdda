"""Runs jobs: on the event loop or in threads, each in a task that this module makes and holds.

Invariants: a slot is free as soon as the function has returned, its outcome being written
meanwhile; whatever a job raises, `SystemExit` included, ends that attempt and nothing else; a job
that was cancelled or whose lease is lost writes nothing, as its row is somebody else's by then; it
may still run while its job runs again, here or elsewhere.
From Python 3.12 a job that does not wait runs to its end within `start`, without a switch of tasks.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from staffa import hooks, registry
from staffa._internal.clock import Clock
from staffa._internal.kill_points import boundary
from staffa.args.encryption import NO_KEYS, KeyRing
from staffa.deadlines import DEADLINE_KEY, read_deadline
from staffa.engine import Lease
from staffa.errors import (
    DeadlinePassed,
    JobCancelled,
    JobTimeout,
    ProcessJobError,
    UnknownKey,
    UnknownWorker,
)
from staffa.jobs import Job, find_job_in, set_current_job
from staffa.queues import outcomes
from staffa.queues.aftermath import call_hook
from staffa.queues.checkpoints import Notes
from staffa.queues.outcomes import (
    Completion,
    Ended,
    Outcome,
    TakesHandovers,
    TakesOutcomes,
    is_plain,
)
from staffa.queues.pools.process import ProcessCall, ProcessPool
from staffa.queues.pools.thread import Threads
from staffa.queues.run import Run, Stop
from staffa.registry import WorkerDefinition
from staffa.results import Cancel, Discard
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import JobLeaseLost, JobStarted, WorkerUnknown
from staffa.types import EndReason


def _ignore(job: Job, seconds: float) -> None:
    """Nobody asks what became of a job."""


class Executor:
    """Runs jobs and hands their outcomes to the acker.

    Args:
        acker: Where outcomes go.
        threads: Where plain functions run.
        processes: Where functions run that compute.
        checkpoints: Where progress goes.
        imports: Packages from which unknown workers may be imported.
        unknown_after: Seconds for which jobs of unknown workers are put back.
        clock: Measures how long jobs run.
        on_lost: Called with each job whose lease had ended, and the seconds that it ran.
        keys: What encrypted args are read with.
        handovers: Finds out what became of jobs that were completed in transactions of users.
    """

    def __init__(
        self,
        acker: TakesOutcomes,
        threads: Threads,
        processes: ProcessPool,
        checkpoints: Notes,
        *,
        imports: Sequence[str],
        unknown_after: float,
        clock: Clock,
        on_lost: Callable[[Job, float], None] = _ignore,
        keys: KeyRing = NO_KEYS,
        handovers: TakesHandovers | None = None,
    ) -> None:
        self._acker = acker
        self._threads = threads
        self._processes = processes
        self._checkpoints = checkpoints
        self._imports = imports
        self._unknown_after = unknown_after
        self._monotonic = clock.monotonic
        self._on_lost = on_lost
        self._keys = keys
        self._handovers = handovers
        self._runs: set[Run] = set()
        self._loop = asyncio.get_running_loop()

    def start(self, job: Job, on_done: Callable[[Job], None]) -> None:
        """Run a job.

        Args:
            job: As it was claimed.
            on_done: Called when its slot is free; maybe before this returns.
        """
        run = Run(job, self._checkpoints, self._loop)
        job.bind(run)
        self._runs.add(run)
        task = _make_task(self._loop, self._run(run, on_done))
        if not task.done():
            run.task = task

    def stop_job(self, lease: Lease, why: Stop) -> None:
        """Ask a job to stop if it runs under a lease: a task is cancelled, a thread is told."""
        for run in self._runs.copy():
            # A lease may have ended by the job's own doing: then its row tells, once it has ended.
            if run.why is None and run.lease == lease and run.completion is None:
                self._stop(run, why)

    def leases(self) -> list[Lease]:
        """Return the leases of all jobs that run and are to go on; any thread may ask."""
        return [run.lease for run in self._runs.copy() if run.why is not Stop.LEASE_ENDED]

    def lease_of(self, number: int) -> Lease | None:
        """Return the lease under which a job runs, unless it has been asked to stop."""
        for run in self._runs:
            if run.lease.id == number and run.why is None and run.completion is None:
                return run.lease
        return None

    async def wait(self, seconds: float) -> bool:
        """Wait until nothing runs any more, at most so many seconds; tell if so."""
        tasks = [run.task for run in self._runs if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        return not self._runs

    @boundary("stop_jobs")
    def stop_all(self, why: Stop) -> None:
        """Ask all running jobs to stop."""
        for run in self._runs.copy():
            if run.why is None:
                self._stop(run, why)

    def _stop(self, run: Run, why: Stop) -> None:
        run.why = why
        run.ask_to_stop()
        if run.task is not None and run.begun:  # else it sees `why` when it begins
            run.task.cancel()

    def job_of(self, task: asyncio.Task[Any] | None) -> Job | None:
        """Return the job that runs in a task or has made it; any thread may ask."""
        if task is None:
            return None
        for run in self._runs.copy():
            if run.task is task:
                return getattr(run, "job", None)  # it may end meanwhile, on its own thread
        context = getattr(task, "get_context", None)  # from Python 3.12
        return None if context is None else find_job_in(context())

    async def _run(self, run: Run, on_done: Callable[[Job], None]) -> None:
        job = run.job
        started = self._monotonic()
        run.task = asyncio.current_task()
        run.begun = True
        emit(JobStarted, job=job)
        try:
            outcome: Ended | None
            try:
                outcome = await self._perform(run)
            except BaseException as error:  # noqa: BLE001  # a defect of ours must not lose the job
                report(f"judging the outcome of job {job.id} failed", error)
                outcome = Outcome(job, outcomes.of_defect(job), result=error)
            seconds = self._monotonic() - started
            progress = self._checkpoints.take(run.lease)
            if outcome is None:
                emit(JobLeaseLost, job=job, seconds=seconds)
                self._on_lost(job, seconds)
            else:
                outcome.seconds = seconds
                if progress is not None:
                    outcome = outcome.in_full()
                    ack = outcome.ack
                    outcome.ack = replace(ack, meta={**progress, **(ack.meta or {})})
                self._submit(run, outcome)
        finally:
            self._runs.discard(run)
            run.end()
            on_done(job)

    def _submit(self, run: Run, outcome: Ended) -> None:
        if run.completion is None or self._handovers is None:
            self._acker.submit(outcome)
        else:
            handed = replace(outcome.in_full(), completion=run.completion)
            self._handovers.hand_over(handed)

    @boundary("perform_job")
    async def _perform(self, run: Run) -> Ended | None:
        """Return the outcome to write, or None where the row is not ours any more."""
        job = run.job
        if run.why is not None:
            return _broken_off(run)
        try:
            job.args, job.meta  # noqa: B018  # decoded here, for the first time
            definition = run.definition = self._resolve(job)
            job.unseal(self._keys)
            call = definition.prepare(job)
        except (UnknownWorker, UnknownKey) as error:
            emit(WorkerUnknown, job=job, error=error)
            ack = outcomes.of_unknown_worker(job, error, self._unknown_after)
            return Outcome(job, ack, result=error, unknown_worker=True)
        except ValueError as error:
            ack = outcomes.of_undecodable(job, error)
            return Outcome(job, ack, result=error, reason=EndReason.UNDECODABLE)
        set_current_job(job)
        try:
            result = await self._called(definition, call, run)
        except BaseException as error:  # noqa: BLE001  # a job may raise anything
            return self._fail(definition, run, error)
        if run.lease_ended:
            return None
        if is_plain(job, result, definition):
            return Completion(job, run.lease, result)
        ack = outcomes.of_result(job, result, definition)
        reason = EndReason.RESULT if isinstance(result, Cancel | Discard) else None
        return Outcome(job, ack, result=result, reason=reason)

    def _resolve(self, job: Job) -> WorkerDefinition:
        try:
            return registry.resolve(job.worker, self._imports)
        except UnknownWorker:
            raise
        except Exception as error:
            raise UnknownWorker(f"importing worker {job.worker!r} failed: {error!r}") from error

    def _called(
        self, definition: WorkerDefinition, call: Callable[[], Any], run: Run
    ) -> Awaitable[Any]:
        """Return what is awaited for the function's result, with no idle layer around it."""
        before = hooks.find("before_process", definition.hooks)
        left = _seconds_left(run.job) if DEADLINE_KEY in run.job.meta else None
        timeout = definition.timeout(run.job)
        awaited: Awaitable[Any]
        if definition.executor == "async" and not before:
            awaited = call()
        else:
            awaited = self._invoke(definition, call, run, before)
        if timeout is None and left is None:
            return awaited
        return _within(awaited, run.job, left=left, allowed=timeout)

    async def _invoke(
        self,
        definition: WorkerDefinition,
        call: Callable[[], Any],
        run: Run,
        before: Sequence[Callable[..., Any]],
    ) -> Any:
        """Call hooks that go before, then the function where it runs."""
        threads = None if definition.executor == "async" else self._threads
        for hook in before:
            found = await call_hook(hook, run.job, threads=threads, ask_to_stop=run.ask_to_stop)
            if (ended := hooks.check_ending(hook, found)) is not None:
                return ended
        if definition.executor == "async":
            return await call()
        if definition.executor == "process":
            wanted = ProcessCall.of(run.job, definition, self._imports)
            return await self._processes.run(wanted, on_message=run.take_message)
        result = await self._threads.run(call, ask_to_stop=run.ask_to_stop)
        if inspect.iscoroutine(result):  # it would never run: better a failed attempt
            result.close()
            raise TypeError(f"{run.job.worker} is a plain def but returned a coroutine: await it")
        return result

    def _fail(self, definition: WorkerDefinition, run: Run, error: BaseException) -> Outcome | None:
        if run.why is not None:
            return _broken_off(run)
        job = run.job
        if isinstance(error, DeadlinePassed):
            ack = outcomes.of_deadline(job, error)
            return Outcome(job, ack, result=error, reason=EndReason.DEADLINE)
        classes = error.known_types if isinstance(error, ProcessJobError) else type(error).__mro__
        state = definition.policy.end_of(classes)
        if state is not None:
            ack = outcomes.of_end(job, error, state)
            return Outcome(job, ack, result=error, reason=EndReason.ERROR)
        backoff = definition.policy.backoff_of(classes) or definition.backoff
        try:
            delay = backoff(job, error)
        except Exception as broken:  # noqa: BLE001  # users' code: the default serves instead
            report(f"backoff of {definition.name} raised; the default is used", broken)
            delay = None
        return Outcome(job, outcomes.of_error(job, error, delay), result=error)


def _seconds_left(job: Job) -> float | None:
    """Return how long a job may run until its deadline; None if it may for ever.

    Raises:
        DeadlinePassed: If that was before it was claimed, on the database's clock.
    """
    found = read_deadline(job.meta, job.inserted_at)
    if found is None:
        return None
    deadline, force = found
    assert job.attempted_at is not None  # noqa: S101  # a claimed job has it
    left = (deadline - job.attempted_at).total_seconds()
    if left < 0:
        raise DeadlinePassed(f"its deadline {deadline.isoformat()} passed before it began")
    return left if force else None


async def _within(
    awaited: Awaitable[Any], job: Job, *, left: float | None, allowed: float | None
) -> Any:
    """Wait for a job's function within its deadline and its time-out."""
    late, slow = asyncio.timeout(left), asyncio.timeout(allowed)
    try:
        async with late, slow:
            return await awaited
    except (TimeoutError, JobCancelled) as error:
        if late.expired():
            raise DeadlinePassed("its deadline passed while it ran") from error
        if slow.expired():
            raise JobTimeout(
                f"{job.worker} took longer than its timeout of {allowed:g} s"
            ) from error
        raise


def _broken_off(run: Run) -> Outcome | None:
    """Return the outcome of a run that was asked to stop and did."""
    if run.lease_ended:
        return None
    return Outcome(run.job, outcomes.of_interruption(run.job))


if sys.version_info >= (3, 12):

    def _make_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]
    ) -> asyncio.Task[None]:
        return asyncio.Task(coroutine, loop=loop, eager_start=True)

else:

    def _make_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]
    ) -> asyncio.Task[None]:
        return loop.create_task(coroutine)
