"""The jobs of the general scenario: one for each executor, a unique one and one of cron."""

from __future__ import annotations

from typing import Any

from staffa import Cron, Unique, current_job, job
from tests.chaos import marks
from tests.chaos.plans import Plan, perform, perform_async

BACKOFF_SECONDS = 0.2


@job(queue="async", backoff=BACKOFF_SECONDS, max_attempts=4)
async def work_async(token: str, plan: Plan, beside: bool = False) -> Any:
    """Follow a plan on the event loop."""
    return await perform_async(plan)


@job(queue="thread", backoff=BACKOFF_SECONDS, max_attempts=4)
def work_thread(token: str, plan: Plan, beside: bool = False) -> Any:
    """Follow a plan in a thread."""
    return perform(plan)


@job(queue="process", backoff=BACKOFF_SECONDS, max_attempts=4, executor="process")
def work_process(token: str, plan: Plan, beside: bool = False) -> Any:
    """Follow a plan in a process."""
    return perform(plan)


@job(queue="async", backoff=BACKOFF_SECONDS, unique=Unique(keys=["key"], states="incomplete"))
async def work_unique(token: str, key: str, plan: Plan) -> Any:
    """Follow a plan, while no other job of the key lives."""
    return await perform_async(plan)


@job(queue="async", backoff=BACKOFF_SECONDS, cron=Cron("* * * * *", name="minutely"))
async def work_minutely() -> None:
    """Run each minute."""
    await marks.mark_async(current_job(), "begun")
    await marks.mark_async(current_job(), "completing")
