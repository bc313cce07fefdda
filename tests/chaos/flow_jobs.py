"""The jobs of the scenario of flows: steps, grafts, callbacks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from staffa import Chain, Staffa, Workflow, current_job, job
from tests.chaos import marks
from tests.chaos.jobs import BACKOFF_SECONDS
from tests.chaos.plans import Plan, draw, perform_async

FLOWS = "flows"
CALLS = "calls"
_LARGEST_GRAFT = 4


@job(queue=FLOWS, backoff=BACKOFF_SECONDS, max_attempts=4)
async def step(token: str, plan: Plan) -> Any:
    """Follow a plan."""
    return await perform_async(plan)


@job(queue=FLOWS, backoff=BACKOFF_SECONDS, max_attempts=4)
async def grow(token: str, plan: Plan) -> Any:
    """Append a step behind this one and what this one needed, which has ended; follow a plan."""
    async with told_if_failing():
        me = current_job()
        handle = Staffa.get_instance().workflow(str(me.workflow_id))
        if f"{token}+" not in {found.args.get("token") for found in await handle.jobs()}:
            more = handle.append()
            name = str(me.meta["name"])
            deps = [name, *me.meta.get("deps", ())]
            more.add(f"{name} grown", step.new(f"{token}+", plan), deps=deps)
            await Staffa.get_instance().enqueue(more)
    return await perform_async(plan)


@job(queue=FLOWS, max_attempts=8, backoff=BACKOFF_SECONDS)
async def graft(token: str, seed: int) -> Workflow:
    """Return a few more steps."""
    random = Random(seed)
    await marks.mark_async(current_job(), "begun")
    workflow = Workflow("graft", ignore_cancelled=True, ignore_discarded=True, ignore_deleted=True)
    for number in range(random.randint(0, _LARGEST_GRAFT)):
        deps = [str(number - 1)] if number and random.random() < 0.5 else []
        workflow.add(str(number), step.new(f"{token}/{number}", draw(random)), deps=deps)
    await marks.mark_async(current_job(), "failing")  # where what it returns can't be written
    await marks.mark_async(current_job(), "completing")
    return workflow


@job(queue=CALLS, max_attempts=20, backoff=BACKOFF_SECONDS)
async def called(batch: str) -> None:
    """Be the callback of a batch."""
    await marks.mark_async(current_job(), "begun")
    await marks.mark_async(current_job(), "completing")


@asynccontextmanager
async def told_if_failing() -> AsyncIterator[None]:
    """Mark that a job fails, where what it asks of the database fails."""
    try:
        yield
    except Exception:
        await marks.mark_async(current_job(), "failing")
        raise


@job(
    queue=FLOWS,
    backoff=BACKOFF_SECONDS,
    max_attempts=4,
    chain=Chain(by=["args.line"], on_cancelled="ignore", on_discarded="ignore"),
)
async def link(token: str, line: str, plan: Plan) -> Any:
    """Follow a plan, after all earlier ones of the line."""
    return await perform_async(plan)
