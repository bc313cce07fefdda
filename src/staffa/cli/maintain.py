"""`staffa maintain`: rebuild bloated indexes now."""

from __future__ import annotations

from collections.abc import Sequence

import click

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.cli.options import EXIT_REFUSED, command, open_database
from staffa.cli.output import Output
from staffa.cli.progress import progress_bar
from staffa.client.backend import make_maintenance
from staffa.config import Config
from staffa.maintenance import IndexSize
from staffa.services.reindexer import drop_leftovers, find_bloated, rebuild_indexes
from staffa.upkeep import Reindexer


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing; show the indexes.")
@click.option("--all", "everything", is_flag=True, help="Rebuild all indexes, bloated or not.")
@command
async def maintain(config: Config, output: Output, dry_run: bool, everything: bool) -> None:
    """Rebuild bloated indexes; jobs run on meanwhile.

    What interrupted rebuilds have left is dropped. Connects as the owner of the tables, directly
    and not through a pooler: with --dsn, else with the setting maintenance_dsn, else with dsn.
    Exits with 1 if an index could not be rebuilt.

    Example: staffa maintain --dry-run
    """
    given = click.get_current_context().params["dsn"]
    owner = config.with_dsn(given or config.maintenance_dsn or config.dsn)
    options = config.reindexer or Reindexer()
    async with open_database(owner) as dsn:
        maintenance = make_maintenance(dsn, config.prefix)
        indexes = await maintenance.read_indexes()
        chosen = indexes if everything else find_bloated(indexes, options)
        wanted = [index.name for index in chosen if index.valid]
        if dry_run:
            _show(output, indexes, wanted)
            return
        dropped = await drop_leftovers(maintenance)
        rebuilt: list[str] = []
        with progress_bar("rebuilding", len(wanted)) as tell:
            for place, name in enumerate(wanted, start=1):
                rebuilt += await rebuild_indexes(maintenance, [name], SYSTEM_CLOCK)
                tell(place)
        after = sum(index.bytes for index in await maintenance.read_indexes())
    before = sum(index.bytes for index in indexes)
    output.say(
        f"rebuilt {', '.join(rebuilt) or 'nothing'}; dropped {', '.join(dropped) or 'nothing'}; "
        f"the indexes had {before} bytes and have {after}",
        rebuilt=rebuilt,
        dropped=dropped,
        bytes_before=before,
        bytes_after=after,
    )
    if len(rebuilt) < len(wanted):
        raise SystemExit(EXIT_REFUSED)


def _show(output: Output, indexes: Sequence[IndexSize], wanted: Sequence[str]) -> None:
    rows = [
        (index.name, index.bytes, index.expected_bytes, _verdict(index, wanted))
        for index in indexes
    ]
    columns = ("index", "bytes", "expected_bytes", "verdict")
    if output.as_json:
        output.data([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        output.table(columns, rows)


def _verdict(index: IndexSize, wanted: Sequence[str]) -> str:
    if index.leftover:
        return "drop"
    if not index.valid:
        return "invalid"
    return "rebuild" if index.name in wanted else "keep"
