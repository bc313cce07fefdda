"""Runs jobs: on the event loop or in threads, each in a task that this module makes and holds.

The jobs of a chunk have one task together: see `staffa.queues.chunks`.

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
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from staffa import hooks, registry
from staffa._internal.clock import Clock
from staffa._internal.kill_points import boundary
from staffa.args.encryption import ENVELOPE, NO_KEYS, KeyRing
from staffa.deadlines import DEADLINE_KEY
from staffa.errors import (
    DatabaseError,
    DeadlinePassed,
    ProcessJobError,
    UnknownKey,
    UnknownWorker,
)
from staffa.jobs import TIMEOUT_KEY, Job, set_current_job
from staffa.memberships import CASCADE_KEY, GRAFT_KEY, GRAFTED_KEY, WORKFLOW_KEY
from staffa.queues import outcomes
from staffa.queues.aftermath import call_hook
from staffa.queues.awaits import ReceivesSignals
from staffa.queues.checkpoints import Notes
from staffa.queues.chunks import MemberRun, broken_off, perform_chunk
from staffa.queues.claims import Claimed
from staffa.queues.composing import Composes
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
from staffa.queues.recording import Recording
from staffa.queues.run import Run
from staffa.queues.runs import Runs
from staffa.queues.timing import seconds_left, within
from staffa.registry import WorkerDefinition
from staffa.results import Cancel, Discard, Snooze
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import JobLeaseLost, JobStarted, WorkerUnknown
from staffa.types import EndReason

_TIME_KEYS = frozenset({TIMEOUT_KEY, DEADLINE_KEY})


def _ignore(job: Job, seconds: float) -> None:
    """Nobody asks what became of a job."""


class Executor(Runs):
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
        awaits: Where jobs get signals from; what their meta has if not given.
        composer: Serves jobs of workflows.
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
        awaits: ReceivesSignals | None = None,
        composer: Composes | None = None,
    ) -> None:
        super().__init__()
        self._acker = acker
        self.threads = threads
        self._processes = processes
        self._checkpoints = checkpoints
        self._imports = imports
        self._unknown_after = unknown_after
        self._monotonic = clock.monotonic
        self._on_lost = on_lost
        self._keys = keys
        self._handovers = handovers
        self._awaits = awaits
        self._composer = composer
        self._loop = asyncio.get_running_loop()

    def start(self, claimed: Claimed, on_done: Callable[[Any], None]) -> None:
        """Run a job, or those of a chunk together.

        Args:
            claimed: The job or the jobs, as they were claimed.
            on_done: Called with the same when its slot is free; maybe before this returns.
        """
        if not isinstance(claimed, Job):
            self._start_chunk(claimed, on_done)
            return
        job = claimed
        run = Run(job, self._checkpoints, self._loop, self._awaits)
        job.bind(run)
        self._runs.add(run)
        task = _make_task(self._loop, self._run(run, on_done))
        if not task.done():
            run.task = task

    def _start_chunk(self, jobs: tuple[Job, ...], on_done: Callable[[Any], None]) -> None:
        runs: list[MemberRun] = []
        for job in jobs:
            run = MemberRun(job, self._checkpoints, self._loop, runs)
            job.bind(run)
            runs.append(run)
        self._runs.update(runs)
        task = _make_task(self._loop, self._run_chunk(tuple(runs), jobs, on_done))
        if not task.done():
            for run in runs:
                run.task = task

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
            self._settle(run, outcome, self._monotonic() - started)
        finally:
            self._runs.discard(run)
            run.end()
            on_done(job)

    async def _run_chunk(
        self, runs: tuple[MemberRun, ...], jobs: tuple[Job, ...], on_done: Callable[[Any], None]
    ) -> None:
        started = self._monotonic()
        for run in runs:
            run.task = asyncio.current_task()
            run.begun = True
            emit(JobStarted, job=run.job)
        try:
            ended: Mapping[Run, Ended | None]
            try:
                ended = await perform_chunk(runs, self)
            except BaseException as error:  # noqa: BLE001  # a defect of ours must not lose the jobs
                report(f"judging the outcomes of a chunk of {len(runs)} jobs failed", error)
                ended = {
                    run: Outcome(run.job, outcomes.of_defect(run.job), result=error) for run in runs
                }
            seconds = self._monotonic() - started
            for run in runs:
                self._settle(run, ended[run], seconds)
        finally:
            self._runs.difference_update(runs)
            for run in runs:
                run.end()
            on_done(jobs)

    def _settle(self, run: Run, outcome: Ended | None, seconds: float) -> None:
        """Hand on what came of a run; None where its row is somebody else's."""
        progress = self._checkpoints.take(run.lease)
        if outcome is None:
            emit(JobLeaseLost, job=run.job, seconds=seconds)
            self._on_lost(run.job, seconds)
            return
        outcome.seconds = seconds
        if progress is not None:
            outcome = outcome.in_full()
            ack = outcome.ack
            outcome.ack = replace(ack, meta={**progress, **(ack.meta or {})})
        self._submit(run, outcome)

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
            return broken_off(run)
        try:
            definition = self.read(run)
            meta = job.meta
            if CASCADE_KEY in meta and WORKFLOW_KEY in meta and self._composer is not None:
                await self._composer.fill(job, definition)
            call = definition.prepare(job)
        except (
            UnknownWorker,
            UnknownKey,
            DatabaseError,
            ValueError,
            asyncio.CancelledError,
        ) as error:
            return self._not_called(run, error)
        if definition.chunk is not None:  # nobody knew it when it was claimed
            return (await perform_chunk((run,), self))[run]
        set_current_job(job)
        try:
            if definition.direct and _TIME_KEYS.isdisjoint(meta) and not hooks.attached():
                result = await call()
            else:
                result = await self._called(definition, call, run)
            if GRAFT_KEY in meta and WORKFLOW_KEY in meta:
                result = await self._graft(job, result)
        except BaseException as error:  # noqa: BLE001  # a job may raise anything
            return self.fail(definition, run, error)
        return self.judge(definition, run, result)

    def read(self, run: Run) -> WorkerDefinition:
        """Return the worker of a job, whose row is decoded now.

        Raises:
            UnknownWorker: If no code here has its name.
            UnknownKey: If its args can't be decrypted here.
            ValueError: If it can't be decoded.
        """
        job = run.job
        args, _ = job.args, job.meta  # decoded here, for the first time
        definition = run.definition = registry.find(job.worker) or self._resolve(job)
        if ENVELOPE in args:
            job.unseal(self._keys)
        return definition

    def refuse(self, run: Run, error: Exception) -> Outcome:
        """Return the outcome of a job that could not be prepared."""
        job = run.job
        if isinstance(error, UnknownWorker | UnknownKey):
            emit(WorkerUnknown, job=job, error=error)
            ack = outcomes.of_unknown_worker(job, error, self._unknown_after)
            return Outcome(job, ack, result=error, unknown_worker=True)
        ack = outcomes.of_undecodable(job, error)
        return Outcome(job, ack, result=error, reason=EndReason.UNDECODABLE)

    def judge(self, definition: WorkerDefinition, run: Run, result: object) -> Ended | None:
        """Return the outcome of a function that returned."""
        if run.lease_ended:
            return None
        job = run.job
        if is_plain(job, result, definition):
            return Completion(job, run.lease, result)
        ack = outcomes.of_result(job, result, definition)
        reason = EndReason.RESULT if isinstance(result, Cancel | Discard) else None
        return Outcome(job, ack, result=result, reason=reason)

    def _not_called(self, run: Run, error: BaseException) -> Outcome | None:
        """Return the outcome of a job whose function could not be called."""
        if isinstance(error, DatabaseError):  # of what is to be filled in
            ack = outcomes.of_unfilled(run.job)
            return Outcome(run.job, ack, result=error, unknown_worker=True)
        if isinstance(error, Exception):
            return self.refuse(run, error)
        if run.why is None:  # nobody has asked it to stop
            raise error
        return broken_off(run)

    async def _graft(self, job: Job, result: object) -> object:
        """Have what the function of a graft returned written, and return what is noted of it."""
        if self._composer is None or isinstance(result, Cancel | Discard | Snooze):
            return result
        return Recording({GRAFTED_KEY: await self._composer.graft(job, result)})

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
        left = seconds_left(run.job) if DEADLINE_KEY in run.job.meta else None
        timeout = definition.timeout(run.job)
        awaited: Awaitable[Any]
        if definition.executor == "async" and not before:
            awaited = call()
        else:
            awaited = self._invoke(definition, call, run, before)
        if timeout is None and left is None:
            return awaited
        return within(awaited, run.job, left=left, allowed=timeout)

    async def _invoke(
        self,
        definition: WorkerDefinition,
        call: Callable[[], Any],
        run: Run,
        before: Sequence[Callable[..., Any]],
    ) -> Any:
        """Call hooks that go before, then the function where it runs."""
        threads = None if definition.executor == "async" else self.threads
        for hook in before:
            found = await call_hook(hook, run.job, threads=threads, ask_to_stop=run.ask_to_stop)
            if (ended := hooks.check_ending(hook, found)) is not None:
                return ended
        if definition.executor == "async":
            return await call()
        if definition.executor == "process":
            wanted = ProcessCall.of(run.job, definition, self._imports)
            return await self._processes.run(wanted, on_message=run.take_message)
        return await self.run_in_thread(call, run.job, run.ask_to_stop)

    async def run_in_thread(
        self, call: Callable[[], Any], job: Job, ask_to_stop: Callable[[], None]
    ) -> Any:
        """Call a plain function in a thread."""
        result = await self.threads.run(call, ask_to_stop=ask_to_stop)
        if inspect.iscoroutine(result):  # it would never run: better a failed attempt
            result.close()
            raise TypeError(f"{job.worker} is a plain def but returned a coroutine: await it")
        return result

    def fail(self, definition: WorkerDefinition, run: Run, error: BaseException) -> Outcome | None:
        """Return the outcome of a function that raised."""
        job, parking = run.job, run.parking
        if parking is not None and not run.lease_ended and outcomes.is_parked(error):
            return Outcome(job, outcomes.of_parking(job, parking), result=Snooze(parking.seconds))
        if run.why is not None:
            return broken_off(run)
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
