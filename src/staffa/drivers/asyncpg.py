"""PostgreSQL through asyncpg: connections that reconnect, and errors in our own terms.

A statement whose reply does not come within `REPLY_SECONDS` ends its connection: a half-open TCP
connection would otherwise hold its caller for hours. A connection to a server that has become
read-only (a demoted primary) is thrown away. No session state is relied on: the settings sent at
the start only choose better plans.

Behind a pooler such as PgBouncer a session ends with each transaction. So no statement is prepared
under a name there, as another session would not know it, and no setting is sent at the start, as
the pooler refuses what it can't keep for us. Neither is missed: a statement without a name is
parsed and planned for its own parameters each time. Whether there is a pooler is asked once, on a
connection of its own: either it refuses our settings, or the process that greeted us, which is one
of its inventions, is not the one that answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeVar, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from staffa._internal.kill_points import sender
from staffa._internal.sql import load_sql
from staffa.drivers.array_types import Connection
from staffa.drivers.failures import is_refused_setting, translated_errors
from staffa.drivers.unanswered import send_statement
from staffa.engine import Statement
from staffa.errors import (
    ConfigError,
    DatabaseUnavailable,
)

T = TypeVar("T")

CONNECT_SECONDS = 20.0  # TLS and SCRAM take seven round trips, of two seconds each at worst
REPLY_SECONDS = 30.0

# Plans are made anew for each execution: a generic plan that was cached while a queue was empty
# keeps its sequential scan after a hundred thousand inserts. Planning costs about a tenth of a
# millisecond for a whole batch.
_SETTINGS = {
    "application_name": "staffa",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",  # where statistics mislead, compiling takes fifty times as long as the statement
}
_POOLED_SETTINGS = frozenset({"application_name"})
_ONE_PLAN = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}


class Access(Enum):
    """How the statements of a connection find their rows, whatever the tables hold.

    The planner is left no other way, so it plans each statement once. For twenty jobs, planning
    takes a third of the server's time.
    """

    ORDERED = MappingProxyType({**_ONE_PLAN, "enable_sort": "off", "enable_bitmapscan": "off"})
    """In the order of an index, which ends when there are enough."""
    PROBES = MappingProxyType({**_ONE_PLAN, "enable_hashjoin": "off", "enable_mergejoin": "off"})
    """One after the other, by a key that is given."""


@dataclass(slots=True)
class _Finding:
    """What was found out about the way to a server; None while nothing was."""

    pooler: bool | None = None


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Where and how to connect.

    Args:
        dsn: A libpq URI; its password is kept out of `repr`.
        settings: PostgreSQL settings that are sent at the start of a session.
        pooler: Whether a pooler stands before the server; None finds out.
    """

    dsn: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=lambda: dict(_SETTINGS))
    pooler: bool | None = None
    _finding: _Finding = field(default_factory=_Finding, repr=False, compare=False)

    async def connect(self) -> asyncpg.Connection:
        """Return a new connection.

        Raises:
            DatabaseUnavailable: If the server can't be reached or refuses.
        """
        with translated_errors():
            return await self.open()

    async def open(self, *_: Any, **options: Any) -> asyncpg.Connection:
        """Connect in the way that a pool of the driver asks for it, with the driver's errors."""
        settings = dict(self.settings)
        if await self.is_pooled():
            settings = {key: settings[key] for key in _POOLED_SETTINGS & settings.keys()}
            options["statement_cache_size"] = 0
        return await self._connect(settings, **options)

    def with_access(self, access: Access) -> ConnectionSettings:
        """Return the same for statements that find their rows in one way only."""
        return replace(self, settings={**self.settings, **access.value})

    def session(self, *, create: bool = False) -> AbstractAsyncContextManager[Session]:
        """Connect for a sequence of statements; a database is never created."""
        return open_session(self)

    async def is_pooled(self) -> bool:
        """Tell whether a pooler stands before the server; the first call asks.

        Raises:
            DatabaseUnavailable: If the server can't be reached or refuses.
        """
        if self.pooler is not None:
            return self.pooler
        if self._finding.pooler is None:
            with translated_errors():
                self._finding.pooler = await self._find_pooler()
        return self._finding.pooler

    async def _find_pooler(self) -> bool:
        try:
            connection = await self._connect(dict(self.settings), statement_cache_size=0)
        except asyncpg.PostgresError as error:
            if is_refused_setting(error):
                return True
            raise
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                process = await connection.fetchval(_backend_text())
        finally:
            await close_connection(connection)
        return bool(process != connection.get_server_pid())

    async def _connect(self, settings: dict[str, str], **options: Any) -> asyncpg.Connection:
        try:
            connection: asyncpg.Connection = await asyncpg.connect(
                self.dsn,
                timeout=CONNECT_SECONDS,
                server_settings=settings,
                **{**options, "connection_class": Connection},
            )
        except ValueError:  # of the parts of the DSN; what it says may be part of a password
            raise ConfigError(
                "the DSN can't be used: its host or port can't be read; write special characters "
                "of a password such as / # @ : as %2F %23 %40 %3A"
            ) from None
        return connection


