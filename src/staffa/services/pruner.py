"""Deletes finished jobs when they are old, or more than are wanted; the leader alone does so.

For each state it walks along the index of finished jobs, a page at a time: from the oldest end as
far as the shortest age of any rule, and, where a rule keeps a number of jobs, from the newest end
as well. Each job is judged by its own rule, and what is to go is deleted page by page. No statement
reads or deletes more than a page, nothing is locked while a hook runs, and a job that has changed
since it was read is left alone. A round ends when `limit` jobs were read; the next one goes on
where it stopped.

A walk also steps over jobs that their rules keep: those of a queue that is kept for a year lie
before all others. A walk that stepped over many is repeated less often, so that on average no more
than `_KEPT_A_ROUND` are read in vain in each interval. Without rules none are.

Options: `staffa.upkeep.Pruner`.
Events: `staffa.pruner.pruned`.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from staffa._internal.clock import Clock
from staffa.engine import Engine
from staffa.jobs import Job
from staffa.maintenance import Finished
from staffa.service import Loop
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import JobsPruned
from staffa.types import State, to_seconds
from staffa.upkeep import FINISHED, BeforeDelete, Keep, Pruner

_KEPT_A_ROUND = 10_000


@dataclass(slots=True)
class Walk:
    """A walk along the finished jobs of a state, and what it has met so far.

    Args:
        state: Of which jobs.
        newest_first: Whether it counts what rules keep by number, from the newest end.
        due_at: When it is to be done next, on the monotonic clock.
        last: Where the last page ended; None at the beginning.
        kept: How many jobs it has stepped over.
        counted: How many jobs of each rule it has met.
    """

    state: State
    newest_first: bool
    due_at: float = 0.0
    last: Finished | None = None
    kept: int = 0
    counted: Counter[Keep] = field(default_factory=Counter)

    def begin_anew(self, due_at: float) -> None:
        """Be back at the beginning."""
        self.due_at, self.last, self.kept = due_at, None, 0
        self.counted.clear()

    def judge(self, job: Finished, rule: Keep) -> bool:
        """Note a job, and tell whether it is to be deleted."""
        if not self.newest_first:
            gone = job.age >= rule.seconds
        elif rule.max_len is None:
            gone = False
        else:
            self.counted[rule] += 1
            gone = self.counted[rule] > rule.max_len
        self.kept += not gone
        return gone


class PrunerLoop(Loop):
    """Prunes.

    Args:
        engine: Where.
        options: What is kept.
        leading: Tells whether this node leads.
        clock: Measures.
    """

    def __init__(
        self, engine: Engine, options: Pruner, *, leading: Callable[[], bool], clock: Clock
    ) -> None:
        super().__init__(to_seconds(options.interval, "interval"))
        self._span = "staffa.service.pruner"
        self._engine = engine
        self._options = options
        self._leading = leading
        self._clock = clock
        self._ages = {state: _shortest_age(options, state) for state in FINISHED}
        self._walks = _walks(options)

    async def tick(self) -> None:
        """Walk until everything is done, or the limit reached."""
        if not self._leading():
            for walk in self._walks:
                walk.begin_anew(walk.due_at)  # what it has counted may be long past when we lead
            return
        left = self._options.limit
        now = self._clock.monotonic()
        due = [walk for walk in self._walks if walk.due_at <= now]
        try:
            for walk in due:
                left -= await self._go(walk, left)
                if left <= 0:  # the others come first next time
                    self._walks.sort(key=lambda one: one is walk)
                    break
        except _HookFailedError as failed:
            report("before_delete failed: nothing of its list is deleted", failed.reason)

    async def _go(self, walk: Walk, limit: int) -> int:
        """Go on with a walk, page by page; return how many jobs were read."""
        read = 0
        while read < limit and self._leading():
            page = await self._read_page(walk)
            read += len(page)
            try:
                gone = [job for job in page if walk.judge(job, self._rule_for(job))]
                await self._delete(walk.state, gone)
            except BaseException:
                walk.begin_anew(walk.due_at)
                raise
            if len(page) < self._options.batch:
                rest = self.interval * (walk.kept // _KEPT_A_ROUND)
                walk.begin_anew(self._clock.monotonic() + rest)
                break
            walk.last = page[-1]
        return read

    async def _read_page(self, walk: Walk) -> list[Finished]:
        batch = self._options.batch
        if walk.newest_first:
            return await self._engine.find_newest_finished(
                walk.state, age=0.0, before=walk.last, limit=batch
            )
        return await self._engine.find_oldest_finished(
            walk.state, age=self._ages[walk.state], after=walk.last, limit=batch
        )

    def _rule_for(self, job: Finished) -> Keep:
        return self._options.rule_for(job.state, job.queue, job.worker)

    async def _delete(self, state: State, gone: list[Finished]) -> None:
        if gone and self._options.before_delete is not None:
            gone = await self._hand_over(gone, self._options.before_delete)
        if not gone:
            return
        deleted = await self._engine.prune_jobs(gone)
        if deleted:
            emit(JobsPruned, state=state, count=len(deleted))

    async def _hand_over(self, gone: list[Finished], hook: BeforeDelete) -> list[Finished]:
        """Call the hook with what is to be deleted, and return what it has taken."""
        states = {job.id: job.state for job in gone}
        found = await self._engine.get_jobs(list(states))
        linked = [job.id for job in found if job.linked and job.id is not None]
        kept = await self._engine.find_kept_jobs(linked) if linked else frozenset()
        jobs = [
            job
            for job in found
            if job.id is not None and job.state is states[job.id] and job.id not in kept
        ]
        if jobs:
            await _call(hook, jobs)
        taken = {job.id for job in jobs}
        return [job for job in gone if job.id in taken]


class _HookFailedError(Exception):
    """The user's hook has raised."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(str(reason))
        self.reason = reason


