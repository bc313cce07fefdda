"""Uses of operations on jobs that type checkers refuse: each is marked."""

from __future__ import annotations

from staffa import Job, JobFilter, Staffa


def wrong_filters() -> None:
    JobFilter(queue="mail")  # wrong: misspelt
    JobFilter(ids=["1"])  # wrong: the wrong type
    JobFilter(["mail"])  # wrong: by keyword only
    JobFilter(args=[1])  # wrong: the wrong type


async def wrong_operations(app: Staffa, job: Job) -> None:
    await app.list_jobs({"queues": ["mail"]})  # wrong: no filter
    await app.cancel_many_jobs([job], everything=True)  # wrong: ids
    await app.update_many_jobs(JobFilter(), state="done")  # wrong, unseen by ty: not that
    await app.update_job(job, lambda: None)  # wrong: takes the job
    await app.update_job(job, priority="high")  # wrong: the wrong type