class Dedicated:
    """One connection for one caller, made again after it was lost; statements take turns.

    Args:
        settings: Where to connect.
        patience: Seconds for a reply, if they are to be fewer than `REPLY_SECONDS`.
    """

    def __init__(self, settings: ConnectionSettings, patience: float | None = None) -> None:
        self._settings = settings
        self._patience = patience
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether a statement has its turn."""
        return self._turn.locked()

    async def run(self, statement: Statement[T]) -> T:
        """Run a statement in a transaction of its own.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._settings.connect()
            return await fetch(self._connection, statement, self._patience)

    async def settle(self) -> None:
        """Wait until no statement has its turn, or waits for it."""
        async with self._turn:
            pass

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            await close_connection(connection)


class Session:
    """One connection for a sequence of statements, such as a migration's."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, *params: Any) -> None:
        """Run a statement, or a script of several if it has no parameters."""
        with translated_errors():
            await self._connection.execute(sql, *params)

    async def fetch(self, sql: str, *params: Any) -> Sequence[Mapping[str, Any]]:
        """Run a statement and return its rows."""
        with translated_errors():
            return _mappings(await self._connection.fetch(sql, *params))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Open a transaction: committed at the end, rolled back on errors.

        READ COMMITTED whatever the server's default is: one that kept a snapshot would be waited
        for by indexes that are built meanwhile.
        """
        with translated_errors():
            async with self._connection.transaction(isolation="read_committed"):
                yield


@asynccontextmanager
async def open_session(settings: ConnectionSettings) -> AsyncIterator[Session]:
    """Connect for a sequence of statements.

    Raises:
        DatabaseUnavailable: If the server can't be reached or refuses.
    """
    connection = await settings.connect()
    try:
        yield Session(connection)
    finally:
        await close_connection(connection)


@sender(send_statement)
async def fetch(
    connection: asyncpg.Connection | PoolConnectionProxy[asyncpg.Record],
    statement: Statement[T],
    patience: float | None = None,
) -> T:
    """Run a statement, and end the connection where it can't be trusted any more."""
    seconds = min(patience or REPLY_SECONDS, REPLY_SECONDS)
    given_up: list[float] = []
    # A timer of the loop: `asyncio.timeout` around a statement takes five times as long.
    timer = asyncio.get_running_loop().call_later(seconds, _give_up, connection, given_up)
    try:
        with translated_errors():
            rows = await connection.fetch(statement.sql, *statement.params)
    except (DatabaseUnavailable, asyncio.CancelledError) as error:
        # After a cancellation, too: the driver would wait for the server to confirm it.
        end(connection)
        if given_up and isinstance(error, DatabaseUnavailable):
            raise DatabaseUnavailable(
                f"the database can't be reached: no reply within {seconds:g} s"
            ) from error
        raise
    finally:
        timer.cancel()
    return statement.decode(_mappings(rows))


def end(connection: asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]) -> None:
    """End a connection without a word."""
    with suppress(asyncpg.InterfaceError):  # the pool has taken a lost one back already
        connection.terminate()


def _give_up(
    connection: asyncpg.Connection | PoolConnectionProxy[asyncpg.Record], given_up: list[float]
) -> None:
    """End a connection whose reply does not come, which has whoever waits for it go on."""
    given_up.append(asyncio.get_running_loop().time())
    end(connection)


async def within_reply_time(action: Awaitable[None]) -> None:
    """Wait for the end of something that a server does.

    Raises:
        DatabaseError: In the subclass that tells what to do about it.
    """
    with translated_errors():
        async with asyncio.timeout(REPLY_SECONDS):
            await action


async def close_connection(connection: asyncpg.Connection) -> None:
    """Close a connection politely, or abruptly if the server does not answer."""
    try:
        await connection.close(timeout=1.0)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


def _mappings(rows: Sequence[asyncpg.Record]) -> Sequence[Mapping[str, Any]]:
    """Return rows as what they are to a decoder; the stubs do not say that they are mappings."""
    return cast("Sequence[Mapping[str, Any]]", rows)


def _backend_text() -> str:
    return load_sql("staffa.drivers", "sql/backend.sql", "public")
