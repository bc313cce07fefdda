"""Reading jobs that were written before."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from staffa._internal.shown import shown
from staffa.client.changes import check_id, check_ids
from staffa.client.enqueue import Enqueueing
from staffa.errors import ConfigError, ResultUnavailable
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.recorded import recorded_result
from staffa.types import State

_PAGE = 100


class Jobs(Enqueueing):
    """Reading jobs."""

    async def get_job(self, job: int | Job) -> Job | None:
        """Return a job as it is now, or None if there is none.

        Args:
            job: Its id, or the job.
        """
        backend = await self._open()
        found = await backend.engine.get_jobs(check_ids([job]))
        return found[0] if found else None

    async def fetch_result(self, job: int | Job) -> Any:
        """Return what a completed job recorded: plain data, not the model of an annotation.

        Args:
            job: Its id, or the job.

        Raises:
            ResultUnavailable: If there is no such job, it has not completed, does not record its
                result, or had to drop it; the message says which.

        Example:
            ```python
            total = await app.fetch_result(job)
            ```
        """
        found = await self.get_job(job)
        if found is None:
            raise ResultUnavailable(f"there is no job {check_id(job)}: it may have been deleted")
        return recorded_result(found)

    async def list_jobs(self, wanted: JobFilter | None = None) -> list[Job]:
        """Return jobs, the newest first.

        Args:
            wanted: Which ones; the newest hundred if not given. The next page is the same filter
                with ``before_id`` set to the id of the last job.

        Raises:
            DatabaseError: If the database can't be reached.

        Example:
            ```python
            failed = await app.list_jobs(JobFilter(states=["discarded"], queues=["mail"], limit=20))
            ```
        """
        wanted = _check_filter(wanted)
        backend = await self._open()
        return await backend.engine.list_jobs(wanted)

    async def stream_jobs(self, wanted: JobFilter | None = None) -> AsyncGenerator[Job, None]:
        """Yield all jobs of a filter, the newest first, holding one page at a time in memory.

        Args:
            wanted: Which ones; all if not given. Jobs that are written meanwhile are not among
                them.

        Raises:
            DatabaseError: If the database can't be reached.

        Example:
            ```python
            async for job in app.stream_jobs(JobFilter(states=["discarded"])):
                print(job.id, job.errors[-1]["error"])
            ```
        """
        wanted = _check_filter(wanted)
        left = wanted.limit
        while left != 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = await self.list_jobs(replace(wanted, limit=size))
            for job in page:
                yield job
            if len(page) < size:
                return
            wanted = replace(wanted, before_id=page[-1].id)
            left = None if left is None else left - size

    async def count_jobs(self, wanted: JobFilter | None = None) -> dict[tuple[str, State], int]:
        """Return how many jobs each queue has in each state.

        Args:
            wanted: Which jobs to count; all if not given. Its limit is of no matter.

        Example:
            ```python
            waiting = await app.count_jobs(JobFilter(states=["available", "scheduled"]))
            ```
        """
        wanted = _check_filter(wanted)
        backend = await self._open()
        return await backend.engine.count_jobs(wanted)


def _check_filter(wanted: JobFilter | None) -> JobFilter:
    if wanted is None:
        return JobFilter()
    if not isinstance(wanted, JobFilter):
        raise ConfigError(f"{shown(wanted)} is no filter: give a JobFilter(...)")
    return wanted
