"""What the commands have in common: options, settings, and how errors end them.

Exit codes: 0 done; 1 refused or nothing found; 2 wrong usage or settings; 3 the database can't be
reached.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from staffa._internal.lazy import load
from staffa.cli.output import Output, printable
from staffa.cli.places import place_of
from staffa.client import Staffa
from staffa.client.backend import Backend, make_backend
from staffa.config import Config
from staffa.errors import ConfigError, DatabaseUnavailable, StaffaError

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

_OPTIONS = (
    click.option("--dsn", metavar="URL", help="Database; else STAFFA_DSN, staffa.toml, embedded."),
    click.option("--prefix", metavar="SCHEMA", help="Schema of the tables (default: public)."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)

Command = Callable[..., Coroutine[Any, Any, None]]


def command(function: Command) -> Callable[..., None]:
    """Make a coroutine function the body of a click command, with the common options.

    It is called with `config` and `output` besides its own options.
    """

    @functools.wraps(function)
    def run(dsn: str | None, prefix: str | None, as_json: bool, **options: Any) -> None:
        output = Output(as_json=as_json)
        try:
            config = Config.load(dsn=dsn, prefix=prefix)
        except StaffaError as error:
            fail(error, as_json=as_json)
        try:
            asyncio.run(function(config=config, output=output, **options))
        except StaffaError as error:
            fail(error, as_json=as_json, dsn=config.dsn)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def fail(error: StaffaError, *, as_json: bool = False, dsn: str | None = None) -> NoReturn:
    """Print an error and end the process with the code of its kind.

    Args:
        error: What went wrong.
        as_json: Whether it is printed as JSON.
        dsn: The database that was used: where it can't be reached, its place is told.
    """
    message = str(error)
    away = error if isinstance(error, DatabaseUnavailable) else error.__cause__
    place = None if dsn is None else place_of(dsn)
    if isinstance(away, DatabaseUnavailable) and away.sqlstate is None and place is not None:
        message += f"; looked for {place}: see that it runs, or set dsn to another one"
    if as_json:
        text = json.dumps({"error": {"type": type(error).__name__, "message": message}})
    else:
        text = f"Error: {printable(message)}"
    click.echo(text, err=True)
    sys.exit(_code(error))


@asynccontextmanager
async def open_client(config: Config) -> AsyncIterator[Staffa]:
    """Yield a client that only sends and asks."""
    client = Staffa(config.dsn, prefix=config.prefix, name=config.name, node=config.node)
    try:
        await client.start()
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def open_backend(config: Config) -> AsyncIterator[Backend]:
    """Yield what a client talks to, for looks that clients have no method for.

    Raises:
        SchemaMissing: If the tables are not there.
    """
    async with open_database(config) as dsn:
        backend = make_backend(config, dsn, lambda: None)
        try:
            await backend.check_schema()
            yield backend
        finally:
            await backend.notifier.stop()
            await backend.engine.close()


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[str]:
    """Yield the DSN of the database: the one given, or an embedded server's."""
    if config.dsn is not None:
        yield config.dsn
        return
    server = load("staffa.embedded:EmbeddedPostgres")(Path.cwd())
    dsn: str = await asyncio.to_thread(server.start)
    try:
        yield dsn
    finally:
        await asyncio.to_thread(server.stop)


def _code(error: StaffaError) -> int:
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    if isinstance(error, DatabaseUnavailable) or isinstance(error.__cause__, DatabaseUnavailable):
        return EXIT_UNREACHABLE
    return EXIT_REFUSED
