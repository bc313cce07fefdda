"""A program that cancels a job of a workflow, runs it again, and deletes others."""

from __future__ import annotations

import asyncio

from staffa import Staffa
from staffa.filters import JobFilter


async def main() -> None:
    async with Staffa() as app:
        everything = await app.list_jobs(JobFilter(limit=1000))
        first = min(job.id or 0 for job in everything if "first" in job.tags)
        await app.cancel_job(first)
        await app.retry_job(first)
        for number in sorted(job.id or 0 for job in everything if "spare" in job.tags):
            await app.delete_job(number)


asyncio.run(main())
