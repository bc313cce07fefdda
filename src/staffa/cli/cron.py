"""`staffa cron`: look at entries, pause them, run one out of turn; `cron_changes` makes them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from staffa.cli.audit import audited
from staffa.cli.cron_changes import add, set_
from staffa.cli.cron_status import COLUMNS, describe_cron, describe_fully, shown_cron
from staffa.cli.groups import Commands
from staffa.cli.loading import import_modules, import_option
from staffa.cli.options import EXIT_REFUSED, command, open_client
from staffa.cli.output import Output
from staffa.client import Staffa
from staffa.config import Config
from staffa.cron.stored import StoredCron
from staffa.errors import UnknownOption

_NAME = click.argument("name")


@click.group(cls=Commands)
def cron() -> None:
    """List, make, change and run entries of cron.

    Example: staffa cron list
    """


cron.add_command(add)
cron.add_command(set_)


@cron.command("list")
@command
async def list_(config: Config, output: Output) -> None:
    """List entries, with their last and next runs.

    They are those that worker processes have registered, and those made at run time. Times in the
    table are those of each entry's time zone; in JSON they are in UTC.

    Example: staffa cron list --json
    """
    async with open_client(config) as client:
        entries = [describe_cron(entry) for entry in await client.list_crons()]
    if output.as_json:
        output.data(entries)
        return
    output.table(COLUMNS, [[shown_cron(entry, column) for column in COLUMNS] for entry in entries])


@cron.command()
@_NAME
@command
async def show(config: Config, output: Output, name: str) -> None:
    """Show all that is stored of an entry.

    Example: staffa cron show nightly
    """
    async with open_client(config) as client:
        entry = await _find(client, name)
    described = describe_fully(entry)
    if output.as_json:
        output.data(described)
        return
    output.record({field: shown_cron(described, field) for field in described})


@cron.command()
@_NAME
@import_option
@command
async def run(config: Config, output: Output, name: str, modules: Sequence[str]) -> None:
    """Enqueue the job of an entry now, beside its ticks.

    Example: staffa cron run nightly
    """
    import_modules(modules)
    async with open_client(config) as client:
        with audited(config, "cron.run", cron=name) as action:
            job = await client.run_cron(name)
            action.count = 0 if job.conflict else 1
    conflict = " (there is one like it already)" if job.conflict else ""
    output.say(
        f"job {job.id} of {job.worker} is {job.state}{conflict}",
        id=job.id,
        worker=job.worker,
        queue=job.queue,
        state=job.state,
        conflict=job.conflict,
    )


@cron.command()
@_NAME
@import_option
@command
async def pause(config: Config, output: Output, name: str, modules: Sequence[str]) -> None:
    """Take no ticks of an entry until it is resumed, over restarts too.

    Example: staffa cron pause nightly
    """
    import_modules(modules)
    async with open_client(config) as client:
        with audited(config, "cron.pause", cron=name):
            await client.pause_cron(name)
    output.say(f"cron entry {name}: paused", action="pause", cron=name)


@cron.command()
@_NAME
@import_option
@command
async def resume(config: Config, output: Output, name: str, modules: Sequence[str]) -> None:
    """Take the ticks of an entry again, later ones alone.

    Example: staffa cron resume nightly
    """
    import_modules(modules)
    async with open_client(config) as client:
        with audited(config, "cron.resume", cron=name):
            await client.resume_cron(name)
    output.say(f"cron entry {name}: resumed", action="resume", cron=name)


@cron.command()
@_NAME
@click.option("--yes", is_flag=True, help="Don't ask.")
@import_option
@command
async def delete(
    config: Config, output: Output, name: str, yes: bool, modules: Sequence[str]
) -> None:
    """Delete an entry; jobs that it has made stay.

    Whoever sits at the terminal is asked; without one, --yes is needed, or it exits with 1. An
    entry that a running process declares can't be deleted: pause it.

    Example: staffa cron delete mondays --yes
    """
    import_modules(modules)
    async with open_client(config) as client:
        await _find(client, name)
        if not yes:
            _ask(output, name)
        with audited(config, "cron.delete", cron=name):
            await client.delete_cron(name)
    output.say(f"cron entry {name}: deleted", action="delete", cron=name)


async def _find(client: Staffa, name: str) -> StoredCron:
    entry = await client.get_cron(name)
    if entry is None:
        known = [one.name for one in await client.list_crons()]
        raise UnknownOption("cron entry", name, known)
    return entry


def _ask(output: Output, name: str) -> None:
    if not output.interactive:
        output.say(f"would delete cron entry {name}: give --yes to do so", would_delete=name)
        raise SystemExit(EXIT_REFUSED)
    click.confirm(f"Delete cron entry {name}?", abort=True, err=True)
