"""Runs a job, or those of a chunk, without a database, with all that production does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from staffa._internal.calls import Call
from staffa._internal.clock import Clock
from staffa.client.inline import CallersThread
from staffa.config import Config
from staffa.errors import ConfigError
from staffa.functions import JobFunction
from staffa.jobs import Job
from staffa.options import JobOptions, check_whole_number
from staffa.queues.inline import InlineRunner
from staffa.queues.outcomes import Outcome
from staffa.queues.pools.thread import Threads
from staffa.queues.recording import Recording
from staffa.registry import WorkerDefinition
from staffa.signals import given_signals
from staffa.testing.targets import App, find_settings
from staffa.types import EndReason, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What came of one run of a job.

    Args:
        state: The state that the job has now.
        result: What it returned, `Cancel`, `Discard`, `Snooze` and `Record` among that.
        error: What it raised, or why it could not run.
        reason: Why it was cancelled or discarded.
        delay: Seconds until it is due again, if it is.
        seconds: How long it ran.
        job: The job as its row would be now, with its `meta`, `errors` and times.
    """

    state: State
    result: Any
    error: BaseException | None
    reason: EndReason | None
    delay: float | None
    seconds: float
    job: Job

    @classmethod
    def of(cls, outcome: Outcome, job: Job) -> Performed:
        """Return what a test may look at of an outcome."""
        error = outcome.result if isinstance(outcome.result, BaseException) else None
        result = None if error is not None else outcome.result
        exhausted = outcome.state is State.DISCARDED and outcome.reason is None
        return cls(
            state=outcome.state,
            result=result.value if isinstance(result, Recording) else result,
            error=error,
            reason=EndReason.EXHAUSTED if exhausted else outcome.reason,
            delay=outcome.ack.delay if outcome.state is outcome.ack.state else None,
            seconds=outcome.seconds,
            job=job,
        )


