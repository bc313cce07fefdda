"""`staffa batch`: look at batches, and cancel them."""

from __future__ import annotations

import click

from staffa.cli.audit import audited
from staffa.cli.batch_status import COLUMNS, describe, lines_of, row_of
from staffa.cli.flow_options import confirm_cancel, flow_id, page_options
from staffa.cli.groups import Commands
from staffa.cli.options import command, open_client
from staffa.cli.output import Output
from staffa.config import Config


@click.group(cls=Commands)
def batch() -> None:
    """List, show and cancel batches.

    Example: staffa batch show news-7
    """


@batch.command("list")
@page_options
@command
async def list_(config: Config, output: Output, limit: int, before: str | None) -> None:
    """List batches, the newest first.

    Example: staffa batch list --limit 10
    """
    async with open_client(config) as client:
        found = await client.batches(limit=limit, before=before)
    if output.as_json:
        output.data([describe(status) for status in found])
        return
    if not found:
        output.say("there are no batches")
        return
    output.table(COLUMNS, [row_of(status) for status in found])


@batch.command()
@flow_id
@command
async def show(config: Config, output: Output, id: str) -> None:  # noqa: A002  # its argument
    """Show how a batch stands: its jobs by state, and its callbacks.

    Example: staffa batch show news-7
    """
    async with open_client(config) as client:
        status = await client.batch(id).status()
    if output.as_json:
        output.data(describe(status))
        return
    for line in lines_of(status):
        click.echo(line)


@batch.command()
@flow_id
@click.option("--yes", is_flag=True, help="Don't ask.")
@command
async def cancel(config: Config, output: Output, id: str, yes: bool) -> None:  # noqa: A002
    """Cancel all jobs of a batch that have not ended, also running ones.

    Whoever sits at the terminal is asked; without one, --yes is needed, or it exits with 1.

    Example: staffa batch cancel news-7 --yes
    """
    async with open_client(config) as client:
        handle = client.batch(id)
        counts = (await handle.status()).counts
        if not yes:
            confirm_cancel(output, "batch", id, counts)
        with audited(config, "batch.cancel", batch=id):
            await handle.cancel()
    output.say(f"batch {id}: cancelled", action="cancel", batch=id)
