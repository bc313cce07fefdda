"""`staffa limits`: look at the limits that queues have on all nodes."""

from __future__ import annotations

import click

from staffa.cli.groups import Commands
from staffa.cli.limit_status import (
    PARTITION_COLUMNS,
    USE_COLUMNS,
    describe_use,
    list_partitions,
    list_uses,
)
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import EXIT_REFUSED, command, open_backend
from staffa.cli.output import Output, printable
from staffa.config import Config

_MOST_WAITING = 1_000_000
_MOST_PARTITIONS = 10_000


@click.group(cls=Commands)
def limits() -> None:
    """Show what queues use of their limits on all nodes.

    Example: staffa limits show mail
    """


@limits.command()
@click.argument("queue", required=False)
@click.option(
    "--partitions",
    type=WholeNumber(0, _MOST_PARTITIONS),
    metavar="N",
    default=10,
    show_default=True,
    help="So many of each queue, the busiest first.",
)
@command
async def show(config: Config, output: Output, queue: str | None, partitions: int) -> None:
    """Show limits, what is used of them, and what waits.

    They are those that all nodes obey: what the node that started last has told. Exits with 1 if
    the queue has none.

    Example: staffa limits show mail --json
    """
    async with open_backend(config) as backend:
        wanted = None if queue is None else [queue]
        uses = await backend.engine.read_limits(wanted, partitions=partitions)
        most = {use.queue: _MOST_WAITING for use in uses}
        waiting = await backend.engine.count_available(most) if most else {}
    if output.as_json:
        output.data([describe_use(use, waiting.get(use.queue, 0)) for use in uses])
    elif uses or queue is None:
        output.table(
            USE_COLUMNS,
            [row for use in uses for row in list_uses(use, waiting.get(use.queue, 0))],
        )
        if busy := [row for use in uses for row in list_partitions(use)]:
            click.echo()
            output.table(PARTITION_COLUMNS, busy)
    if queue is not None and not uses:
        told = f"no node has told of limits of queue {queue!r}"
        if not output.as_json:
            click.echo(printable(told), err=True)
        raise SystemExit(EXIT_REFUSED)
