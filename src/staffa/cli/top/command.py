"""`staffa top`: the view, drawn again and again until somebody has seen enough."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from staffa.cli.options import command, open_backend
from staffa.cli.output import PIPE_WIDTH, Output
from staffa.cli.top.frame import draw
from staffa.cli.top.keys import keys_read
from staffa.cli.top.snapshot import Snapshot, take_snapshot
from staffa.client.backend import Backend
from staffa.config import Config
from staffa.errors import DatabaseError

_ALL_LINES = 200
_QUIT = frozenset("qQ\x03\x04")


@click.command()
@click.option("--once", is_flag=True, help="Print one frame and end; for scripts.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 60),
    metavar="SECONDS",
    default=2.0,
    show_default=True,
    help="Between two looks.",
)
@command
async def top(config: Config, output: Output, once: bool, interval: float) -> None:
    """Watch queues, running jobs and errors; q ends it.

    Each look is seven statements that indexes make cheap, however many jobs there are; of those
    that wait, up to 10000 are counted in each queue. With --json each look is one object a line.

    Example: staffa top --interval 5
    """
    async with open_backend(config) as backend:
        view = _View(config, backend, interval)
        if output.as_json:
            await _print_json(view, output, interval, once=once)
        elif once:
            console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
            console.print(draw(await view.look(), name=config.name, height=_ALL_LINES))
        elif not sys.stdout.isatty():
            raise click.UsageError("the standard output is no terminal: give --once or --json")
        else:
            await _watch(view, config, interval)


class _View:
    """Looks, on the database's clock."""

    def __init__(self, config: Config, backend: Backend, interval: float) -> None:
        self._config = config
        self._engine = backend.engine
        self._interval = interval

    async def look(self) -> Snapshot:
        """Return what there is to see now."""
        now = (await self._engine.survey.check_server()).now
        return await take_snapshot(
            self._engine,
            now,
            self._config.name,
            dead_after=self._config.dead_after,
            interval=self._interval,
        )


async def _print_json(view: _View, output: Output, interval: float, *, once: bool) -> None:
    ending = asyncio.Event()
    _end_on_signals(ending.set)
    while True:
        output.data((await view.look()).describe())
        sys.stdout.flush()
        if once:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(interval):
                await ending.wait()
        if ending.is_set():
            return


async def _watch(view: _View, config: Config, interval: float) -> None:
    """Draw until a key or a signal ends it; what can't be read is told, and tried again."""
    console = Console(highlight=False)
    ending, changed = asyncio.Event(), asyncio.Event()

    def end() -> None:
        ending.set()
        changed.set()

    loop = asyncio.get_running_loop()
    _end_on_signals(end)
    loop.add_signal_handler(signal.SIGWINCH, changed.set)
    snapshot: Snapshot | None = None
    due_at, trouble = 0.0, None
    with (
        suppress(OSError),  # the terminal has gone away
        Live(console=console, screen=True, auto_refresh=False) as live,
        keys_read(lambda key: end() if key in _QUIT else None, end),
    ):
        while not ending.is_set():
            if loop.time() >= due_at:
                try:
                    snapshot, trouble = await view.look(), None
                except DatabaseError as error:
                    trouble = f"trying again: {error}"
                due_at = loop.time() + interval
            if snapshot is None:
                live.update(Text(str(trouble)), refresh=True)
            else:
                frame = draw(snapshot, name=config.name, height=console.height, trouble=trouble)
                live.update(frame, refresh=True)
            changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(due_at - loop.time(), 0.0)):
                    await changed.wait()


def _end_on_signals(end: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)
