"""Runs the jobs of a chunk together: one call, and an outcome for each job.

Invariants: a job of a chunk has a lease and a run of its own, so each can note something, be
cancelled, completed or rescued as if it ran alone; the task is cancelled only when no job of it is
to go on; one that can't be decoded, or that a hook ends, leaves the chunk before the call; whatever
the call raises, the jobs that were in it fail, each by its own attempts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from staffa import hooks
from staffa.chunks import share_result
from staffa.errors import InvalidJob, UnknownKey, UnknownWorker
from staffa.jobs import Job, set_current_job
from staffa.queues import outcomes
from staffa.queues.aftermath import call_hook
from staffa.queues.checkpoints import Notes
from staffa.queues.outcomes import Ended, Outcome
from staffa.queues.pools.thread import Threads
from staffa.queues.run import Run
from staffa.queues.timing import seconds_left, within
from staffa.registry import WorkerDefinition
from staffa.types import SignalWanted


class MemberRun(Run):
    """A job of a chunk while it runs.

    Args:
        job: As it was claimed.
        checkpoints: Takes what the job notes.
        loop: Where the executor runs.
        members: All runs of the chunk.
    """

    __slots__ = ("_members",)

    def __init__(
        self,
        job: Job,
        checkpoints: Notes,
        loop: asyncio.AbstractEventLoop,
        members: Sequence[MemberRun],
    ) -> None:
        super().__init__(job, checkpoints, loop)
        self._members = members

    @property
    def ends_task(self) -> bool:
        """Whether all jobs of the chunk have been asked to stop."""
        return all(member.why is not None for member in self._members)

    async def _receive(self, wanted: SignalWanted) -> Any:
        """Refuse: to park one job would end the call for all.

        Raises:
            InvalidJob: Always.
        """
        raise InvalidJob(
            f"signal {wanted.name!r} is awaited in a chunk, whose jobs can't be parked: await it "
            "in a job without chunk, before or behind it"
        )

    def end(self) -> None:
        """Let go of the job and of the others."""
        self._members = ()
        super().end()


class Performs(Protocol):
    """What the executor does for a chunk."""

    threads: Threads

    def read(self, run: Run) -> WorkerDefinition:
        """Return the worker of a job, whose row is decoded."""

    def refuse(self, run: Run, error: Exception) -> Outcome:
        """Return the outcome of a job that could not be prepared."""

    def judge(self, definition: WorkerDefinition, run: Run, result: object) -> Ended | None:
        """Return the outcome of a function that returned."""

    def fail(self, definition: WorkerDefinition, run: Run, error: BaseException) -> Outcome | None:
        """Return the outcome of a function that raised."""

    async def run_in_thread(
        self, call: Callable[[], Any], job: Job, ask_to_stop: Callable[[], None]
    ) -> Any:
        """Call a plain function in a thread."""


def broken_off(run: Run) -> Outcome | None:
    """Return the outcome of a run that was asked to stop and did."""
    if run.lease_ended:
        return None
    return Outcome(run.job, outcomes.of_interruption(run.job))


async def perform_chunk(runs: Sequence[Run], executor: Performs) -> Mapping[Run, Ended | None]:
    """Run jobs of one worker together; return the outcomes, None where a row is not ours any more.

    Args:
        runs: Their runs.
        executor: Prepares and judges them.
    """
    chunk = _Chunk(executor)
    for run in runs:
        chunk.add(run)
    if chunk.ready:
        await chunk.perform()
    return chunk.ended


class _Chunk:
    """Jobs that run together, and what became of those that have ended.

    Args:
        executor: Prepares and judges them.
    """

    def __init__(self, executor: Performs) -> None:
        self._executor = executor
        self._definition: WorkerDefinition | None = None
        self.ready: list[Run] = []
        self.ended: dict[Run, Ended | None] = {}

    @property
    def definition(self) -> WorkerDefinition:
        """The worker; there is one once a job is ready."""
        assert self._definition is not None  # noqa: S101
        return self._definition

    def add(self, run: Run) -> None:
        """Prepare a job; what can't run ends here."""
        if run.why is not None:
            self.ended[run] = broken_off(run)
            return
        try:
            definition = self._executor.read(run)
            definition.prepare(run.job)
        except (UnknownWorker, UnknownKey, ValueError) as error:
            self.ended[run] = self._executor.refuse(run, error)
            return
        try:
            seconds_left(run.job)
        except Exception as error:  # noqa: BLE001  # its deadline has passed
            self.ended[run] = self._executor.fail(definition, run, error)
            return
        self._definition = definition
        self.ready.append(run)

    async def perform(self) -> None:
        """Call the function, and judge what it says of each job."""
        definition = self.definition
        shared: Mapping[Job, Any]
        try:
            timeouts = [definition.timeout(run.job) for run in self.ready]
            allowed = min((seconds for seconds in timeouts if seconds is not None), default=None)
            called = self._call()
            if allowed is None:
                shared = await called
            else:
                shared = await within(called, self.ready[0].job, left=None, allowed=allowed)
        except BaseException as error:  # noqa: BLE001  # a job may raise anything
            shared = {run.job: error for run in self.ready}
        for run in self.ready:
            if run in self.ended:
                continue
            result = shared.get(run.job)
            if isinstance(result, BaseException):
                self.ended[run] = self._executor.fail(definition, run, result)
            else:
                self.ended[run] = self._executor.judge(definition, run, result)

    async def _call(self) -> Mapping[Job, Any]:
        definition = self.definition
        assert definition.together is not None  # noqa: S101  # as it has `chunk`
        process, own = definition.together()
        before = hooks.find("before_process", definition.hooks)
        for hook in before if own is None else (*before, own):
            for run in self.ready:
                if run not in self.ended:
                    await self._call_before(hook, run)
        going = [run for run in self.ready if run not in self.ended]
        for run in going:
            if run.why is not None:
                self.ended[run] = broken_off(run)
        jobs = [run.job for run in going if run not in self.ended]
        if not jobs:
            return {}
        set_current_job(jobs[0])
        if definition.executor == "async":
            return share_result(await process(list(jobs)), jobs)
        call = partial(process, list(jobs))
        result = await self._executor.run_in_thread(call, jobs[0], self._ask_to_stop)
        return share_result(result, jobs)

    async def _call_before(self, hook: Callable[[Job], Any], run: Run) -> None:
        """Call a hook that goes before; it may end that job alone."""
        definition = self.definition
        set_current_job(run.job)
        threads = None if definition.executor == "async" else self._executor.threads
        try:
            found = await call_hook(hook, run.job, threads=threads, ask_to_stop=run.ask_to_stop)
            found = hooks.check_ending(hook, found)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  # it fails that job alone
            self.ended[run] = self._executor.fail(definition, run, error)
            return
        if found is not None:
            self.ended[run] = self._executor.judge(definition, run, found)

    def _ask_to_stop(self) -> None:
        for run in self.ready:
            run.ask_to_stop()
