"""`staffa check`: does the code know what the rows ask for? For a deploy, before it goes on."""

from __future__ import annotations

from collections.abc import Sequence

import click

from staffa import registry
from staffa.cli.code import find_unknown
from staffa.cli.loading import import_modules, import_option
from staffa.cli.options import EXIT_REFUSED, command, open_backend
from staffa.cli.output import Output
from staffa.config import Config
from staffa.cron.declared import Collector


@click.command()
@import_option
@command
async def check(config: Config, output: Output, modules: Sequence[str]) -> None:
    """Check settings, and the code against the rows.

    Exits with 1 if something does not fit. The modules of the setting imports are loaded as well.
    Not known are workers of jobs that wait, or of active entries of cron, that none of this code
    defines: give the new code their names as aliases, or move such jobs.

    Example: staffa check --import myapp.jobs
    """
    import_modules([*config.imports, *modules])
    collector = Collector(
        config.cron or (), config.name, config.timezone, config.imports, config.encryption_keys
    )
    crons, left_out = collector.collect(), collector.left_out
    async with open_backend(config) as backend:
        engine = backend.engine
        waiting = await engine.survey.count_workers()
        stored = await engine.read_crons(config.name, reader=None, dead_after=config.dead_after)
    unknown = find_unknown(waiting, stored.entries, config.imports)
    if output.as_json:
        output.data(
            {
                "workers": len(registry.names()),
                "crons": len(crons),
                "crons_left_out": left_out,
                "unknown": [one.describe() for one in unknown],
            }
        )
    else:
        known = f"workers known: {len(registry.names())}, entries of cron: {len(crons)}"
        bad = f"; {left_out} can't be used, see above" if left_out else ""
        click.echo(f"the settings can be used; {known}{bad}")
        if unknown:
            output.table(
                ("unknown worker", "jobs that wait", "entries of cron"),
                [(one.worker, one.jobs, ", ".join(one.crons)) for one in unknown],
            )
    if unknown or left_out:
        raise SystemExit(EXIT_REFUSED)