async def _call(hook: BeforeDelete, jobs: list[Job]) -> None:
    """Call a hook, on a thread if it is not async.

    Raises:
        _HookFailedError: Whatever it raises, a cancellation of its own making included.
    """
    try:
        if inspect.iscoroutinefunction(hook):
            await hook(jobs)
        else:
            result = await _run_on_thread(hook, jobs)
            if inspect.isawaitable(result):
                await result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():  # it is we who are to stop
            raise
        raise _HookFailedError(error) from error
    except (Exception, SystemExit) as error:
        raise _HookFailedError(error) from error


async def _run_on_thread(hook: BeforeDelete, jobs: list[Job]) -> Awaitable[None] | None:
    """Run a sync hook on a thread of its own, which may be left behind: the process can end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Awaitable[None] | None] = loop.create_future()

    def work() -> None:
        try:
            result = hook(jobs)
        except BaseException as error:  # noqa: BLE001  # the caller judges it
            _tell(loop, done, done.set_exception, _HookFailedError(error))
        else:
            _tell(loop, done, done.set_result, result)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="staffa-prune", daemon=True).start()
    return await done


def _tell(
    loop: asyncio.AbstractEventLoop,
    done: asyncio.Future[Any],
    how: Callable[[Any], None],
    what: object,
) -> None:
    def tell() -> None:
        if not done.done():
            how(what)

    with suppress(RuntimeError):  # the loop was closed without waiting for us
        loop.call_soon_threadsafe(tell)


def _shortest_age(options: Pruner, state: State) -> float:
    return min(rule.seconds for rule in options.rules_of(state))


def _walks(options: Pruner) -> list[Walk]:
    """Return the walks that rules ask for."""
    found = []
    for state in FINISHED:
        if math.isfinite(_shortest_age(options, state)):
            found.append(Walk(state, newest_first=False))
        if any(rule.max_len is not None for rule in options.rules_of(state)):
            found.append(Walk(state, newest_first=True))
    return found
