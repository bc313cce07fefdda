"""`staffa jobs signal`: send a signal to jobs; and what `staffa jobs show` tells of signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from staffa._internal import json
from staffa.cli.audit import audited
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import EXIT_REFUSED, command, open_client
from staffa.cli.output import Output, printable
from staffa.config import Config
from staffa.jobs import Job
from staffa.signals import AWAITS_KEY, DEFAULT_NAME, SIGNALS_KEY, find_object, find_signal

_REASON = "they have ended, are not there, or had it before"


@click.command()
@click.argument("ids", type=WholeNumber(min=1), nargs=-1, required=True, metavar="ID...")
@click.option("--payload", metavar="JSON", help="What the jobs get; null if not given.")
@click.option(
    "--name", metavar="NAME", default=DEFAULT_NAME, show_default=True, help="Which signal it is."
)
@command
async def signal(
    config: Config, output: Output, ids: Sequence[int], payload: str | None, name: str
) -> None:
    """Send a signal to jobs that await it, or will.

    Exits with 1 if none has got it: they have ended, are not there, or had it before.

    Example: staffa jobs signal 42 --payload '{"approved": true}'
    """
    given = None if payload is None else _parse(payload)
    async with open_client(config) as client:
        with audited(config, "jobs.signal", ids=list(ids), signal=name) as action:
            signalled = await client.signal(ids, given, name=name)
            action.count = len(signalled)
    left = [number for number in ids if number not in signalled]
    sentence = f"signalled: {', '.join(map(str, signalled)) or 'none'}"
    if left:
        sentence += f"; left alone: {', '.join(map(str, left))} ({_REASON})"
    output.say(sentence, signalled=signalled, left_alone=left)
    if not signalled:
        raise SystemExit(EXIT_REFUSED)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.UsageError(
            f"--payload is no JSON: {error}; text is written with its quotes, '\"yes\"'"
        ) from None


def tell_signals(job: Job) -> str:
    """Return what a job has got and awaits, a line for each; any client may have written it."""
    names = [*find_object(job.meta, SIGNALS_KEY), *find_object(job.meta, AWAITS_KEY)]
    return "\n".join(printable(_tell(job, name)) for name in dict.fromkeys(names))


def _tell(job: Job, name: str) -> str:
    signal_ = find_signal(job.meta, name)
    if signal_ is not None:
        return f"{name}: received at {signal_.get('at')}, {json.dumps(signal_.get('payload'))}"
    waited = find_object(find_object(job.meta, AWAITS_KEY), name)
    if waited.get("timed_out") is True:
        return f"{name}: not received until {waited.get('until')}"
    return f"{name}: awaited until {waited.get('until') or 'it comes'}"
