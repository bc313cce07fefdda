"""`staffa start`: run queues until a signal says stop."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

import click

from staffa.cli.loading import import_modules, import_option
from staffa.cli.options import command
from staffa.cli.output import Output
from staffa.cli.processes.parent import Parent
from staffa.cli.processes.supervisor import Supervisor
from staffa.cli.reload import Sources, run_reloading, source_folders
from staffa.cli.start_log import log_to_terminal
from staffa.cli.worker import run_worker
from staffa.client import Staffa
from staffa.config import Config
from staffa.errors import ConfigError, InstanceError
from staffa.queue import Queue, keep_options, parse_queues
from staffa.settings import parse_queue_list
from staffa.share import WHOLE, Share

logger = logging.getLogger("staffa")

_MOST_PROCESSES = 256


def _parse_part(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    """Return which of several processes this is."""
    if text is None:
        return None
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise click.BadParameter(f"{text!r} is no part such as 2/4")
    return Share(int(number) - 1, int(count))


def _child_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a supervisor gives its children besides its own arguments."""
    number = click.IntRange(0)
    for option in (
        click.option("--parent", hidden=True, type=number),
        click.option("--since", hidden=True, type=number),
        click.option("--part", hidden=True, callback=_parse_part),
    ):
        function = option(function)
    return function


@click.command()
@click.option("--queues", metavar="NAME:LIMIT,...", help="What to run, e.g. default:10,mail:5.")
@import_option
@click.option(
    "--processes",
    type=click.IntRange(1, _MOST_PROCESSES),
    metavar="N",
    help="Run so many worker processes, which share the limits.",
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Tell /healthz and /readyz there; 0 takes a free one.",
)
@click.option("--health-host", metavar="ADDRESS", help="Where that is opened, else 127.0.0.1.")
@click.option("--reload", is_flag=True, help="Start anew whenever a Python file changes.")
@_child_options
@command
async def start(
    config: Config,
    output: Output,
    queues: str | None,
    modules: Sequence[str],
    processes: int | None,
    health_port: int | None,
    health_host: str | None,
    reload: bool,
    part: Share | None,
    since: int | None,
    parent: int | None,
) -> None:
    """Run queues until SIGTERM or SIGINT.

    The first signal lets running jobs end within the grace period, a second one ends that at once.
    Where an imported module makes a client of its own, that one is started. --reload is for
    development.

    Example: staffa start --import myapp.jobs --queues default:10,mail:5
    """
    log_to_terminal(as_json=output.as_json, part=part)
    if reload and part is None:
        raise SystemExit(await _reload([*config.imports, *modules]))
    count = processes or config.worker_processes
    if count > 1 and part is None:
        raise SystemExit(await Supervisor(_same_command(sys.argv[1:]), count).run())
    # Process 1 of a container ignores signals without a handler: it would run on, to be killed.
    signal.signal(signal.SIGTERM, _end_before_start)
    supervisor = None if parent is None else Parent.join(parent)
    if supervisor is not None:
        supervisor.start()
    import_modules([*config.imports, *modules])
    client = _find_client(config)
    share = WHOLE if part is None else replace(part, since=since)
    client.config = client.config.with_health(health_host, health_port).with_share(share)
    given: Mapping[str, Any] = client.config.queues or config.queues
    if queues:
        given = keep_options(parse_queue_list(queues), given)
    mode = client.config.dynamic_queues or config.dynamic_queues
    client.config = client.config.with_dynamic_queues(mode)
    queues_to_run = _check_queues(given, share, client.config.node_limit, dynamic=mode is not None)
    await run_worker(client, queues_to_run, supervisor)


def _end_before_start(number: int, frame: FrameType | None) -> None:
    logger.info("stopped before it had started")
    sys.exit(0)


async def _reload(modules: Sequence[str]) -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--reload"]
    return await run_reloading(_same_command(arguments), Sources(source_folders(modules)))


def _same_command(arguments: Sequence[str]) -> list[str]:
    """Return how this program is started anew, before any code of the user's is imported."""
    options = [f"-W{option}" for option in sys.warnoptions]
    if os.getcwd() not in sys.path:  # else -m would put it there, before the standard library
        options.append("-P")
    return [sys.executable, *options, "-m", "staffa", *arguments]


def _check_queues(
    given: Mapping[str, Any], share: Share, node_limit: int | None, *, dynamic: bool
) -> dict[str, Queue]:
    """Return what to run, or refuse it.

    Raises:
        ConfigError: If there is nothing, or less than there are processes.
    """
    queues = parse_queues(given)
    if dynamic:  # what is in the database counts
        return queues
    if not queues:
        raise ConfigError(
            "there are no queues to run: give --queues default:10, or [queues] in staffa.toml"
        )
    name, largest = max(queues.items(), key=lambda item: item[1].limit)
    if largest.limit < share.count:
        raise ConfigError(
            f"{share.count} processes share the limits of the queues, and the highest, of "
            f"{name!r}, is {largest.limit}: some would have nothing to run; give --processes "
            f"{largest.limit} or less, or a higher limit"
        )
    if node_limit is not None and node_limit < share.count:
        raise ConfigError(
            f"{share.count} processes share node_limit, which is {node_limit}: some could run "
            f"nothing; give --processes {node_limit} or less, or a higher node_limit"
        )
    return queues


def _find_client(config: Config) -> Staffa:
    """Return the client that an imported module made, or a new one."""
    try:
        made = Staffa.get_instance(config.name)
    except InstanceError:
        return Staffa(config.dsn, prefix=config.prefix, name=config.name, node=config.node)
    given = click.get_current_context().params
    for setting in ("dsn", "prefix"):
        if given[setting] is not None and getattr(made.config, setting) != given[setting]:
            raise ConfigError(
                f"--{setting} is given, but an imported module makes the client {config.name!r} "
                f"with another {setting}: leave the option out, or change the module"
            )
    return made
