"""`staffa queues add`, `set` and `delete`: queues that are kept in the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from staffa.cli.audit import audited
from staffa.cli.loading import import_modules, import_option
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import EXIT_REFUSED, command, open_client
from staffa.cli.output import Output
from staffa.client import Staffa
from staffa.config import Config
from staffa.dynamic import write_options
from staffa.errors import StaffaError
from staffa.queue import MAX_LIMIT, parse_queues

F = TypeVar("F", bound=Callable[..., Any])

_NAME = click.argument("name", metavar="QUEUE")


def _pair(context: click.Context, parameter: click.Parameter, values: Any) -> dict[str, str]:
    """Return what was given as KEY=VALUE."""
    found = {}
    for value in values:
        key, sign, text = value.partition("=")
        if not sign or not key:
            raise click.BadParameter(f"{value!r} is no KEY=VALUE", context, parameter)
        found[key.replace("-", "_")] = text
    return found


def _options(function: F) -> F:
    """Add what says how a queue runs."""
    for option in (
        click.option(
            "--option",
            "others",
            multiple=True,
            metavar="NAME=JSON",
            callback=_pair,
            help="Any other option, as in staffa.toml, its value as JSON; may be repeated.",
        ),
        click.option(
            "--only",
            multiple=True,
            metavar="KEY=VALUE",
            callback=_pair,
            help="Where it runs: node, not-node, node-matches, or env and value; may be repeated.",
        ),
        click.option("--paused/--no-paused", default=None, help="Whether it starts paused."),
        click.option(
            "--limit", type=WholeNumber(1, MAX_LIMIT), metavar="N", help="How many jobs at once."
        ),
    ):
        function = option(function)
    return function


@click.command()
@_NAME
@_options
@import_option
@command
async def add(
    config: Config, output: Output, name: str, modules: Sequence[str], **given: Any
) -> None:
    """Keep a queue in the database, and run it on all nodes that it names.

    If there is a dynamic queue of this name, it has these options from now on and no others.

    Example: staffa queues add reports --limit 2 --only node-matches=^batch
    """
    import_modules(modules)
    options = write_options(parse_queues({name: _given(**given)})[name])
    async with open_client(config) as client:
        with audited(config, "queues.add", queues=[name], options=options):
            await client.insert_queue(name, options)
    output.say(f"queue {name}: added", action="add", queues=[name], options=options)


@click.command("set")
@_NAME
@_options
@click.option("--everywhere", is_flag=True, help="Run it on all nodes again.")
@import_option
@command
async def set_(
    config: Config,
    output: Output,
    name: str,
    everywhere: bool,
    modules: Sequence[str],
    **given: Any,
) -> None:
    """Change options of a dynamic queue, and leave its others as they are.

    The value null of --option takes one back to its default. Limits of all nodes are such options:
    --option rate_limit='{"allowed": 60, "period": 60}'.

    Example: staffa queues set reports --limit 5 --everywhere
    """
    changes = _given(**given)
    if everywhere:
        if "only" in changes:
            raise click.UsageError("give --only or --everywhere")
        changes["only"] = None
    if not changes:
        raise click.UsageError("give options to change, such as --limit 5")
    import_modules(modules)
    async with open_client(config) as client:
        with audited(config, "queues.set", queues=[name], options=changes):
            await client.update_queue(name, **changes)
    output.say(f"queue {name}: changed", action="set", queues=[name], options=changes)


@click.command()
@_NAME
@click.option("--yes", is_flag=True, help="Don't ask.")
@import_option
@command
async def delete(
    config: Config, output: Output, name: str, yes: bool, modules: Sequence[str]
) -> None:
    """Run a dynamic queue nowhere any more; its jobs stay.

    Those that run go on to their end. Whoever sits at the terminal is asked; without one, --yes is
    needed, or it exits with 1.

    Example: staffa queues delete reports --yes
    """
    import_modules(modules)
    async with open_client(config) as client:
        if not yes:
            await _ask(client, output, name)
        with audited(config, "queues.delete", queues=[name]):
            if not await client.delete_queue(name):
                raise _unknown(name)
    output.say(f"queue {name}: deleted", action="delete", queues=[name])


async def _ask(client: Staffa, output: Output, name: str) -> None:
    if name not in {queue.queue for queue in await client.list_queues()}:
        raise _unknown(name)
    if not output.interactive:
        output.say(f"would delete dynamic queue {name}: give --yes to do so", would_delete=name)
        raise SystemExit(EXIT_REFUSED)
    click.confirm(f"Delete dynamic queue {name}?", abort=True, err=True)


def _unknown(name: str) -> StaffaError:
    return StaffaError(f"there is no dynamic queue {name!r}")


def _given(
    *, limit: int | None, paused: bool | None, only: dict[str, str], others: dict[str, str]
) -> dict[str, Any]:
    """Return the options that were given."""
    found = {option: _decode(option, text) for option, text in others.items()}
    named = {"limit": limit, "paused": paused, "only": only or None}
    return found | {option: value for option, value in named.items() if value is not None}


def _decode(option: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise click.UsageError(
            f"--option {option}={text!r:.100} is no JSON: give a number, true, or a text in quotes"
        ) from None
