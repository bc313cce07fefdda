"""What of a job can be changed, and the checks of it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from staffa._internal.shown import shown
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from staffa.filters import LARGEST_ID
from staffa.jobs import Job
from staffa.options import check_length, check_time
from staffa.types import Seconds

UPDATE_SECONDS = 10.0
"""How long a function given to `update_job` may hold its job's row."""


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
    scheduled_in: Seconds


Changes = Mapping[str, Any] | None
ChangeJob = Callable[[Job], Changes | Awaitable[Changes]]
"""Returns what to change of the job as it is now; None or nothing leaves it alone."""

_KNOWN = frozenset(JobChanges.__annotations__)
_TIMES = frozenset({"scheduled_at", "scheduled_in"})


def check_changes(changes: object) -> dict[str, Any]:
    """Return changes as the constructor of a job accepts them, so that both refuse the same.

    A delay stays one: the database's clock makes a time of it.

    Raises:
        InvalidJob: If a value can't be stored.
        UnknownOption: For a column that can't be changed.

    Example:
        >>> check_changes({"tags": ["Urgent "]})
        {'tags': ('urgent',)}
    """
    if not isinstance(changes, Mapping):
        raise InvalidJob(
            f"{shown(changes)} are no changes: give a mapping of columns, such as {{'priority': 1}}"
        )
    for key in changes:
        if key not in _KNOWN:
            raise UnknownOption("column to change", key, _KNOWN)
    if changes.keys() >= _TIMES:
        raise InvalidJob("scheduled_at and scheduled_in are both given: give one of them")
    given = {key: value for key, value in changes.items() if key not in _TIMES}
    model = Job(**{"worker": "any", **given})
    checked = {key: getattr(model, key) for key in given}
    if "scheduled_at" in changes:
        checked["scheduled_at"] = check_time(changes["scheduled_at"]).isoformat()
    if "scheduled_in" in changes:
        checked["scheduled_in"] = check_length(changes["scheduled_in"], "scheduled_in")
    return checked


def merge_changes(changes: object, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that were given as a mapping or by keyword, checked.

    Raises:
        ConfigError: If both are given.
    """
    if changes is not None and columns:
        raise ConfigError("changes are given twice: give a mapping, or columns by keyword")
    return check_changes(columns if changes is None else changes)


async def call_with_job(function: ChangeJob, job: Job) -> dict[str, Any]:
    """Return what a function wants changed of a job, checked.

    Raises:
        ConfigError: If it takes longer than the row may be held.
    """
    limit = asyncio.timeout(UPDATE_SECONDS)
    try:
        async with limit:
            found = function(job)
            changes = await found if inspect.isawaitable(found) else found
    except TimeoutError:
        if not limit.expired():
            raise
        raise ConfigError(
            f"the function given to update_job took longer than {UPDATE_SECONDS:.0f} s, and held "
            f"job {job.id} meanwhile: do what is slow before"
        ) from None
    return {} if changes is None else check_changes(changes)


def check_id(job: int | Job) -> int:
    """Return the id of a stored job.

    Raises:
        InvalidJob: If it is none.
    """
    number = job.id if isinstance(job, Job) else job
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= LARGEST_ID:
        raise InvalidJob(f"{shown(job)} has no id: give the id of a job that was enqueued")
    return number


def check_ids(jobs: Iterable[int | Job]) -> list[int]:
    """Return the ids of stored jobs.

    Raises:
        InvalidJob: If one of them is none.
    """
    if isinstance(jobs, Mapping) or not isinstance(jobs, Iterable):
        raise InvalidJob(f"{shown(jobs)} are no jobs: give ids, jobs, or a JobFilter")
    return [check_id(job) for job in jobs]
