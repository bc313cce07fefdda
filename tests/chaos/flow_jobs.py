"""The jobs of the scenario of flows: steps, grafts, callbacks."""

from __future__ import annotations

from random import Random
from typing import Any

from staffa import Chain, Staffa, Workflow, current_job, job
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
    """Append a step behind this one and one that may have ended, then follow a plan."""
    me = current_job()
    handle = Staffa.get_instance().workflow(str(me.workflow_id))
    if f"{token}+" not in {found.args.get("token") for found in await handle.jobs()}:
        more = handle.append()
        name = str(me.meta["name"])
        more.add(
            f"{name} grown", step.new(f"{token}+", plan), deps=[name, *me.meta.get("deps", ())]
        )
        await Staffa.get_instance().enqueue(more)
    return await perform_async(plan)


@job(queue=FLOWS, max_attempts=8, backoff=BACKOFF_SECONDS)
async def graft(token: str, seed: int) -> Workflow:
    """Return a few more steps."""
    random = Random(seed)
    workflow = Workflow("graft", ignore_cancelled=True, ignore_discarded=True, ignore_deleted=True)
    for number in range(random.randint(0, _LARGEST_GRAFT)):
        deps = [str(number - 1)] if number and random.random() < 0.5 else []
        workflow.add(str(number), step.new(f"{token}/{number}", draw(random)), deps=deps)
    return workflow


@job(queue=CALLS, max_attempts=20, backoff=BACKOFF_SECONDS)
async def called(batch: str) -> None:
    """Be the callback of a batch."""


@job(
    queue=FLOWS,
    backoff=BACKOFF_SECONDS,
    max_attempts=4,
    chain=Chain(by=["args.key"], on_cancelled="ignore", on_discarded="ignore"),
)
async def link(token: str, key: str, plan: Plan) -> Any:
    """Follow a plan, after all earlier ones of the key."""
    return await perform_async(plan)
