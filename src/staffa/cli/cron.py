"""`staffa cron`: look at the entries of cron, and run one out of turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

import click

from staffa.cli.audit import audited
from staffa.cli.groups import Commands
from staffa.cli.loading import import_modules, import_option
from staffa.cli.options import command, open_client
from staffa.cli.output import Output
from staffa.config import Config
from staffa.cron.expression import Expression
from staffa.cron.stored import StoredCron
from staffa.cron.zones import load_zone
from staffa.errors import ConfigError

_UNREADABLE = "can't be read here"


@click.group(cls=Commands)
def cron() -> None:
    """List entries of cron, and run one now.

    Example: staffa cron list
    """


@cron.command("list")
@command
async def list_(config: Config, output: Output) -> None:
    """List entries, with their last and next runs.

    They are those that worker processes have registered. Times in the table are those of each
    entry's time zone; in JSON they are in UTC.

    Example: staffa cron list --json
    """
    async with open_client(config) as client:
        entries = [_describe(entry) for entry in await client.list_crons()]
    if output.as_json:
        output.data(entries)
        return
    columns = (
        "name",
        "expression",
        "in_words",
        "timezone",
        "worker",
        "active",
        "last_run",
        "next_run",
    )
    output.table(columns, [[_shown(entry, column) for column in columns] for entry in entries])


@cron.command()
@click.argument("name")
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


def _describe(entry: StoredCron) -> dict[str, Any]:
    """Return an entry; what a row holds that can't be understood here is told as such."""
    try:
        words: str | None = Expression.parse(entry.expression).words
        next_run = entry.next_run
    except ConfigError:
        words, next_run = None, None
    return {
        "name": entry.name,
        "expression": entry.expression,
        "in_words": words,
        "timezone": entry.timezone,
        "dst": entry.dst,
        "worker": entry.worker,
        "queue": entry.options.get("queue"),
        "active": entry.active,
        "last_run": entry.last_run,
        "last_job_id": entry.last_job_id,
        "next_run": next_run,
    }


def _shown(entry: dict[str, Any], column: str) -> Any:
    value = entry[column]
    if column == "in_words":
        return value or _UNREADABLE
    if column == "active":
        return "yes" if value else "no"
    if value is not None and column in {"last_run", "next_run"}:
        return value.astimezone(_zone(entry["timezone"]))
    return value


def _zone(name: str) -> tzinfo:
    try:
        return load_zone(name)
    except ConfigError:
        return UTC
