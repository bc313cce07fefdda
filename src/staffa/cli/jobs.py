"""`staffa jobs`: look at jobs; what changes them comes from `staffa.cli.changes` and `signals`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from staffa.cli.changes import cancel, delete, retry
from staffa.cli.filters import filter_options
from staffa.cli.groups import Commands
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import EXIT_REFUSED, command, open_client
from staffa.cli.output import Output, cell
from staffa.cli.signals import signal, tell_signals
from staffa.config import Config
from staffa.filters import JobFilter
from staffa.jobs import Job

_COLUMNS = ("id", "state", "queue", "worker", "attempt", "scheduled_at", "args")
_FIELDS = (
    "id", "state", "queue", "worker", "args", "meta", "tags", "attempt", "max_attempts",
    "priority", "attempted_by", "inserted_at", "scheduled_at", "attempted_at", "completed_at",
    "cancelled_at", "discarded_at", "errors",
)  # fmt: skip
_IDS = click.argument("ids", type=WholeNumber(min=1), nargs=-1, required=True, metavar="ID...")


@click.group(cls=Commands)
def jobs() -> None:
    """List, show, retry, cancel, delete and signal jobs.

    Example: staffa jobs list --state retryable
    """


@jobs.command("list")
@filter_options
@click.option(
    "--limit",
    type=WholeNumber(1, 10_000),
    metavar="N",
    default=50,
    show_default=True,
    help="At most so many.",
)
@command
async def list_(config: Config, output: Output, wanted: JobFilter, limit: int) -> None:
    """List jobs, the newest first.

    Example: staffa jobs list --state retryable --attempted-after 2h
    """
    async with open_client(config) as client:
        found = await client.list_jobs(replace(wanted, limit=limit))
    if output.as_json:
        output.data([_describe(job) for job in found])
        return
    if not found:
        output.say("there are no such jobs")
        return
    output.table(_COLUMNS, [_row(job) for job in found])


@jobs.command()
@_IDS
@command
async def show(config: Config, output: Output, ids: Sequence[int]) -> None:
    """Show all that is stored of jobs.

    Exits with 1 if one is missing.

    Example: staffa jobs show 42
    """
    async with open_client(config) as client:
        found = [await client.get_job(number) for number in ids]
    if output.as_json:
        output.data([_describe(job) for job in found if job is not None])
    else:
        for number, job in zip(ids, found, strict=True):
            if job is not None:
                output.record({**_describe_signals(job), "errors": _tell_errors(job)})
            else:
                click.echo(f"there is no job {number}", err=True)
    if None in found:
        raise SystemExit(EXIT_REFUSED)


def _row(job: Job) -> tuple[Any, ...]:
    attempts = f"{job.attempt}/{job.max_attempts}"
    return (job.id, job.state, job.queue, job.worker, attempts, job.scheduled_at, _short(job))


def _short(job: Job) -> str:
    return job.args_json if len(job.args_json) <= 60 else f"{job.args_json[:57]}..."


def _describe(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in _FIELDS}


def _describe_signals(job: Job) -> dict[str, Any]:
    """Return the columns of a job, and the signals that it has got and awaits, if there are any."""
    told = tell_signals(job)
    return _describe(job) | ({"signals": told} if told else {})


def _tell_errors(job: Job) -> str:
    """Return the errors as people read them; the last one is the last thing that they see."""
    return "\n\n".join(map(_tell_error, job.errors))


def _tell_error(error: object) -> str:
    """Return what a row holds as an error; others than Staffa may have written it."""
    if not isinstance(error, dict):
        return cell(error)
    return f"attempt {error.get('attempt')}, {error.get('at')}\n{error.get('error')}"


for _change in (retry, cancel, delete, signal):
    jobs.add_command(_change)
