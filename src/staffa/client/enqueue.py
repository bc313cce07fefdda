"""Enqueueing jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from staffa.client.lifecycle import Lifecycle
from staffa.errors import InvalidJob
from staffa.jobs import Job, find_current_job
from staffa.types import State


class Enqueueing(Lifecycle):
    """Writing jobs."""

    async def enqueue(self, job: Job, *, conn: Any = None) -> Job:
        """Write a job, and return it with its id.

        Args:
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``.
            conn: Your own asyncpg connection: the job is written in its transaction, and exists if
                that commits. Workers then find it when they look for jobs next, within seconds.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
            SchemaMissing: If the tables are not there.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            job = await app.enqueue(send_mail.new("a@example.com"))
            ```
        """
        (stored,) = await self._insert([job], conn)
        return stored

    async def enqueue_many(self, *jobs: Job | Iterable[Job], conn: Any = None) -> list[Job]:
        """Write jobs in one statement, all or none, and return them in the order given.

        Args:
            *jobs: Jobs, or iterables of jobs.
            conn: As for `enqueue`.

        Raises:
            InvalidJob: If one of them is no job, or was enqueued before.
            SchemaMissing: If the tables are not there.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            await app.enqueue_many(send_mail.new(to) for to in recipients)
            ```
        """
        flat: list[Job] = []
        for entry in jobs:
            if isinstance(entry, Iterable):
                flat.extend(entry)
            else:
                flat.append(entry)
        return await self._insert(flat, conn)

    async def _insert(self, jobs: Sequence[Job], conn: Any) -> list[Job]:
        for job in jobs:
            _check_new(job)
        if not jobs:
            return []
        backend = await self._open()
        jobs = [job.sealed(self.config.encryption_keys) for job in jobs]
        stored = await backend.engine.enqueue_jobs(jobs, conn=conn)
        queues = {job.queue for job in stored if job.state is State.AVAILABLE}
        if conn is None:
            await self._wake(queues)
        elif (running := find_current_job()) is not None:
            running.note_enqueued(queues)
        return stored

    async def _wake(self, queues: Iterable[str]) -> None:
        """Tell this process and all others that queues have jobs."""
        if self._node is not None:
            self._node.supervisor.wake(queues)
        if self._wakeups is not None:
            await self._wakeups.send(queues)


def _check_new(job: object) -> None:
    if not isinstance(job, Job):
        raise InvalidJob(
            f"{job!r:.200} is no job: make one with f.new(...), Worker.new(...) or Job(worker=...)"
        )
    if job.id is not None:
        raise InvalidJob(
            f"job {job.id} was enqueued before: retry_job runs it again, a new Job makes "
            "another one"
        )
