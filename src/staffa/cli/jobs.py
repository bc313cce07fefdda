"""`staffa jobs`: look at jobs and change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from staffa._internal import json
from staffa.cli.options import EXIT_REFUSED, command, open_client
from staffa.cli.output import Output
from staffa.config import Config
from staffa.filters import JobFilter
from staffa.jobs import Job
from staffa.types import State

_COLUMNS = ("id", "state", "queue", "worker", "attempt", "scheduled_at", "args")
_FIELDS = (
    "id", "state", "queue", "worker", "args", "meta", "tags", "errors", "attempt", "max_attempts",
    "priority", "attempted_by", "inserted_at", "scheduled_at", "attempted_at", "completed_at",
    "cancelled_at", "discarded_at",
)  # fmt: skip
_IDS = click.argument("ids", type=click.IntRange(min=1), nargs=-1, required=True, metavar="ID...")


@click.group()
def jobs() -> None:
    """List, show, retry and cancel jobs.

    Example: staffa jobs list --state retryable
    """


@jobs.command("list")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([state.value for state in State])
)
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="May be given repeatedly.")
@click.option("--worker", "workers", multiple=True, metavar="NAME", help="May be given repeatedly.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="May be given repeatedly.")
@click.option(
    "--arg",
    "args",
    multiple=True,
    metavar="KEY=VALUE",
    help="An argument; its value is JSON, else text. All that are given must be there.",
)
@click.option("--before", type=click.IntRange(min=1), metavar="ID", help="Only older jobs.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@command
async def list_(
    config: Config,
    output: Output,
    states: Sequence[str],
    queues: Sequence[str],
    workers: Sequence[str],
    tags: Sequence[str],
    args: Sequence[str],
    before: int | None,
    limit: int,
) -> None:
    """List jobs, the newest first.

    Example: staffa jobs list --state retryable --queue mail
    """
    wanted = JobFilter(
        states=states or None,
        queues=queues or None,
        workers=workers or None,
        tags=tags or None,
        args=_parse_args(args),
        before_id=before,
        limit=limit,
    )
    async with open_client(config) as client:
        found = await client.list_jobs(wanted)
    if output.as_json:
        output.data([_describe(job) for job in found])
        return
    output.table(_COLUMNS, [_row(job) for job in found])


@jobs.command()
@_IDS
@command
async def show(config: Config, output: Output, ids: Sequence[int]) -> None:
    """Show all that is stored of jobs; exits with 1 if one is missing.

    Example: staffa jobs show 42
    """
    async with open_client(config) as client:
        found = [await client.get_job(number) for number in ids]
    if output.as_json:
        output.data([_describe(job) for job in found if job is not None])
    else:
        for number, job in zip(ids, found, strict=True):
            if job is not None:
                output.record(_describe(job))
            else:
                click.echo(f"there is no job {number}", err=True)
    if None in found:
        raise SystemExit(EXIT_REFUSED)


@jobs.command()
@_IDS
@command
async def retry(config: Config, output: Output, ids: Sequence[int]) -> None:
    """Make jobs available at once; exits with 1 if none could be.

    Example: staffa jobs retry 42 43
    """
    async with open_client(config) as client:
        changed = await client.retry_many_jobs(ids)
    _tell(output, "available", ids, changed, "they are available, running, suspended or not there")


@jobs.command()
@_IDS
@command
async def cancel(config: Config, output: Output, ids: Sequence[int]) -> None:
    """Cancel jobs, also running ones; exits with 1 if none could be.

    Example: staffa jobs cancel 42
    """
    async with open_client(config) as client:
        changed = await client.cancel_many_jobs(ids)
    _tell(output, "cancelled", ids, changed, "they have ended or are not there")


def _parse_args(pairs: Sequence[str]) -> dict[str, Any]:
    """Return arguments by name from ``key=value``, where the value is JSON if it can be."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{pair!r} is no KEY=VALUE", param_hint="--arg")
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


def _tell(
    output: Output, became: str, ids: Sequence[int], changed: Sequence[int], reason: str
) -> None:
    left = [number for number in ids if number not in set(changed)]
    sentence = f"{became}: {', '.join(map(str, changed)) or 'none'}"
    if left:
        sentence += f"; left alone: {', '.join(map(str, left))} ({reason})"
    output.say(sentence, **{became: list(changed), "left_alone": left})
    if not changed:
        raise SystemExit(EXIT_REFUSED)


def _row(job: Job) -> tuple[Any, ...]:
    attempts = f"{job.attempt}/{job.max_attempts}"
    return (job.id, job.state, job.queue, job.worker, attempts, job.scheduled_at, _short(job))


def _short(job: Job) -> str:
    return job.args_json if len(job.args_json) <= 60 else f"{job.args_json[:57]}..."


def _describe(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in _FIELDS}
