"""Uses of operations on jobs that type checkers refuse: each is marked."""

from __future__ import annotations

from staffa import Job, JobFilter, Staffa


def wrong_filters() -> None:
    JobFilter(queue="mail")  # type: ignore[call-arg]  # misspelt
    JobFilter(ids=["1"])  # type: ignore[list-item]  # the wrong type
    JobFilter(["mail"])  # type: ignore[call-arg, list-item]  # by keyword only
    JobFilter(args=[1])  # type: ignore[arg-type]  # the wrong type


async def wrong_operations(app: Staffa, job: Job) -> None:
    await app.list_jobs({"queues": ["mail"]})  # type: ignore[arg-type]  # no filter
    await app.cancel_many_jobs([job], everything=True)  # type: ignore[call-overload]  # ids
    await app.update_many_jobs(JobFilter(), state="done")  # type: ignore[call-overload]  # not that
    await app.update_job(job, lambda: None)  # type: ignore[arg-type, misc]  # takes the job
    await app.update_job(job, priority="high")  # type: ignore[arg-type]  # the wrong type
