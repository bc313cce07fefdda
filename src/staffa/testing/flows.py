"""Runs what can run of a workflow or batch, until nothing is left that could."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from staffa.engine import Engine
from staffa.jobs import Job
from staffa.queues.inline import InlineRunner
from staffa.testing.drain import Plan, drain
from staffa.types import State

_WAITING = (State.AVAILABLE, State.SCHEDULED, State.RETRYABLE)


async def drain_flow(
    jobs: Callable[[], AsyncIterator[Job]], plan: Plan, engine: Engine, runner: InlineRunner
) -> None:
    """Drain the queues of its jobs, again and again.

    Args:
        jobs: Yields its jobs as they are then.
        plan: How these are drained; its queue is not looked at.
        engine: Where they are stored.
        runner: Runs them.
    """
    left = plan.limit
    while left:
        queues = {job.queue async for job in jobs() if job.state in _WAITING}
        before = left
        for queue in sorted(queues):
            counts = await drain(replace(plan, queue=queue, limit=left), engine, runner)
            left -= sum(counts.values())
        if left == before:
            return
