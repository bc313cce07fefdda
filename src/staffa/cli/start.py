"""`staffa start`: run queues until a signal says stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import click

from staffa import registry, telemetry
from staffa.cli.loading import import_modules, import_option
from staffa.cli.options import command
from staffa.cli.output import Output, one_line, printable
from staffa.cli.oversights import find_oversights
from staffa.cli.reload import Sources, run_reloading, source_folders
from staffa.client import Staffa
from staffa.config import Config
from staffa.errors import ConfigError, InstanceError
from staffa.settings import parse_queue_list
from staffa.telemetry import Event
from staffa.telemetry.logs import EXTRA

logger = logging.getLogger("staffa")

_LAST_SECONDS = 1.0
_LINE_END = "\n"
_EXPECTED = ("completed", "scheduled", "available", "rescued")
_LOGGED = (
    "cron", "job", "leader", "loop", "notifier", "process", "queue", "shutdown", "sonar", "thread",
)  # fmt: skip
_UNEXPECTED = ("retryable", "discarded", "cancelled", "lease_lost", "unknown_worker")


@click.command()
@click.option("--queues", metavar="NAME:LIMIT,...", help="What to run, e.g. default:10,mail:5.")
@import_option
@click.option(
    "--health-port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Tell /healthz and /readyz there; 0 takes a free one.",
)
@click.option("--health-host", metavar="ADDRESS", help="Where that is opened, else 127.0.0.1.")
@click.option("--reload", is_flag=True, help="Start anew whenever a Python file changes.")
@command
async def start(
    config: Config,
    output: Output,
    queues: str | None,
    modules: Sequence[str],
    health_port: int | None,
    health_host: str | None,
    reload: bool,
) -> None:
    """Run queues until SIGTERM or SIGINT.

    The first signal lets running jobs end within the grace period, a second one ends that at once.
    Where an imported module makes a client of its own, that one is started. --reload is for
    development.

    Example: staffa start --import myapp.jobs --queues default:10,mail:5
    """
    _log_to_terminal(as_json=output.as_json)
    if reload:
        raise SystemExit(await _reload([*config.imports, *modules]))
    # Process 1 of a container ignores signals without a handler: it would run on, to be killed.
    signal.signal(signal.SIGTERM, _end_before_start)
    import_modules([*config.imports, *modules])
    client = _find_client(config)
    client.config = client.config.with_health(health_host, health_port)
    wanted = parse_queue_list(queues) if queues else client.config.queues or config.queues
    if not wanted:
        raise ConfigError(
            "there are no queues to run: give --queues default:10, or [queues] in staffa.toml"
        )
    try:
        await _run(client, wanted)
    finally:
        await client.stop()
    await _leave_behind_what_does_not_end()


def _end_before_start(number: int, frame: FrameType | None) -> None:
    logger.info("stopped before it had started")
    sys.exit(0)


async def _reload(modules: Sequence[str]) -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != "--reload"]
    sources = Sources(source_folders(modules))
    return await run_reloading([sys.executable, "-m", "staffa", *arguments], sources)


async def _run(client: Staffa, queues: Mapping[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, None)
    if not await _start(client, queues, signals):
        return
    running = {check.queue: check.limit for check in client.check_all_queues()}
    told = ", ".join(f"{queue}:{limit}" for queue, limit in running.items())
    known = [found for name in registry.names() if (found := registry.find(name))]
    logger.info("running %s; workers known: %d", told, len(known))
    for oversight in find_oversights(running, [worker.options.get("queue") for worker in known]):
        logger.warning("%s", oversight)
    await signals.get()
    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(client.stop())
        hurrying = group.create_task(_stop_at_once(client, signals))
        await asyncio.wait([stopping])
        hurrying.cancel()
    logger.info("stopped")


async def _start(client: Staffa, queues: Mapping[str, Any], signals: asyncio.Queue[None]) -> bool:
    """Start, unless a signal comes before that is done; tell if it was."""
    starting = asyncio.ensure_future(client.start(queues=queues))
    signalled = asyncio.ensure_future(signals.get())
    await asyncio.wait([starting, signalled], return_when=asyncio.FIRST_COMPLETED)
    for task in (starting, signalled):
        task.cancel()
    await asyncio.wait([starting, signalled])
    if starting.cancelled():
        logger.info("stopped before it had started")
        return False
    starting.result()  # raises what kept it from starting
    if not signalled.cancelled():  # both at once
        signals.put_nowait(None)
    return True


async def _leave_behind_what_does_not_end() -> None:
    """End the process although jobs go on that ignore their cancellation: they were put back."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left and (await asyncio.wait(left, timeout=_LAST_SECONDS))[1]:
        logger.warning("jobs that ignore their cancellation are left behind")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _stop_at_once(client: Staffa, signals: asyncio.Queue[None]) -> None:
    """End the grace period at the next signal."""
    await signals.get()
    logger.info("stopping at once")
    await client.stop(grace=0)


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


def _log_to_terminal(*, as_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if as_json else _LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if as_json:
        telemetry.attach_default_logger(events=_LOGGED)
        return
    telemetry.attach(_log_shutdown, events="staffa.shutdown.begin")
    telemetry.attach(
        _log_outcome, events=[f"staffa.job.{name}" for name in _EXPECTED + _UNEXPECTED]
    )


def _log_outcome(event: Event) -> None:
    job, outcome = event.data["job"], event.name.rpartition(".")[2]
    sentence = f"job {job.id} {one_line(job.worker)} {outcome}"
    if event.data.get("seconds") is not None:
        sentence += f" in {event.data['seconds'] * 1000:.1f} ms"
    if event.data.get("error") is not None:
        sentence += f": {str(event.data['error']).rpartition(_LINE_END)[2]}"
    logger.log(logging.INFO if outcome in _EXPECTED else logging.WARNING, "%s", sentence)


def _log_shutdown(event: Event) -> None:
    logger.info("stopping: running jobs may end within %g s", event.data["grace"])


class _LineFormatter(logging.Formatter):
    """Lines for people, without control characters that data may hold."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
                "level": record.levelname.lower(),
                **getattr(record, EXTRA, {"message": record.getMessage()}),
                **({"error": self.formatException(record.exc_info)} if record.exc_info else {}),
            }
        )
