"""The runs of a process: which there are, and how they are stopped."""

from __future__ import annotations

import asyncio
from typing import Any

from staffa._internal.kill_points import boundary
from staffa.engine import Lease
from staffa.jobs import Job, find_job_in
from staffa.queues.run import Run, Stop


class Runs:
    """What runs now; the base of what starts it."""

    def __init__(self) -> None:
        self._runs: set[Run] = set()

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
        if run.task is not None and run.begun and run.ends_task:  # else it sees `why` later
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
