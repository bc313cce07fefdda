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
from collections.abc import Callable, Coroutine, Sequence
from enum import Enum, auto
from typing import Any

from staffa import registry
from staffa._internal.clock import Clock
from staffa.engine import Ack, Lease
from staffa.errors import JobCancelled, JobTimeout, UnknownWorker
from staffa.jobs import Job, set_current_job
from staffa.queues import outcomes
from staffa.queues.acker import Acker, Outcome
from staffa.queues.pools.thread import ThreadPool
from staffa.registry import WorkerDefinition
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import JobLeaseLost, JobStarted, WorkerUnknown


class Stop(Enum):
    """Why a running job is asked to stop."""

    LEASE_ENDED = auto()
    SHUTDOWN = auto()


class Run:
    """One job while it runs: what the job asks through `Job.cancelled`."""

    __slots__ = ("begun", "job", "stopping", "task", "why")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.task: asyncio.Task[None] | None = None
        self.why: Stop | None = None
        self.begun = False
        self.stopping = False

    @property
    def cancelled(self) -> bool:
        """Whether the job should stop."""
        return self.stopping

    def ask_to_stop(self) -> None:
        """Let `Job.cancelled` tell the job."""
        self.stopping = True


class Executor:
    """Runs jobs and hands their outcomes to the acker.

    Args:
        acker: Where outcomes go.
        threads: Where plain functions run.
        imports: Packages from which unknown workers may be imported.
        unknown_after: Seconds for which jobs of unknown workers are put back.
        clock: Measures how long jobs run.
    """

    def __init__(
        self,
        acker: Acker,
        threads: ThreadPool,
        *,
        imports: Sequence[str],
        unknown_after: float,
        clock: Clock,
    ) -> None:
        self._acker = acker
        self._threads = threads
        self._imports = imports
        self._unknown_after = unknown_after
        self._clock = clock
        self._runs: set[Run] = set()
        self._loop = asyncio.get_running_loop()

    def start(self, job: Job, on_done: Callable[[Job], None]) -> None:
        """Run a job.

        Args:
            job: As it was claimed.
            on_done: Called when its slot is free; maybe before this returns.
        """
        run = Run(job)
        job.bind(run)
        self._runs.add(run)
        task = _make_task(self._loop, self._run(run, on_done))
        if not task.done():
            run.task = task

    def stop_job(self, lease: Lease, why: Stop) -> None:
        """Ask a job to stop if it runs under a lease: a task is cancelled, a thread is told."""
        for run in self._runs.copy():
            if run.why is None and Lease.of(run.job) == lease:
                self._stop(run, why)

    def leases(self) -> list[Lease]:
        """Return the leases of all jobs that run and are to go on; any thread may ask."""
        return [Lease.of(run.job) for run in self._runs.copy() if run.why is not Stop.LEASE_ENDED]

    async def wait(self, seconds: float) -> bool:
        """Wait until nothing runs any more, at most so many seconds; tell if so."""
        tasks = [run.task for run in self._runs if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        return not self._runs

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

    async def _run(self, run: Run, on_done: Callable[[Job], None]) -> None:
        job = run.job
        started = self._clock.monotonic()
        run.begun = True
        emit(JobStarted, job=job)
        try:
            try:
                ack = await self._perform(run)
            except BaseException as error:  # noqa: BLE001  # a defect of ours must not lose the job
                report(f"judging the outcome of job {job.id} failed", error)
                ack = outcomes.of_defect(job)
            seconds = self._clock.monotonic() - started
            if ack is None:
                emit(JobLeaseLost, job=job, seconds=seconds)
            else:
                self._acker.submit(Outcome(job, ack, seconds))
        finally:
            self._runs.discard(run)
            on_done(job)

    async def _perform(self, run: Run) -> Ack | None:
        """Return the outcome to write, or None where the row is not ours any more."""
        job = run.job
        if run.why is not None:
            return _broken_off(run)
        try:
            job.args, job.meta  # noqa: B018  # decoded here, for the first time
            definition = self._resolve(job)
            call = definition.prepare(job)
        except UnknownWorker as error:
            emit(WorkerUnknown, job=job, error=error)
            return outcomes.of_unknown_worker(job, error, self._unknown_after)
        except ValueError as error:
            return outcomes.of_undecodable(job, error)
        set_current_job(job)
        try:
            result = await self._call(definition, call, run)
        except BaseException as error:  # noqa: BLE001  # a job may raise anything
            return self._fail(definition, run, error)
        return None if run.why is Stop.LEASE_ENDED else outcomes.of_result(job, result)

    def _resolve(self, job: Job) -> WorkerDefinition:
        try:
            return registry.resolve(job.worker, self._imports)
        except UnknownWorker:
            raise
        except Exception as error:
            raise UnknownWorker(f"importing worker {job.worker!r} failed: {error!r}") from error

    async def _call(self, definition: WorkerDefinition, call: Callable[[], Any], run: Run) -> Any:
        timeout = definition.timeout(run.job)
        if timeout is None:
            return await self._invoke(definition, call, run)
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                return await self._invoke(definition, call, run)
        except (TimeoutError, JobCancelled) as error:
            if not scope.expired():
                raise
            raise JobTimeout(
                f"{run.job.worker} took longer than its timeout of {timeout:g} s"
            ) from error

    async def _invoke(self, definition: WorkerDefinition, call: Callable[[], Any], run: Run) -> Any:
        if definition.executor == "async":
            return await call()
        result = await self._threads.run(call, ask_to_stop=run.ask_to_stop)
        if inspect.iscoroutine(result):  # it would never run: better a failed attempt
            result.close()
            raise TypeError(f"{run.job.worker} is a plain def but returned a coroutine: await it")
        return result

    def _fail(self, definition: WorkerDefinition, run: Run, error: BaseException) -> Ack | None:
        if run.why is not None:
            return _broken_off(run)
        try:
            delay = definition.backoff(run.job, error)
        except Exception as broken:  # noqa: BLE001  # users' code: the default serves instead
            report(f"backoff of {definition.name} raised; the default is used", broken)
            delay = None
        return outcomes.of_error(run.job, error, delay)


def _broken_off(run: Run) -> Ack | None:
    """Return the outcome of a run that was asked to stop and did."""
    return None if run.why is Stop.LEASE_ENDED else outcomes.of_interruption(run.job)


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
