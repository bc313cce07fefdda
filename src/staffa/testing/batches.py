"""Runs whole batches, here and now, as workers would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from staffa._internal.shown import shown
from staffa.client import Staffa
from staffa.client.batch_handles import BatchHandle
from staffa.client.stored_batches import batches_on
from staffa.engine import Engine
from staffa.errors import ConfigError
from staffa.flows import Batch
from staffa.flows.sealing import sealed
from staffa.jobs import Job
from staffa.queues.pools.thread import Threads
from staffa.rehearsal import Execute
from staffa.testing.drain import Plan, Scheduled, runner_of
from staffa.testing.flows import drain_flow
from staffa.testing.targets import App, clock_of, executing_on, find_app, open_engine

_PAGE = 1_000


async def run_batch(
    batch: Batch,
    *,
    with_scheduled: Scheduled = True,
    with_safety: bool = False,
    limit: int | None = None,
    app: App = None,
    oban: App = None,
    conn: Any = None,
) -> BatchHandle:
    """Enqueue a batch and run its jobs and callbacks in this process.

    Everything is as in a worker process: outcomes are stored, and callbacks written when they are
    due. The queues of all these jobs are drained, so other jobs there run, too.

    Args:
        batch: The batch.
        with_scheduled: Whether jobs for later are run at once; see `drain_queue`.
        with_safety: Whether it goes on when an attempt fails; else its error is raised, after the
            outcome was stored.
        limit: How many runs at most: a job that snoozes for ever would never end.
        app: The client or its name; the only one of this process if not given.
        oban: The same, under the name that the package `oban` has for it.
        conn: Your own connection: the batch is written and run in its transaction.

    Returns:
        Its handle, for its status, with the callbacks that were written, and its results.

    Raises:
        Exception: Without safety, what made an attempt fail.
        FlowExists: If its id is taken.
        ConfigError: If it is no batch.
        DatabaseError: If the database refuses or can't be reached.

    Example:
        ```python
        handle = await run_batch(Batch(mails, on_completed=report.new()))
        assert (await handle.status()).fired == ("completed",)
        ```
    """
    found = find_app(app, oban)
    now = clock_of(found)
    plan = Plan.of("default", with_scheduled, True, with_safety, limit, now=now)
    return await run_on_app(found, batch, plan, executing_on(conn))


async def run_on_app(
    app: Staffa,
    batch: Batch,
    plan: Plan,
    execute: Execute | None,
    threads: Threads | None = None,
) -> BatchHandle:
    """Run a batch of a client by a plan, in the user's transaction if there is one."""
    if not isinstance(batch, Batch):
        raise ConfigError(f"run_batch was given {shown(batch)}: give a Batch")
    engine = await open_engine(app, execute)
    await engine.insert_graph(sealed(batch.graph(), app.config.encryption_keys))
    async with runner_of(app, engine, threads) as runner:
        await drain_flow(lambda: _jobs(batch.id, engine), plan, engine, runner)
    return BatchHandle(batch.id, batches_on(engine, clock_of(app)))


async def _jobs(batch: str, engine: Engine) -> AsyncIterator[Job]:
    """Yield the jobs of a batch, its callbacks among them."""
    after = 0
    while page := await engine.list_linked_jobs(batch, after=after, limit=_PAGE, callbacks=True):
        for job in page:
            yield job
        after = page[-1].id or 0
