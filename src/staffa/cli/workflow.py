"""`staffa workflow`: look at workflows, and cancel, retry or release what is in them."""

from __future__ import annotations

import click

from staffa.cli.audit import audited
from staffa.cli.flow_options import confirm_cancel, flow_id, page_options
from staffa.cli.groups import Commands
from staffa.cli.options import command, open_client
from staffa.cli.output import Output, count_of
from staffa.cli.workflow_status import COLUMNS, describe, draw, row_of
from staffa.config import Config


@click.group(cls=Commands)
def workflow() -> None:
    """List, show, cancel, retry and release workflows.

    Example: staffa workflow show order-7
    """


@workflow.command("list")
@page_options
@command
async def list_(config: Config, output: Output, limit: int, before: str | None) -> None:
    """List workflows, the newest first.

    Example: staffa workflow list --limit 10
    """
    async with open_client(config) as client:
        found = await client.workflows(limit=limit, before=before)
    if output.as_json:
        output.data([describe(status) for status in found])
        return
    if not found:
        output.say("there are no workflows")
        return
    output.table(COLUMNS, [row_of(status) for status in found])


@workflow.command()
@flow_id
@command
async def show(config: Config, output: Output, id: str) -> None:  # noqa: A002  # its argument
    """Draw a workflow with the states of its steps.

    Example: staffa workflow show order-7
    """
    async with open_client(config) as client:
        handle = client.workflow(id)
        status, graph = await handle.status(), await handle.to_graph()
    if output.as_json:
        output.data({**describe(status), **graph})
        return
    for line in draw(status, graph):
        click.echo(line)


@workflow.command()
@flow_id
@click.option("--yes", is_flag=True, help="Don't ask.")
@command
async def cancel(config: Config, output: Output, id: str, yes: bool) -> None:  # noqa: A002
    """Cancel the unfinished jobs of a workflow.

    Those that run are stopped.

    Whoever sits at the terminal is asked; without one, --yes is needed, or it exits with 1.

    Example: staffa workflow cancel order-7 --yes
    """
    async with open_client(config) as client:
        handle = client.workflow(id)
        counts = (await handle.status()).counts
        if not yes:
            confirm_cancel(output, "workflow", id, counts)
        with audited(config, "workflow.cancel", workflow=id):
            await handle.cancel()
    output.say(f"workflow {id}: cancelled", action="cancel", workflow=id)


@workflow.command()
@flow_id
@click.option("--whole", is_flag=True, help="Those that have completed as well.")
@command
async def retry(config: Config, output: Output, id: str, whole: bool) -> None:  # noqa: A002
    """Run again what was cancelled or discarded.

    What depends on them waits until they have completed.

    Example: staffa workflow retry order-7
    """
    async with open_client(config) as client:
        handle = client.workflow(id)
        counts = (await handle.status()).counts
        ended = counts["cancelled"] + counts["discarded"] + (counts["completed"] if whole else 0)
        with audited(config, "workflow.retry", workflow=id):
            await handle.retry(whole=whole)
    if not ended:
        told = "nothing has ended" if whole else "nothing was cancelled or discarded"
        output.say(f"workflow {id}: {told}", action="retry", workflow=id, jobs=0)
        return
    runs = "runs" if ended == 1 else "run"
    output.say(
        f"workflow {id}: {count_of(ended, 'job')} {runs} again",
        action="retry",
        workflow=id,
        jobs=ended,
    )


@workflow.command()
@flow_id
@click.argument("step")
@command
async def release(config: Config, output: Output, id: str, step: str) -> None:  # noqa: A002
    """Release a step that is held; one that is not is left alone.

    Example: staffa workflow release order-7 publish
    """
    async with open_client(config) as client:
        with audited(config, "workflow.release", workflow=id, step=step) as action:
            released = await client.workflow(id).release(step)
            action.count = int(released)
    output.say(
        f"step {step} of workflow {id}: {'released' if released else 'it was not held'}",
        action="release",
        workflow=id,
        step=step,
        released=released,
    )
