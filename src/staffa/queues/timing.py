"""How long a job may run: until its deadline, and no longer than its time-out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from staffa.deadlines import DEADLINE_KEY, read_deadline
from staffa.errors import DeadlinePassed, JobCancelled, JobTimeout
from staffa.jobs import Job


def seconds_left(job: Job) -> float | None:
    """Return how long a job may run until its deadline; None if it may for ever.

    Raises:
        DeadlinePassed: If that was before it was claimed, on the database's clock.
    """
    found = read_deadline(job.meta, job.inserted_at) if DEADLINE_KEY in job.meta else None
    if found is None:
        return None
    deadline, force = found
    assert job.attempted_at is not None  # noqa: S101  # a claimed job has it
    left = (deadline - job.attempted_at).total_seconds()
    if left < 0:
        raise DeadlinePassed(f"its deadline {deadline.isoformat()} passed before it began")
    return left if force else None


async def within(
    awaited: Awaitable[Any], job: Job, *, left: float | None, allowed: float | None
) -> Any:
    """Wait for a job's function within its deadline and its time-out."""
    late, slow = asyncio.timeout(left), asyncio.timeout(allowed)
    try:
        async with late, slow:
            return await awaited
    except (TimeoutError, JobCancelled) as error:
        if late.expired():
            raise DeadlinePassed("its deadline passed while it ran") from error
        if slow.expired():
            raise JobTimeout(
                f"{job.worker} took longer than its timeout of {allowed:g} s"
            ) from error
        raise
