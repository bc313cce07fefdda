"""`staffa adopt`: share the jobs table of Elixir Oban or of Python's `oban`."""

from __future__ import annotations

import click

from staffa.adoption import title_of
from staffa.cli.adopt.plan import Plan, note
from staffa.cli.adopt.report import describe, show
from staffa.cli.options import EXIT_REFUSED, command, open_database
from staffa.cli.output import Output
from staffa.cli.progress import progress_bar
from staffa.client.backend import Adoption, make_adoption
from staffa.config import Config
from staffa.errors import MigrationError
from staffa.steps import MigrationStatus


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing; show what is found and be added.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@command
async def adopt(config: Config, output: Output, dry_run: bool, yes: bool) -> None:
    """Share the tables of Elixir Oban or Python's oban.

    Shows whose they are and what will be added, then asks; without a terminal --yes is needed.
    Their tables stay as they are and in use. Connects as their owner: with --dsn, else with the
    setting maintenance_dsn, else with dsn. 'staffa migrate down --to 0' takes back what was added.
    Exits with 1 if the tables can't be adopted.

    Example: staffa adopt --dry-run
    """
    given = click.get_current_context().params["dsn"]
    owner = config.with_dsn(given or config.maintenance_dsn or config.dsn)
    async with open_database(owner) as dsn:
        adoption = make_adoption(dsn, config.prefix)
        status = await adoption.migrator.status()
        if status.applied and not (status.adopted and status.pending):
            _tell_nothing(output, status)
            return
        plan = await _plan(config, adoption, status)
        show(output, plan, dry_run=dry_run, done=yes and not dry_run)
        if dry_run:
            return
        if not yes:
            _confirm(output)
        applied = await _adopt(adoption, plan)
        version = (await adoption.migrator.status()).version
    if output.as_json:
        output.data({**describe(plan), "applied": applied, "version": version})
    else:
        click.echo(
            f"adopted; the schema is at version {version}, beside the tables of "
            f"{plan.origin.maker}; next: staffa start"
        )


async def _plan(config: Config, adoption: Adoption, status: MigrationStatus) -> Plan:
    origin, found, neighbours = await adoption.tables.describe()
    first = adoption.migrator.migrations[0].version
    additions = adoption.migrator.additions(
        max(status.version, first), bookkeeping=not status.applied
    )
    return Plan(
        origin=origin,
        found=found,
        neighbours=neighbours,
        additions=additions,
        notes=note(config, origin, found),
    )


async def _adopt(adoption: Adoption, plan: Plan) -> list[int]:
    migrator = adoption.migrator
    first = await migrator.adopt(adoption.tables.examine)
    pending = (await migrator.status()).pending
    done = [] if first is None else [first]
    with progress_bar("adopting", len(pending)) as tell:
        for place, step in enumerate(pending, start=1):
            done += await migrator.up(step.version)
            tell(place)
    return [step.version for step in done]


def _tell_nothing(output: Output, status: MigrationStatus) -> None:
    """Say that there is nothing to do, or refuse where another command does it."""
    if status.pending:
        raise MigrationError(
            "Staffa made these tables, so there is nothing to adopt: run 'staffa migrate up' for "
            f"the {len(status.pending)} migrations that are pending"
        )
    if status.adopted is None:
        sentence = "Staffa made these tables: there is nothing to adopt"
    else:
        sentence = f"the tables of {title_of(status.adopted)} were adopted before"
    output.say(
        f"{sentence}; the schema is at version {status.version}",
        origin=status.adopted or "staffa",
        applied=[],
        version=status.version,
    )


def _confirm(output: Output) -> None:
    """Ask whoever sits at the terminal; where nobody does, that is a refusal."""
    if not output.interactive:
        raise SystemExit(EXIT_REFUSED)
    click.confirm("Add this?", abort=True, err=True)
