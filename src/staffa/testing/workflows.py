"""Runs whole workflows, here and now, as workers would."""

from __future__ import annotations

from typing import Any

from staffa._internal.shown import shown
from staffa.client import Staffa
from staffa.client.flows import flows_on
from staffa.client.mixed import handle_of
from staffa.client.workflow_handles import WorkflowHandle
from staffa.errors import ConfigError
from staffa.flows import Addition, Workflow
from staffa.flows.sealing import sealed
from staffa.queues.pools.thread import Threads
from staffa.rehearsal import Execute
from staffa.testing.drain import Plan, Scheduled, runner_of
from staffa.testing.flows import drain_flow
from staffa.testing.targets import App, clock_of, executing_on, find_app, open_engine


async def run_workflow(
    workflow: Workflow | Addition,
    *,
    with_scheduled: Scheduled = True,
    with_safety: bool = False,
    limit: int | None = None,
    app: App = None,
    oban: App = None,
    conn: Any = None,
) -> WorkflowHandle:
    """Enqueue a workflow and run its jobs in this process, each after those that it depends on.

    Everything is as in a worker process: arguments are filled in, grafts are written, outcomes are
    stored, what waits is released. The queues of its jobs are drained, so other jobs of these run,
    too.

    Args:
        workflow: The workflow, or what is to be added to a stored one.
        with_scheduled: Whether jobs for later are run at once; see `drain_queue`.
        with_safety: Whether it goes on when an attempt fails; else its error is raised, after the
            outcome was stored.
        limit: How many runs at most: a job that snoozes for ever would never end.
        app: The client or its name; the only one of this process if not given.
        oban: The same, under the name that the package `oban` has for it.
        conn: Your own connection: the workflow is written and run in its transaction.

    Returns:
        Its handle, for its status and its results. Steps that are held have not run.

    Raises:
        Exception: Without safety, what made an attempt fail.
        InvalidWorkflow: If its steps don't fit together.
        ConfigError: If it is no workflow.
        DatabaseError: If the database refuses or can't be reached.

    Example:
        ```python
        handle = await run_workflow(order)
        assert (await handle.results())["total"] == 27
        ```
    """
    found = find_app(app, oban)
    now = clock_of(found)
    plan = Plan.of("default", with_scheduled, True, with_safety, limit, now=now)
    return await run_on_app(found, workflow, plan, executing_on(conn))


async def run_on_app(
    app: Staffa,
    workflow: Workflow | Addition,
    plan: Plan,
    execute: Execute | None,
    threads: Threads | None = None,
) -> WorkflowHandle:
    """Run a workflow of a client by a plan, in the user's transaction if there is one."""
    if not isinstance(workflow, Workflow | Addition):
        raise ConfigError(f"run_workflow was given {shown(workflow)}: give a Workflow")
    engine = await open_engine(app, execute)
    flows = flows_on(engine, clock_of(app))
    graph = sealed(await flows.make_graph(workflow), app.config.encryption_keys)
    handle = handle_of(workflow, await engine.insert_graph(graph), flows)
    async with runner_of(app, engine, threads) as runner:
        await drain_flow(handle.stream, plan, engine, runner)
    return handle
