"""What follows the end of a run: hooks, and the look at rows that others have ended.

Invariants: an outcome is stored before its hooks are called; the hooks of one job are called one
after the other, in their order; they hold up neither jobs nor the hooks of other jobs; one that
raises is reported and changes nothing, one that takes longer than `LONGEST_SECONDS` is given up. A
process that dies in between does not call them again, and one that stops leaves behind those that
do not end.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from staffa import hooks, registry
from staffa._internal.backoff import Backoff
from staffa.engine import Engine, Rescued
from staffa.errors import DatabaseUnavailable, JobCancelled
from staffa.jobs import Job
from staffa.linking import Followed
from staffa.queues.outcomes import Outcome
from staffa.queues.pools.thread import ThreadPool, Threads
from staffa.queues.recording import Recording
from staffa.service import Service
from staffa.telemetry import emit, report
from staffa.telemetry.catalogue import FlowEnded, JobEnded
from staffa.types import EndReason, State

LONGEST_SECONDS = 60.0
_AT_ONCE = 100
_READ_AT_ONCE = 50
_STOP_SECONDS = 2.0
_AFTER_A_RUN = frozenset(
    {State.COMPLETED, State.CANCELLED, State.DISCARDED, State.RETRYABLE, State.SCHEDULED}
)
_ENDS = {State.CANCELLED: "on_cancelled", State.DISCARDED: "on_discarded"}

_Call = functools.partial[Any]
_Step = Callable[[], Coroutine[Any, Any, None]]


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
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def settled(self, outcome: Outcome, state: State) -> None:
        """Call the hooks of a run whose outcome is stored."""
        calls = calls_after(outcome, state)
        if calls:
            self._add(functools.partial(call_all, calls, self._threads))

    def lost(self, job: Job, seconds: float) -> None:
        """Look what became of a job whose lease ended while it ran here."""
        self._add(functools.partial(self._look, job, seconds))

    def rescued(self, job: Rescued, reason: EndReason) -> None:
        """Call the hooks of a job that was discarded without a run."""
        if has_hook("on_discarded", job.worker):
            self._add(functools.partial(self._read_and_call, [job.id], State.DISCARDED, reason))

    def cancelled(self, numbers: Sequence[int]) -> None:
        """Call the hooks of jobs that were cancelled while they did not run."""
        for start in range(0, len(numbers), _READ_AT_ONCE):
            portion = numbers[start : start + _READ_AT_ONCE]
            self._add(
                functools.partial(self._read_and_call, portion, State.CANCELLED, EndReason.MANUAL)
            )

    def followed(self, followed: Followed) -> None:
        """Tell of flows that have ended, and of jobs that were cancelled for what they need."""
        for flow in followed.ended:
            emit(FlowEnded, flow=flow)
        numbers = followed.cancelled
        for start in range(0, len(numbers), _READ_AT_ONCE):
            self._add(functools.partial(self._tell, numbers[start : start + _READ_AT_ONCE]))

    async def flush(self, seconds: float) -> None:
        """Wait until all hooks have been called, at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError as error:
            report(f"the hooks of {self._busy} jobs had not ended in time", error)

    async def run(self) -> None:
        """Take one step after the other, many at once."""
        while True:
            step = await self._steps.get()
            await self._places.acquire()
            # no TaskGroup: it would wait for ever for a hook that ignores its cancellation
            task = asyncio.get_running_loop().create_task(self._take(step))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def on_stop(self) -> None:
        """Cancel what is under way, and leave behind what does not end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)

    def _add(self, step: _Step) -> None:
        self._busy += 1
        self._idle.clear()
        self._steps.put_nowait(step)

    async def _take(self, step: _Step) -> None:
        try:
            await step()
        except Exception as error:  # noqa: BLE001  # jobs go on
            report("what follows a run failed", error)
        finally:
            self._places.release()
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def _look(self, job: Job, seconds: float) -> None:
        assert job.id is not None  # noqa: S101  # it was claimed
        for row in await self._read([job.id]):
            if row.state is State.CANCELLED and row.attempted_at == job.attempted_at:
                emit(JobEnded, job=job, state=row.state, seconds=seconds)
                cause = JobCancelled(f"job {job.id} was cancelled while it ran")
                calls = _calls(job, row.state, cause, EndReason.MANUAL)
                await call_all(calls, self._threads)

    async def _read_and_call(self, numbers: Sequence[int], state: State, reason: EndReason) -> None:
        for job in await self._read(numbers):
            if job.state is state:  # else somebody has changed it meanwhile
                await call_all(_end_calls(job, state, reason), self._threads)

    async def _tell(self, numbers: Sequence[int]) -> None:
        for job in await self._read(numbers):
            if job.state is State.CANCELLED:  # else somebody has changed it meanwhile
                emit(JobEnded, job=job, state=job.state)
                calls = _end_calls(job, job.state, EndReason.DEPENDENCY)
                await call_all(calls, self._threads)

    async def _read(self, numbers: Sequence[int]) -> list[Job]:
        """Read rows, after an outage if there is one: others tell of it."""
        backoff = Backoff()
        while True:
            try:
                return await self._engine.get_jobs(numbers)
            except DatabaseUnavailable:
                await asyncio.sleep(backoff.next_seconds())


def calls_after(outcome: Outcome, state: State) -> list[_Call]:
    """Return the hooks to call after a run whose outcome is stored."""
    if state not in _AFTER_A_RUN or outcome.unknown_worker:
        return []
    reason = outcome.reason
    if state is State.DISCARDED and reason is None:
        reason = EndReason.EXHAUSTED
    return _calls(outcome.job, state, outcome.result, reason)


async def call_all(calls: Sequence[_Call], threads: Threads) -> None:
    """Call hooks one after the other; one that raises is reported, and changes nothing."""
    for call in calls:
        await _call(call, threads)


async def _call(call: _Call, threads: Threads) -> None:
    limit = asyncio.timeout(LONGEST_SECONDS)
    try:
        async with limit:
            await call_hook(call.func, *call.args, threads=threads)
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            raise
        ended = f"took longer than {LONGEST_SECONDS:g} s" if limit.expired() else "raised"
        report(f"hook {hooks.name_of(call.func)} {ended}", error)


def has_hook(name: str, worker: str) -> bool:
    """Tell whether a hook is there for the jobs of a worker."""
    return bool(hooks.find(name, _own_hooks(worker)))


async def call_hook(
    hook: Callable[..., Any],
    *args: Any,
    threads: Threads | None,
    ask_to_stop: Callable[[], None] | None = None,
) -> Any:
    """Call a hook: on the loop if it waits, else in a thread, or here without one."""
    if threads is not None and not inspect.iscoroutinefunction(inspect.unwrap(hook)):
        call = functools.partial(_call_plainly, hook, *args)
        result = await threads.run(call, ask_to_stop=ask_to_stop or _nothing)
    else:
        result = hook(*args)
    return await result if inspect.isawaitable(result) else result


def _call_plainly(hook: Callable[..., Any], *args: Any) -> Any:
    try:
        return hook(*args)
    except GeneratorExit as error:  # it would end the coroutines that wait for the thread
        raise RuntimeError(f"it raised {error!r}") from error


def _nothing() -> None:
    """Nobody is there to be asked to stop."""


def _calls(job: Job, state: State, result: object, reason: EndReason | None) -> list[_Call]:
    """Return the hooks to call after a run, with what they are told."""
    found = hooks.find("after_process", _own_hooks(job.worker))
    if found and isinstance(result, Recording):  # as it came from another process
        result = result.value
    after = [functools.partial(hook, state, job, result) for hook in found]
    return after + _end_calls(job, state, reason)


def _end_calls(job: Job, state: State, reason: EndReason | None) -> list[_Call]:
    """Return the hooks to call where a job was cancelled or discarded."""
    if state not in _ENDS:
        return []
    found = hooks.find(_ENDS[state], _own_hooks(job.worker))
    return [functools.partial(hook, reason, job) for hook in found]


def _own_hooks(worker: str) -> tuple[object, ...]:
    definition = registry.find(worker)
    return () if definition is None else definition.hooks


def _is_cancelled() -> bool:
    """Tell whether this task is being cancelled, rather than that a hook raised as if it were."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
