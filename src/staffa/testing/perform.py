"""Runs a single job without a database, with all that production does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from staffa._internal.calls import Call
from staffa._internal.clock import Clock
from staffa.client.inline import CallersThread
from staffa.config import Config
from staffa.errors import ConfigError
from staffa.jobs import Job
from staffa.options import JobOptions, check_whole_number
from staffa.queues.inline import InlineRunner
from staffa.queues.outcomes import Outcome
from staffa.queues.pools.thread import Threads
from staffa.queues.recording import Recording
from staffa.signals import given_signals
from staffa.testing.targets import App, find_settings
from staffa.types import EndReason, State
from staffa.workers import JobFunction


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
            job = job.noted(given_signals(signals, clock.now()))
        return cls(job, attempt, config, clock)

    async def run(self, threads: Threads | None = None) -> Performed:
        """Run it."""
        async with InlineRunner(self.config, self.clock, threads) as runner:
            return Performed.of(*await runner.perform(self.job, attempt=self.attempt))


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