async def perform_job(
    worker: Any,
    args: Any = None,
    /,
    *,
    attempt: int = 1,
    signals: Mapping[str, Any] | None = None,
    app: App = None,
    oban: App = None,
    **options: Unpack[JobOptions],
) -> Performed:
    """Run a job once, without a database, and return what came of it; errors are not raised.

    The args go through JSON and back, and are encrypted if the job says so. Hooks are called,
    time-outs and policies hold. What the job notes is in the `meta` of the result's job.

    Args:
        worker: A decorated function or class, or a job: ``send_mail.new("ada@example.com")``.
        args: With a worker, its args: a mapping, or the declared model. For a function also a list.
        attempt: Which attempt this is.
        signals: The signals that it has got, by name: payloads. Where it awaits another one, it is
            parked at once.
        app: The client whose settings hold (keys, imports); the only one of this process, or those
            of the environment.
        oban: The same, under the name that the package `oban` has for it.
        **options: With a worker, options of the job.

    Raises:
        InvalidArgs: If the args can't be those of a job.
        ConfigError: If it is no worker and no job.

    Example:
        ```python
        done = await perform_job(send_mail, {"to": "ada@example.com"})
        assert done.state == "completed"
        ```
    """
    return await Rehearsal.of(worker, args, options, attempt, app, oban, signals).run()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A run that is to come.

    Args:
        job: What runs.
        attempt: Which attempt it is.
        config: The settings that hold.
        clock: Measures.
    """

    job: Job
    attempt: int
    config: Config
    clock: Clock

    @classmethod
    def of(
        cls,
        worker: Any,
        args: Any,
        options: JobOptions,
        attempt: int,
        app: App,
        oban: App,
        signals: Mapping[str, Any] | None = None,
    ) -> Rehearsal:
        """Return a run of what is given, all of it checked."""
        job = job_of(worker, args, options)
        check_whole_number("attempt", attempt, 1, job.max_attempts)
        config, clock = find_settings(app, oban)
        if signals is not None:
            job = job.with_meta(given_signals(signals, clock.now()))
        return cls(job, attempt, config, clock)

    async def run(self, threads: Threads | None = None) -> Performed:
        """Run it."""
        async with InlineRunner(self.config, self.clock, threads) as runner:
            return Performed.of(*await runner.perform(self.job, attempt=self.attempt))


async def run_chunk(
    worker: Any,
    jobs: Iterable[Any],
    /,
    *,
    attempt: int = 1,
    app: App = None,
    oban: App = None,
    **options: Unpack[JobOptions],
) -> list[Performed]:
    """Run jobs of a worker together, as a chunk, and return what came of each, in their order.

    It is to a worker with `chunk` what `perform_job` is to others. Neither the size of the chunk
    nor what its jobs have in common is looked at.

    Args:
        worker: A decorated function or class with `chunk`.
        jobs: The jobs, or their args, as `perform_job` takes them.
        attempt: Which attempt this is.
        app: The client whose settings hold, as for `perform_job`.
        oban: The same, under the name that the package `oban` has for it.
        **options: Options of the jobs that are given as args.

    Raises:
        InvalidArgs: If the args can't be those of a job.
        ConfigError: If it is no worker with `chunk`, or a job is another one's.

    Example:
        ```python
        done = await run_chunk(load, [{"event": 1}, {"event": 2}])
        assert [one.state for one in done] == ["completed", "completed"]
        ```
    """
    return await ChunkRehearsal.of(worker, jobs, options, attempt, app, oban).run()


@dataclass(frozen=True, slots=True)
class ChunkRehearsal:
    """A run of several jobs that is to come.

    Args:
        jobs: What runs.
        attempt: Which attempt it is.
        config: The settings that hold.
        clock: Measures.
    """

    jobs: Sequence[Job]
    attempt: int
    config: Config
    clock: Clock

    @classmethod
    def of(
        cls,
        worker: Any,
        jobs: Iterable[Any],
        options: JobOptions,
        attempt: int,
        app: App,
        oban: App,
    ) -> ChunkRehearsal:
        """Return a run of what is given, all of it checked."""
        definition = getattr(worker, "_definition", None)
        if not isinstance(definition, WorkerDefinition) or definition.chunk is None:
            raise ConfigError(
                f"{worker!r:.200} is no worker with chunk=: use perform_job for one job"
            )
        made = [one if isinstance(one, Job) else job_of(worker, one, options) for one in jobs]
        for job in made:
            if job.worker not in definition.names:
                raise ConfigError(f"{job!r:.200} is no job of {definition.name}")
            check_whole_number("attempt", attempt, 1, job.max_attempts)
        return cls(made, attempt, *find_settings(app, oban))

    async def run(self, threads: Threads | None = None) -> list[Performed]:
        """Run them."""
        if not self.jobs:
            return []
        async with InlineRunner(self.config, self.clock, threads) as runner:
            ended = await runner.perform_together(self.jobs, attempt=self.attempt)
            return [Performed.of(*one) for one in ended]


def job_of(worker: Any, args: Any, options: JobOptions) -> Job:
    """Return the job that is meant by a worker and args, or by itself."""
    if isinstance(worker, Job):
        if args is not None or options:
            raise ConfigError("a job is given with args or options: it has its own")
        return worker
    if isinstance(worker, JobFunction):
        new = worker.options(**options).new
        if isinstance(args, Sequence) and not isinstance(args, str | bytes):
            return new(*args)
        if isinstance(args, Mapping) or args is None:
            return new(**(args or {}))
        raise ConfigError(f"args is {args!r:.200}: give the function's arguments by their names")
    new_of_class = getattr(worker, "new", None)
    if getattr(worker, "_definition", None) is None or not callable(new_of_class):
        raise ConfigError(
            f"{worker!r:.200} is no worker: give what @job or @worker decorated, or a job"
        )
    made: Job = new_of_class(args, **options)
    return made


def process_job(job: Job) -> Any:
    """Run a job once, without a database, and return what it returned; what it raised is raised.

    The form that the package `oban` has: on an event loop it is awaited, elsewhere it is not.

    Args:
        job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``.

    Raises:
        Exception: What the job raised, or why it could not run.

    Example:
        ```python
        result = await process_job(send_mail.new("ada@example.com"))
        ```
    """
    rehearsal = Rehearsal.of(job, None, {}, 1, None, None)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        made: Call[Performed] = Call()
        threads = CallersThread(made)
        return _returned(made.run(lambda: rehearsal.run(threads)))
    return _process(rehearsal)


async def _process(rehearsal: Rehearsal) -> Any:
    return _returned(await rehearsal.run())


def _returned(performed: Performed) -> Any:
    if performed.error is not None:
        raise performed.error
    return performed.result
