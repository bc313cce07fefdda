"""`staffa cron add` and `staffa cron set`: entries that are made and changed at run time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import click

from staffa import registry
from staffa.cli.audit import audited
from staffa.cli.cron_status import describe_fully
from staffa.cli.filters import parse_pairs
from staffa.cli.loading import import_modules, import_option
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import command, open_client
from staffa.cli.output import Output, printable
from staffa.config import Config
from staffa.cron.entries import Cron
from staffa.cron.schedule import POLICIES
from staffa.cron.stored import StoredCron
from staffa.options import MAX_ATTEMPTS, MAX_PRIORITY

_PAIRS = {"args": "--arg", "meta": "--meta", "more": "--option"}
_NAMES = ("timezone", "dst", "queue", "priority", "max_attempts", "tags", *_PAIRS)
_OPTIONS = (
    click.option("--timezone", metavar="ZONE", help="Where the expression is read."),
    click.option(
        "--dst",
        type=click.Choice(POLICIES),
        metavar="POLICY",
        help=f"What happens where clocks change: {', '.join(POLICIES)}.",
    ),
    click.option(
        "--arg",
        "args",
        multiple=True,
        metavar="KEY=VALUE",
        help="An arg of its jobs; a value is JSON, else text. May be repeated.",
    ),
    click.option("--queue", metavar="NAME", help="The queue of its jobs."),
    click.option(
        "--priority",
        type=WholeNumber(0, MAX_PRIORITY),
        metavar="N",
        help="Of its jobs; 0 is the most urgent.",
    ),
    click.option(
        "--max-attempts",
        type=WholeNumber(1, MAX_ATTEMPTS),
        metavar="N",
        help="How often each of its jobs may run.",
    ),
    click.option("--tag", "tags", multiple=True, metavar="TAG", help="Of its jobs; repeatable."),
    click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Data about its jobs."),
    click.option(
        "--option",
        "more",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other option of its jobs, such as timeout=30 or unique='{\"period\": 60}'.",
    ),
)


def _entry_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of an entry; it is called with `given`, those that are there."""

    @functools.wraps(function)
    def run(**options: Any) -> None:
        given = {name: options.pop(name) for name in _NAMES}
        for name, option in _PAIRS.items():
            given[name] = parse_pairs(given[name], option)
        more = given.pop("more")
        chosen = {name: value for name, value in given.items() if value not in (None, (), {})}
        function(given={**chosen, **more}, **options)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


@click.command()
@click.argument("name")
@click.argument("expression")
@click.argument("worker")
@_entry_options
@click.option("--guaranteed", is_flag=True, help="Make up for the latest tick that was missed.")
@click.option("--paused", is_flag=True, help="Paused until it is resumed.")
@import_option
@command
async def add(
    config: Config,
    output: Output,
    name: str,
    expression: str,
    worker: str,
    given: dict[str, Any],
    guaranteed: bool,
    paused: bool,
    modules: Sequence[str],
) -> None:
    """Make an entry of cron.

    It holds for all processes until it is deleted. With --import, the worker's own options hold,
    such as its queue, and args are checked. Exits with 2 if there is one of that name.

    Example: staffa cron add mondays "0 9 * * MON" shop.greet --queue mail
    """
    import_modules(modules)
    entry = Cron(
        expression, worker=worker, name=name, guaranteed=guaranteed, paused=paused, **given
    )
    async with open_client(config) as client:
        with audited(config, "cron.add", cron=name, worker=worker):
            stored = await client.insert_cron(entry)
    if not output.as_json and registry.find(worker) is None:
        told = f"worker {worker!r} is not known here: give --import for its own options to hold"
        click.echo(printable(told), err=True)
    _tell(output, stored, "added")


@click.command("set")
@click.argument("name")
@click.option("--expression", metavar="CRON", help="When.")
@click.option("--worker", metavar="NAME", help="Whose jobs.")
@_entry_options
@click.option(
    "--guaranteed/--no-guaranteed", default=None, help="Make up for the latest tick missed, or not."
)
@import_option
@command
async def set_(
    config: Config,
    output: Output,
    name: str,
    expression: str | None,
    worker: str | None,
    given: dict[str, Any],
    guaranteed: bool | None,
    modules: Sequence[str],
) -> None:
    """Change options of an entry; the others stay as they are.

    --arg, --tag and --meta replace all there were. An option of an entry that is in the
    configuration comes back when the configuration changes it.

    Example: staffa cron set mondays --expression "0 8 * * MON" --priority 1
    """
    import_modules(modules)
    own = {"expression": expression, "worker": worker, "guaranteed": guaranteed}
    changes: Any = {key: value for key, value in own.items() if value is not None} | given
    async with open_client(config) as client:
        with audited(config, "cron.set", cron=name, options=sorted(changes)):
            stored = await client.update_cron(name, **changes)
    _tell(output, stored, "changed")


def _tell(output: Output, entry: StoredCron, done: str) -> None:
    described = describe_fully(entry)
    words = described["in_words"] or entry.expression
    output.say(f"cron entry {entry.name}: {done}: {words}, {entry.timezone}", **described)
