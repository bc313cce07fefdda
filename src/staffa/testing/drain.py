"""Runs what is enqueued, here and now, as workers would."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from staffa._internal.clock import Clock
from staffa.client import Staffa
from staffa.engine import Engine
from staffa.errors import ConfigError
from staffa.flows.composer import Composer
from staffa.jobs import Job
from staffa.options import check_queue, check_time, check_whole_number
from staffa.queues.inline import InlineRunner, raise_failure, write_outcome
from staffa.queues.pools.thread import Threads
from staffa.rehearsal import Execute
from staffa.testing.targets import App, clock_of, executing_on, find_app, open_engine

Scheduled = bool | datetime | timedelta
"""Which jobs for later are run: all, only those that are due, those due until a time."""

_COUNTED = ("cancelled", "completed", "discarded", "retryable", "scheduled")
_AT_ONCE = 10_000
_MOST = 1_000_000_000


async def drain_queue(
    queue: str = "default",
    *,
    with_scheduled: Scheduled = True,
    with_recursion: bool = True,
    with_safety: bool = False,
    limit: int | None = None,
    app: App = None,
    oban: App = None,
    conn: Any = None,
) -> dict[str, int]:
    """Run the jobs of a queue in this process, one after the other, and count what became of them.

    Everything is as in a worker process: args are decoded from the rows, hooks are called,
    time-outs and policies hold, outcomes are stored.

    Args:
        queue: Its name.
        with_scheduled: Whether jobs for later are run at once, retries and snoozes among them; or
            until when they are due, as a time or a timedelta from now. With False only those that
            are due by the database's clock.
        with_recursion: Whether jobs are run that come while it works, too; else only those that are
            there at the beginning.
        with_safety: Whether it goes on when an attempt fails; else its error is raised, after the
            outcome was stored.
        limit: How many runs at most: a job that snoozes for ever would never end.
        app: The client or its name; the only one of this process if not given.
        oban: The same, under the name that the package `oban` has for it.
        conn: Your own connection: jobs of its transaction are run, and outcomes written there.

    Returns:
        How many runs ended as "completed", "cancelled", "discarded", "retryable", "scheduled"; the
        last are those that were snoozed.

    Raises:
        Exception: Without safety, what made an attempt fail.
        DatabaseError: If the database refuses or can't be reached.

    Example:
        ```python
        assert (await drain_queue("mail"))["completed"] == 2
        ```
    """
    found = find_app(app, oban)
    plan = Plan.of(queue, with_scheduled, with_recursion, with_safety, limit, now=clock_of(found))
    return await drain_app(found, plan, executing_on(conn))


async def drain_app(
    app: Staffa, plan: Plan, execute: Execute | None, threads: Threads | None = None
) -> dict[str, int]:
    """Run jobs of a client by a plan, in the user's transaction if there is one."""
    engine = await open_engine(app, execute)
    async with runner_of(app, engine, threads) as runner:
        return await drain(plan, engine, runner)


def runner_of(app: Staffa, engine: Engine, threads: Threads | None) -> InlineRunner:
    """Return what runs the jobs of a client whose rows an engine has."""
    composer = Composer(engine, app.config.encryption_keys, lambda queues: None)
    return InlineRunner(app.config, clock_of(app), threads, engine, composer)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drained, and how.

    Args:
        queue: The queue.
        ahead: Whether jobs are run before they are due.
        until: Until when they are due, where that is bounded.
        recursive: Whether jobs are run that come meanwhile.
        safe: Whether it goes on when an attempt fails.
        limit: How many runs at most.
    """

    queue: str
    ahead: bool
    until: datetime | None
    recursive: bool
    safe: bool
    limit: int

    @classmethod
    def of(
        cls,
        queue: str,
        scheduled: Scheduled,
        recursive: bool,
        safe: bool,
        limit: int | None,
        *,
        now: Clock,
    ) -> Plan:
        """Return a plan, its values checked.

        Raises:
            InvalidJob: If a value can't be used.
            ConfigError: If `with_scheduled` can't.
        """
        match scheduled:
            case bool():
                until = None
            case timedelta():
                until = now.now() + scheduled
            case datetime():
                until = check_time(scheduled, "with_scheduled")
            case _:
                raise ConfigError(
                    f"with_scheduled is {scheduled!r:.100}: give True, False, a time or a timedelta"
                )
        most = _MOST if limit is None else check_whole_number("limit", limit, 0, _MOST)
        ahead = scheduled is not False
        return cls(check_queue(queue), ahead, until, bool(recursive), bool(safe), most)


async def drain(plan: Plan, engine: Engine, runner: InlineRunner) -> dict[str, int]:
    """Run jobs by a plan; see `drain_queue`."""
    work = _Work(plan, engine, runner)
    try:
        while claimed := await work.claim():
            for job in claimed:
                await work.run(job)
            if not plan.recursive:
                break
    finally:
        if work.held:
            await engine.release_jobs(runner.producer)
    return work.counts


@dataclass(slots=True)
class _Work:
    plan: Plan
    engine: Engine
    runner: InlineRunner
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    runs: int = 0
    held: set[int] = field(default_factory=set)

    async def claim(self) -> list[Job]:
        """Return the next job, or all that are there where none is to come after them."""
        left = self.plan.limit - self.runs
        if left <= 0:
            return []
        if self.plan.ahead:
            await self.engine.stage_queue(self.plan.queue, self.plan.until)
        else:
            await self.engine.stage_jobs(_AT_ONCE, [])
        number = 1 if self.plan.recursive else min(left, _AT_ONCE)
        jobs = await self.engine.claim_jobs(self.plan.queue, number, self.runner.producer)
        self.held.update(job.id for job in jobs if job.id is not None)
        return jobs

    async def run(self, job: Job) -> None:
        """Run a job, and raise what it raised unless that is to be survived."""
        ran = await self.runner.run(job)
        outcome, state, ours = await write_outcome(ran, self.engine, self.runner.producer)
        self.held.discard(outcome.ack.lease.id)
        self.runs += 1
        self.counts[state] = self.counts.get(state, 0) + 1
        if ours:
            await self.runner.follow(outcome, state)
        if not self.plan.safe:
            raise_failure(outcome)
