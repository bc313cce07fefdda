"""Changing jobs that were written before: one, many, or all of a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Unpack, overload

from staffa.client.changes import (
    UPDATE_SECONDS,
    ChangeJob,
    JobChanges,
    call_with_job,
    check_id,
    check_ids,
    merge_changes,
)
from staffa.client.filtered_changes import Change, FilteredChange, Progress, Then
from staffa.client.jobs import Jobs
from staffa.engine import Changed
from staffa.errors import ConfigError
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.types import State

_ENDED = (State.COMPLETED, State.DISCARDED, State.CANCELLED)
CANCELLABLE = tuple(state for state in State if state not in _ENDED)
RETRYABLE = (State.SCHEDULED, State.RETRYABLE, *_ENDED)
DELETABLE = tuple(state for state in State if state is not State.EXECUTING)
_IDLE_SECONDS = 1.5 * UPDATE_SECONDS  # the server's own guard, should this process stand still


class Operations(Jobs):
    """Changing jobs.

    The methods for many jobs take ids or jobs, which they change in one statement, returning what
    was changed; or a `JobFilter`, whose jobs they change in portions, the oldest first, returning
    how many were changed.
    """

    async def cancel_job(self, job: int | Job) -> bool:
        """Cancel a job that has not ended; one that runs is stopped, whatever node it is on.

        Args:
            job: Its id, or the job.

        Returns:
            Whether it was cancelled.
        """
        return bool(await self.cancel_many_jobs([job]))

    @overload
    async def cancel_many_jobs(
        self, jobs: JobFilter, *, everything: bool = ..., on_progress: Progress | None = ...
    ) -> int: ...
    @overload
    async def cancel_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]: ...
    async def cancel_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
    ) -> list[int] | int:
        """Cancel jobs that have not ended; those that run are stopped.

        Args:
            jobs: Ids, jobs, or a filter.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs were cancelled so far.

        Returns:
            The ids of those that were cancelled; for a filter, how many.

        Raises:
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            await app.cancel_many_jobs(JobFilter(queues=["mail"], args={"campaign": 7}))
            ```
        """
        engine = (await self._open()).engine
        if isinstance(jobs, JobFilter):
            wanted = _checked(jobs, everything).within(CANCELLABLE)
            return await self._run(wanted, engine.cancel_jobs, self._after_cancel, on_progress)
        _refuse_options(everything, on_progress)
        changed: Sequence[Changed] = await engine.cancel_jobs(check_ids(jobs))
        await self._after_cancel(changed)
        return [job.id for job in changed]

    async def retry_job(self, job: int | Job) -> bool:
        """Make a job available at once, with room for one more attempt.

        Args:
            job: Its id, or the job. One that is available, running or suspended is left alone.

        Returns:
            Whether it will run.
        """
        return bool(await self.retry_many_jobs([job]))

    @overload
    async def retry_many_jobs(
        self, jobs: JobFilter, *, everything: bool = ..., on_progress: Progress | None = ...
    ) -> int: ...
    @overload
    async def retry_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]: ...
    async def retry_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
    ) -> list[int] | int:
        """Make jobs available at once, but for those that are available, running or suspended.

        Args:
            jobs: Ids, jobs, or a filter.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs will run so far.

        Returns:
            The ids of those that will run; for a filter, how many.

        Raises:
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            await app.retry_many_jobs(JobFilter(states=["discarded"], workers=["shop.send_mail"]))
            ```
        """
        engine = (await self._open()).engine
        if isinstance(jobs, JobFilter):
            wanted = _checked(jobs, everything).within(RETRYABLE)
            return await self._run(wanted, engine.retry_jobs, self._after_retry, on_progress)
        _refuse_options(everything, on_progress)
        changed = await engine.retry_jobs(check_ids(jobs))
        await self._after_retry(changed)
        return [job.id for job in changed]

    async def delete_job(self, job: int | Job) -> bool:
        """Delete a job that is not running.

        Args:
            job: Its id, or the job.

        Returns:
            Whether it was deleted.
        """
        return bool(await self.delete_many_jobs([job]))

    @overload
    async def delete_many_jobs(
        self, jobs: JobFilter, *, everything: bool = ..., on_progress: Progress | None = ...
    ) -> int: ...
    @overload
    async def delete_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]: ...
    async def delete_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
    ) -> list[int] | int:
        """Delete jobs that are not running.

        Args:
            jobs: Ids, jobs, or a filter.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs were deleted so far.

        Returns:
            The ids of those that were deleted; for a filter, how many.

        Raises:
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            await app.delete_many_jobs(JobFilter(finished_before=datetime.now(UTC) - days))
            ```
        """
        engine = (await self._open()).engine
        if isinstance(jobs, JobFilter):
            wanted = _checked(jobs, everything).within(DELETABLE)
            return await self._run(wanted, engine.delete_jobs, self._follow, on_progress)
        _refuse_options(everything, on_progress)
        changed = await engine.delete_jobs(check_ids(jobs))
        await self._follow(changed)
        return [job.id for job in changed]

    async def update_job(
        self,
        job: int | Job,
        changes: JobChanges | ChangeJob | None = None,
        **columns: Unpack[JobChanges],
    ) -> Job | None:
        """Change columns of a job, and return it; None if there is none.

        Args:
            job: Its id, or the job.
            changes: A mapping of columns, or a function that is called with the job as it is now,
                while its row is locked, and returns such a mapping, or None to leave it alone. It
                may be an async function. What it raises is passed on, and nothing is changed.
                It may take 10 seconds, in which a running job can't store its outcome.
            **columns: The same by keyword; see `JobChanges`. A new `scheduled_at` schedules a job
                that does not run; `scheduled_in` is counted by the database's clock.

        Raises:
            InvalidJob: If a value can't be stored.
            UnknownOption: For a column that can't be changed.
            ConfigError: If changes are given twice, or the function takes too long.

        Example:
            ```python
            await app.update_job(job, priority=1, tags=["urgent"])
            await app.update_job(job, lambda job: {"meta": {**job.meta, "seen": True}})
            ```
        """
        if callable(changes):
            if columns:
                raise ConfigError("a function and columns are given: give one of them")
            updated = await self._update_by(check_id(job), changes)
        else:
            found = await self.update_many_jobs([job], changes, **columns)
            return found[0] if found else None
        if updated is not None and updated.state is State.AVAILABLE:
            await self._wake([updated.queue])
        return updated

    @overload
    async def update_many_jobs(
        self,
        jobs: JobFilter,
        changes: JobChanges | None = ...,
        *,
        everything: bool = ...,
        on_progress: Progress | None = ...,
        **columns: Unpack[JobChanges],
    ) -> int: ...
    @overload
    async def update_many_jobs(
        self,
        jobs: Iterable[int | Job],
        changes: JobChanges | ChangeJob | None = ...,
        **columns: Unpack[JobChanges],
    ) -> list[Job]: ...
    async def update_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        changes: JobChanges | ChangeJob | None = None,
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
        **columns: Unpack[JobChanges],
    ) -> list[Job] | int:
        """Change columns of jobs.

        Args:
            jobs: Ids, jobs, or a filter.
            changes: A mapping of columns; see `JobChanges`. For ids and jobs also a function, which
                is called with one job after the other, each in a transaction of its own.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs were changed so far.
            **columns: The same by keyword.

        Returns:
            The jobs; for a filter, how many there were.

        Raises:
            InvalidJob: If a value can't be stored.
            UnknownOption: For a column that can't be changed.
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            await app.update_many_jobs(JobFilter(queues=["mail"], tags=["vip"]), priority=0)
            ```
        """
        if callable(changes):
            if isinstance(jobs, JobFilter) or columns:
                raise ConfigError("a function goes with ids or jobs alone: no filter, no columns")
            _refuse_options(everything, on_progress)
            found = [await self.update_job(number, changes) for number in check_ids(jobs)]
            return [job for job in found if job is not None]
        checked = merge_changes(changes, columns)
        engine = (await self._open()).engine
        if isinstance(jobs, JobFilter):
            if not checked:
                raise ConfigError("there is nothing to change: give columns, such as priority=1")
            change = partial(_change, engine.change_jobs, checked)
            moved = bool({"queue", "scheduled_at", "scheduled_in"} & checked.keys())
            then = self._wake_queues if moved else _do_nothing
            return await self._run(_checked(jobs, everything), change, then, on_progress)
        _refuse_options(everything, on_progress)
        updated = await engine.update_jobs(check_ids(jobs), checked)
        await self._wake({job.queue for job in updated if job.state is State.AVAILABLE})
        return updated

    async def _update_by(self, number: int, function: ChangeJob) -> Job | None:
        backend = await self._open()
        return await backend.engine.update_job(
            number, partial(call_with_job, function), idle=_IDLE_SECONDS
        )

    async def _run(
        self, wanted: JobFilter, change: Change, then: Then, on_progress: Progress | None
    ) -> int:
        backend = await self._open()
        return await FilteredChange(backend.engine, change, then, on_progress).run(wanted)


async def _do_nothing(changed: Sequence[Changed]) -> None:
    """Leave it at the change."""


async def _change(
    change: Callable[..., Any], columns: Mapping[str, Any], wanted: JobFilter, *, wait: bool
) -> list[Changed]:
    changed: list[Changed] = await change(wanted, columns, wait=wait)
    return changed


def _checked(wanted: JobFilter, everything: bool) -> JobFilter:
    """Return a filter, or refuse one that was left empty by mistake."""
    if not wanted.restricts and not everything:
        raise ConfigError("the filter fits every job: restrict it, or say so with everything=True")
    return wanted


def _refuse_options(everything: bool, on_progress: Progress | None) -> None:
    if everything or on_progress is not None:
        raise ConfigError("everything= and on_progress= go with a JobFilter, not with ids")
