"""What follows when jobs are cancelled that did not run: their events and hooks.

The same goes for jobs that were cancelled since something did not complete that they depend on.

Those that ran are told of by the node that ran them, once it has noticed. Hooks are called where
the jobs were cancelled, as nobody else hears of it: beside the jobs of a node, or, by a client that
runs no queues, before it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staffa.engine import Changed, Engine, Rescued
from staffa.linking import Followed
from staffa.queues import aftermath
from staffa.queues.aftermath import Aftermath
from staffa.queues.pools.thread import ThreadPool
from staffa.telemetry import emit, working_for
from staffa.telemetry.catalogue import JobEnded
from staffa.types import State

CallHooks = Callable[[Sequence[int]], object]
"""Has the hooks of jobs called soon, by their ids."""


async def follow_cancel(
    changed: Sequence[Changed], engine: Engine, hooks: CallHooks | None, instance: str
) -> None:
    """Tell of cancelled jobs that did not run.

    Args:
        changed: The jobs that were cancelled.
        engine: Where they are stored.
        hooks: Calls the hooks of jobs in this process, if it runs queues.
        instance: The client that cancelled them.
    """
    idle = [job for job in changed if job.previous_state is not State.EXECUTING]
    with working_for(instance):
        for job in idle:
            ended = Rescued(job.id, job.queue, job.worker, State.CANCELLED)
            emit(JobEnded, job=ended, state=State.CANCELLED)
        wanted = [job.id for job in idle if aftermath.has_hook("on_cancelled", job.worker)]
        if not wanted:
            return
        if hooks is not None:
            hooks(wanted)
        else:
            await _call_here(wanted, engine)


async def follow_ends(
    followed: Followed, engine: Engine, tell: Callable[[Followed], object] | None, instance: str
) -> None:
    """Tell of flows that have ended, and of jobs that were cancelled for what they depend on.

    Args:
        followed: What has come of the ends of jobs.
        engine: Where they are stored.
        tell: Tells of it in this process, if it runs queues.
        instance: The client that has ended jobs.
    """
    if not followed.ended and not followed.cancelled:
        return
    if tell is not None:
        tell(followed)
        return
    with working_for(instance):
        await _calling(engine, lambda calling: calling.followed(followed))


async def _call_here(numbers: Sequence[int], engine: Engine) -> None:
    await _calling(engine, lambda calling: calling.cancelled(numbers))


async def _calling(engine: Engine, what: Callable[[Aftermath], None]) -> None:
    """Have hooks called here, and wait for them."""
    threads = ThreadPool()
    calling = Aftermath(engine, threads)
    await calling.start()
    try:
        what(calling)
        await calling.flush(aftermath.LONGEST_SECONDS)
    finally:
        await calling.stop()
        threads.stop()
