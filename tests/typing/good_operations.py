"""Uses of operations on jobs that type checkers accept: this file is checked, never run."""

from __future__ import annotations

from typing import Any, assert_type

from staffa import Job, JobFilter, Staffa, State


def count(job: Job) -> dict[str, Any]:
    return {"meta": {"count": job.meta.get("count", 0) + 1}}


async def count_later(job: Job) -> dict[str, Any] | None:
    return count(job) if job.attempt else None


async def operations(app: Staffa, job: Job) -> None:
    wanted = JobFilter(queues=["mail"], states=[State.RETRYABLE, "scheduled"], tags={"a"})
    assert_type(await app.cancel_many_jobs(wanted), int)
    assert_type(await app.cancel_many_jobs([1, job]), list[int])
    assert_type(await app.retry_many_jobs(wanted, on_progress=print), int)
    assert_type(await app.retry_many_jobs(number for number in [1, 2]), list[int])
    assert_type(await app.delete_many_jobs(JobFilter(), everything=True), int)
    assert_type(await app.delete_many_jobs([job]), list[int])
    assert_type(await app.update_many_jobs(wanted, priority=1), int)
    assert_type(await app.update_many_jobs(wanted, {"queue": "slow"}), int)
    assert_type(await app.update_many_jobs([1], tags=["a"]), list[Job])
    assert_type(await app.update_job(job, count), Job | None)
    assert_type(await app.update_job(1, count_later), Job | None)
    assert_type(await app.update_job(1, lambda job: {"priority": job.priority + 1}), Job | None)
    assert_type(await app.update_job(1, {"priority": 1}), Job | None)
    assert_type(await app.count_jobs(wanted), dict[tuple[str, State], int])
    assert_type([job async for job in app.stream_jobs(wanted)], list[Job])
