"""What follows the end of a run: hooks, and the look at rows that others have ended.

Invariants: an outcome is stored before its hooks are called; hooks hold up neither jobs nor each
other, and one that raises is reported and changes nothing; a process that dies in between does not
call them again.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

from staffa import hooks, registry
from staffa.engine import Engine, Rescued
from staffa.errors import JobCancelled
from staffa.jobs import Job
from staffa.queues.outcomes import Outcome
from staffa.queues.pools.thread import ThreadPool
from staffa.queues.recording import Recording
from staffa.service import Service
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import JobEnded
from staffa.types import EndReason, State

_AT_ONCE = 100
_AFTER_A_RUN = frozenset(
    {State.COMPLETED, State.CANCELLED, State.DISCARDED, State.RETRYABLE, State.SCHEDULED}
)
_ENDS = {State.CANCELLED: "on_cancelled", State.DISCARDED: "on_discarded"}

_Step = Callable[[], Any]


class Aftermath(Service):
    """Calls hooks after the outcomes are stored.

    Args:
        engine: Where rows are read.
        threads: Where hooks run that are plain functions.
    """

    def __init__(self, engine: Engine, threads: ThreadPool) -> None:
        super().__init__()
        self._engine = engine
        self._threads = threads
        self._steps: asyncio.Queue[_Step] = asyncio.Queue()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def settled(self, outcome: Outcome, state: State) -> None:
        """Call the hooks of a run whose outcome is stored."""
        job = outcome.job
        if state not in _AFTER_A_RUN or outcome.unknown_worker:
            return
        reason = outcome.reason
        if state is State.DISCARDED and reason is None:
            reason = EndReason.EXHAUSTED
        own = _own_hooks(job.worker)
        found = hooks.find("after_process", own)
        result = outcome.result
        if found and isinstance(result, Recording):  # as it came from another process
            result = result.value
        for hook in found:
            self._add(functools.partial(self._call, hook, state, job, result))
        if state in _ENDS:
            for hook in hooks.find(_ENDS[state], own):
                self._add(functools.partial(self._call, hook, reason, job))

    def lost(self, job: Job, seconds: float) -> None:
        """Look what became of a job whose lease ended while it ran here."""
        self._add(functools.partial(self._look, job, seconds))

    def rescued(self, job: Rescued, reason: EndReason) -> None:
        """Call the hooks of a job that was discarded without a run."""
        if hooks.find("on_discarded", _own_hooks(job.worker)):
            self._add(functools.partial(self._read_and_call, job, reason))

    async def flush(self, seconds: float) -> None:
        """Wait until all hooks have been called, at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError as error:
            report(f"{self._busy} hooks had not ended when the process stopped", error)

    async def run(self) -> None:
        """Take one step after the other, many at once."""
        async with asyncio.TaskGroup() as group:
            while True:
                step = await self._steps.get()
                await self._places.acquire()
                group.create_task(self._take(step))

    def _add(self, step: _Step) -> None:
        self._busy += 1
        self._idle.clear()
        self._steps.put_nowait(step)

    async def _take(self, step: _Step) -> None:
        try:
            await step()
        except Exception as error:  # noqa: BLE001  # users' code, or an outage: jobs go on
            report("what follows a run failed", error)
        finally:
            self._places.release()
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def _call(self, hook: Callable[..., Any], *args: Any) -> None:
        try:
            await call_hook(hook, *args, threads=self._threads)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            report(f"hook {getattr(hook, '__qualname__', hook)!s:.200} raised", error)

    async def _look(self, job: Job, seconds: float) -> None:
        assert job.id is not None  # noqa: S101  # it was claimed
        found = await self._engine.get_jobs([job.id])
        if not found or found[0].state is not State.CANCELLED:
            return
        row = found[0]
        if row.attempted_at != job.attempted_at:
            return
        emit(JobEnded, job=job, state=row.state, seconds=seconds)
        own, cause = _own_hooks(job.worker), JobCancelled(f"job {job.id} was cancelled")
        for hook in hooks.find("after_process", own):
            await self._call(hook, row.state, job, cause)
        for hook in hooks.find("on_cancelled", own):
            await self._call(hook, EndReason.MANUAL, job)

    async def _read_and_call(self, rescued: Rescued, reason: EndReason) -> None:
        for job in await self._engine.get_jobs([rescued.id]):
            for hook in hooks.find("on_discarded", _own_hooks(job.worker)):
                await self._call(hook, reason, job)


async def call_hook(hook: Callable[..., Any], *args: Any, threads: ThreadPool | None) -> Any:
    """Call a hook: on the loop if it waits, else in a thread, or here without one."""
    if threads is not None and not inspect.iscoroutinefunction(inspect.unwrap(hook)):
        result = await threads.run(functools.partial(hook, *args), ask_to_stop=_nothing)
    else:
        result = hook(*args)
    return await result if inspect.isawaitable(result) else result


def _nothing() -> None:
    """A hook can't be asked to stop."""


def _own_hooks(worker: str) -> tuple[object, ...]:
    definition = registry.find(worker)
    return () if definition is None else definition.hooks
