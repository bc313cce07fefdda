"""`staffa migrate`: bring the schema up or down."""

from __future__ import annotations

import click

from staffa.adoption import title_of
from staffa.cli.groups import Commands
from staffa.cli.options import EXIT_REFUSED, command, open_client, open_database
from staffa.cli.output import Output, count_of
from staffa.client.backend import make_migrator
from staffa.config import Config
from staffa.steps import Migration, MigrationStatus


@click.group(cls=Commands)
def migrate() -> None:
    """Create, update or remove the tables.

    Example: staffa migrate up --dsn postgresql://owner@localhost/app
    """


@migrate.command()
@click.option("--to", type=int, metavar="VERSION", help="Stop at this version.")
@command
async def up(config: Config, output: Output, to: int | None) -> None:
    """Apply what is pending.

    Example: staffa migrate up --prefix jobs
    """
    async with open_database(config) as dsn:
        migrator = make_migrator(dsn, config.prefix)
        done = await migrator.up(to)
        version = (await migrator.status()).version
    output.say(
        _sentence("applied", done, version),
        applied=[step.version for step in done],
        version=version,
    )


@migrate.command()
@click.option("--to", type=int, required=True, metavar="VERSION", help="What remains; 0: nothing.")
@click.option("--yes", is_flag=True, help="Do it; else only what would be lost is shown.")
@command
async def down(config: Config, output: Output, to: int, yes: bool) -> None:
    """Take migrations back; version 0 removes all tables and jobs.

    Adopted tables and their jobs stay.

    Example: staffa migrate down --to 0 --yes
    """
    async with open_database(config) as dsn:
        migrator = make_migrator(dsn, config.prefix)
        status = await migrator.status()
        steps = [step for step in reversed(status.applied) if step.version > to]
        drops = any(step.version == 1 for step in steps) and status.adopted is None
        jobs = await _count_jobs(config, dsn) if drops else 0
        if not yes:
            output.say(
                f"{count_of(len(steps), 'migration')} would be taken back, and "
                f"{_tell_jobs(jobs, status)}: give --yes to do so",
                would_take_back=[step.version for step in steps],
                jobs=jobs,
            )
            raise SystemExit(EXIT_REFUSED if steps else 0)
        done = await migrator.down(to)
        version = (await migrator.status()).version
    output.say(
        _sentence("took back", done, version),
        taken_back=[step.version for step in done],
        jobs=jobs,
        version=version,
    )


@migrate.command()
@command
async def status(config: Config, output: Output) -> None:
    """Show which migrations are applied; exits with 1 if some are not.

    Example: staffa migrate status --json
    """
    async with open_database(config) as dsn:
        found = await make_migrator(dsn, config.prefix).status()
    rows = [(step.version, step.name, "applied") for step in found.applied]
    rows += [(step.version, step.name, "pending") for step in found.pending]
    if output.as_json:
        output.data([dict(zip(("version", "name", "status"), row, strict=True)) for row in rows])
    else:
        output.table(("version", "name", "status"), rows)
    if found.pending:
        raise SystemExit(EXIT_REFUSED)


@migrate.command()
@command
async def sql(config: Config, output: Output) -> None:
    """Print all migrations as one script for psql.

    Example: staffa migrate sql --prefix jobs > staffa.sql
    """
    script = make_migrator(config.dsn or "postgresql:///", config.prefix).sql()
    if output.as_json:
        output.data({"sql": script})
    else:
        click.echo(script, nl=False)


async def _count_jobs(config: Config, dsn: str) -> int:
    async with open_client(config.with_dsn(dsn)) as client:
        return sum((await client.count_jobs()).values())


def _tell_jobs(jobs: int, status: MigrationStatus) -> str:
    if status.adopted is None:
        return f"{jobs} jobs deleted"
    return f"no job deleted, as the table is that of {title_of(status.adopted)}"


def _sentence(verb: str, steps: list[Migration], version: int) -> str:
    names = ", ".join(step.stem for step in steps) or "nothing"
    return f"{verb} {names}; the schema is at version {version}"
