"""Operations on jobs that were written before: one, or many in one statement."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict, Unpack

from staffa.client.enqueue import Enqueueing
from staffa.engine import JobFilter
from staffa.errors import DatabaseError, InvalidJob, UnknownOption
from staffa.jobs import Job
from staffa.options import check_time
from staffa.telemetry import report
from staffa.types import State

_LARGEST_ID = 2**63 - 1


class JobChanges(TypedDict, total=False):
    """The columns of a job that can be changed."""

    queue: str
    worker: str
    args: dict[str, Any]
    meta: dict[str, Any]
    tags: Iterable[str]
    priority: int
    max_attempts: int
    scheduled_at: datetime


_CHANGES = frozenset(JobChanges.__annotations__)


class Jobs(Enqueueing):
    """Reading and changing jobs."""

    async def get_job(self, job: int | Job) -> Job | None:
        """Return a job as it is now, or None if there is none.

        Args:
            job: Its id, or the job.
        """
        backend = await self._open()
        found = await backend.engine.get_jobs(_ids([job]))
        return found[0] if found else None

    async def list_jobs(self, wanted: JobFilter | None = None) -> list[Job]:
        """Return jobs, the newest first.

        Args:
            wanted: Which ones; the newest hundred if not given.
        """
        backend = await self._open()
        return await backend.engine.list_jobs(wanted or JobFilter())

    async def count_jobs(self) -> dict[tuple[str, State], int]:
        """Return how many jobs each queue has in each state."""
        backend = await self._open()
        return await backend.engine.count_jobs()

    async def cancel_job(self, job: int | Job) -> bool:
        """Cancel a job that has not ended; one that runs is stopped, whatever node it is on.

        Args:
            job: Its id, or the job.

        Returns:
            Whether it was cancelled.
        """
        return bool(await self.cancel_many_jobs([job]))

    async def cancel_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]:
        """Cancel jobs that have not ended, and return the ids of those that were cancelled."""
        backend = await self._open()
        changed = await backend.engine.cancel_jobs(_ids(jobs))
        running = [job.id for job in changed if job.previous_state is State.EXECUTING]
        if running:
            if self._node is not None:
                self._node.supervisor.check_leases()
            try:
                await backend.notifier.notify(
                    [("signal", {"action": "pkill", "job_id": number}) for number in running]
                )
            except DatabaseError as error:
                report("a cancel was not notified; heartbeats tell", error, level=logging.INFO)
        return [job.id for job in changed]

    async def retry_job(self, job: int | Job) -> bool:
        """Make a job available at once, with room for one more attempt.

        Args:
            job: Its id, or the job. One that is available, running or suspended is left alone.

        Returns:
            Whether it will run.
        """
        return bool(await self.retry_many_jobs([job]))

    async def retry_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]:
        """Make jobs available at once, and return the ids of those that will run."""
        backend = await self._open()
        changed = await backend.engine.retry_jobs(_ids(jobs))
        await self._wake({job.queue for job in changed})
        return [job.id for job in changed]

    async def delete_job(self, job: int | Job) -> bool:
        """Delete a job that is not running.

        Args:
            job: Its id, or the job.

        Returns:
            Whether it was deleted.
        """
        return bool(await self.delete_many_jobs([job]))

    async def delete_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]:
        """Delete jobs that are not running, and return their ids."""
        backend = await self._open()
        changed = await backend.engine.delete_jobs(_ids(jobs))
        return [job.id for job in changed]

    async def update_job(self, job: int | Job, **changes: Unpack[JobChanges]) -> Job | None:
        """Change columns of a job, and return it; None if there is none.

        Args:
            job: Its id, or the job.
            **changes: See `JobChanges`; a new `scheduled_at` schedules a job that does not run.

        Raises:
            InvalidJob: If a value can't be stored.
            UnknownOption: For a column that can't be changed.
        """
        updated = await self.update_many_jobs([job], **changes)
        return updated[0] if updated else None

    async def update_many_jobs(
        self, jobs: Iterable[int | Job], **changes: Unpack[JobChanges]
    ) -> list[Job]:
        """Change columns of jobs, and return the jobs."""
        for key in changes:
            if key not in _CHANGES:
                raise UnknownOption("column to change", key, _CHANGES)
        backend = await self._open()
        updated = await backend.engine.update_jobs(_ids(jobs), _checked(changes))
        await self._wake({job.queue for job in updated if job.state is State.AVAILABLE})
        return updated


def _ids(jobs: Iterable[int | Job]) -> list[int]:
    return [_id(job) for job in jobs]


def _id(job: int | Job) -> int:
    number = job.id if isinstance(job, Job) else job
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _LARGEST_ID:
        raise InvalidJob(f"{job!r:.200} has no id: give the id of a job that was enqueued")
    return number


def _checked(changes: JobChanges) -> dict[str, Any]:
    """Return changes as the constructor of a job accepts them, so that both refuse the same."""
    given = {key: value for key, value in changes.items() if key != "scheduled_at"}
    model = Job(**{"worker": "any", **given})  # type: ignore[arg-type]  # Job checks each value
    checked = {key: getattr(model, key) for key in given}
    if "scheduled_at" in changes:
        checked["scheduled_at"] = check_time(changes["scheduled_at"]).isoformat()
    return checked
