"""The demo's run: starts the server, the client and the crawl, and shows how far they are."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import asyncpg
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.cli.demo.brittleness import Brittleness, BrittlenessSettings
from staffa.cli.demo.catalogue import Catalogue, Progress
from staffa.cli.demo.crawler import CRAWL, PARSE, Crawl, begin, follow
from staffa.cli.demo.keywords import read_keywords, shipped_keywords
from staffa.cli.demo.library import Library
from staffa.cli.demo.report import tell
from staffa.cli.demo.server import DocumentationServer
from staffa.cli.options import EXIT_REFUSED, open_database
from staffa.cli.output import Output
from staffa.client import Staffa
from staffa.client.backend import make_migrator
from staffa.config import DEFAULT_PREFIX, Config
from staffa.filters import JobFilter
from staffa.limits import RateLimit
from staffa.queue import Queue
from staffa.queues.pools.process.settings import usable_cores
from staffa.types import State

_PREFIX = "staffa_demo"
_MARGIN = 0.88  # for requests that arrive later than their jobs were started
_AT_A_TIME = 2
_LOOK_SECONDS = 0.2
_TELL_SECONDS = 5.0


async def run(
    config: Config, output: Output, keywords: Path | None, *, once: bool, fresh: bool, seed: int
) -> None:
    """Run the demo; the arguments are those of the command."""
    names = read_keywords(keywords) if keywords else shipped_keywords()
    prefix = _PREFIX if config.prefix == DEFAULT_PREFIX else config.prefix
    catalogue = Catalogue(prefix, [CRAWL, PARSE])
    settings = BrittlenessSettings(seed=seed)
    server = DocumentationServer(Library().page, Brittleness(settings))
    queues = {
        CRAWL: Queue(limit=30, rate_limit=_limit_rate(settings)),
        PARSE: Queue(limit=usable_cores()),
    }
    async with open_database(config) as dsn:
        await make_migrator(dsn, prefix).up()
        async with asyncpg.create_pool(dsn, min_size=1, max_size=10) as pool:
            await catalogue.create(pool)
            if fresh:
                await catalogue.clear(pool)
            async with _stopped_by_signals() as stopping, _running(dsn, prefix) as client:
                with server:
                    crawl = Crawl(client, pool, catalogue, server.base_url)
                    begin(crawl, dsn)
                    await _crawl(crawl, queues, names, output, stopping, server, once=once)


def _limit_rate(settings: BrittlenessSettings) -> RateLimit:
    """Return a limit that keeps below what the server bears.

    It is an even flow: requests that are made all at once wait for each other, and come late.
    """
    seconds = settings.window_seconds / (settings.requests_per_window * _MARGIN)
    return RateLimit(_AT_A_TIME, period=_AT_A_TIME * seconds)


async def _crawl(
    crawl: Crawl,
    queues: Mapping[str, Queue],
    names: tuple[str, ...],
    output: Output,
    stopping: asyncio.Event,
    server: DocumentationServer,
    *,
    once: bool,
) -> None:
    began = SYSTEM_CLOCK.monotonic()
    async with crawl.pool.acquire() as connection, connection.transaction():
        await follow(crawl.client, crawl.catalogue, connection, names)
    await crawl.client.start(queues=queues)
    progress = await _watch(crawl, stopping)
    efforts = await crawl.catalogue.efforts(crawl.pool)
    tell(output, progress, efforts, server.counts, SYSTEM_CLOCK.monotonic() - began)
    if progress.done < progress.seen:
        raise SystemExit(EXIT_REFUSED)
    if not once and not stopping.is_set():
        click.echo(
            f"look at the jobs: staffa jobs list --prefix {_PREFIX}; Ctrl-C ends this", err=True
        )
        await stopping.wait()


async def _watch(crawl: Crawl, stopping: asyncio.Event) -> Progress:
    """Show how far the crawl is until it is over or somebody wants it to stop."""
    console = Console(stderr=True)
    with _Display(console) as display:
        while True:
            progress = await crawl.catalogue.progress(crawl.pool)
            display.show(progress, await _running_jobs(crawl.client))
            if progress.over or stopping.is_set():
                return progress
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stopping.wait()


async def _running_jobs(client: Staffa) -> str:
    """Return how far the pages are that are being parsed, as far as their jobs have told."""
    running = await client.list_jobs(JobFilter(queues=[PARSE], states=[State.EXECUTING]))
    told = [(job.args["keyword"], job.meta.get("progress")) for job in running]
    shares = [(keyword, noted["value"]) for keyword, noted in told if isinstance(noted, dict)]
    return ", ".join(f"{keyword} {share:.0%}" for keyword, share in shares)


class _Display:
    """Bars on a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_at = -_TELL_SECONDS
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[doing]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._fetched = self._bar.add_task("fetched", doing="")
        self._parsed = self._bar.add_task("parsed", doing="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, progress: Progress, doing: str) -> None:
        self._bar.update(self._fetched, completed=progress.fetched, total=progress.seen)
        self._bar.update(self._parsed, completed=progress.done, total=progress.seen, doing=doing)
        now = SYSTEM_CLOCK.monotonic()
        if self._bar.disable and (progress.over or now - self._told_at >= _TELL_SECONDS):
            self._told_at = now
            said = f"{progress.done} of {progress.seen} keywords are done"
            click.echo(f"{said}, parsing {doing}" if doing else said, err=True)


@asynccontextmanager
async def _running(dsn: str, prefix: str) -> AsyncIterator[Staffa]:
    """Yield a client that notices the death of its predecessor quickly."""
    client = Staffa(dsn, prefix=prefix, name="demo", heartbeat=1, dead_after=4)
    try:
        yield client
    finally:
        await client.stop(grace=5)


@asynccontextmanager
async def _stopped_by_signals() -> AsyncIterator[asyncio.Event]:
    """Yield an event that SIGINT and SIGTERM set."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
