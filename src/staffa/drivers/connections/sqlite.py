"""sqlite3 and aiosqlite.

`sqlite3` begins a transaction by itself only before a statement that starts with INSERT, UPDATE or
DELETE, which ours do not. Where the user expects it to (any connection but those whose
`isolation_level` is None, or that are in autocommit), one is begun here; the user commits it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

from staffa._internal.lazy import load
from staffa.drivers.connections.joining import (
    Awaited,
    AwaitedSteps,
    Inline,
    InlineSteps,
    Rows,
    as_rows,
    numbered,
)
from staffa.drivers.connections.texts import BEGIN, COMMIT, ROLLBACK
from staffa.drivers.sqlite_failures import translated_errors
from staffa.engine import Dialect, Statement
from staffa.errors import ConfigError


def join(given: Any) -> Inline | Awaited:
    """Return a connection, or that of a cursor.

    Raises:
        ConfigError: If it is something else.
    """
    connection = getattr(given, "connection", given)
    if isinstance(connection, sqlite3.Connection):
        return SqliteConnection(connection)
    if type(given).__module__.partition(".")[0] == "aiosqlite":
        cursor: Any = load("aiosqlite:Cursor")
        connection = given._conn if isinstance(given, cursor) else given  # noqa: SLF001
        if isinstance(connection, load("aiosqlite:Connection")):
            return AiosqliteConnection(connection)
    kind = type(given)
    raise ConfigError(f"conn= is a {kind.__module__}.{kind.__qualname__}: give a connection")


class SqliteConnection(InlineSteps):
    """A connection of `sqlite3`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        """SQLite."""
        return "sqlite"

    def joins(self) -> bool:
        """Tell whether a transaction is open, or the user expects one."""
        return self._connection.in_transaction or not _commits_by_itself(self._connection)

    def failures(self) -> AbstractContextManager[object]:
        """Return what raises the errors of `sqlite3` as ours."""
        return translated_sqlite_errors()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction."""
        self._connection.execute(BEGIN["sqlite"])
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute(ROLLBACK)
            raise
        self._connection.execute(COMMIT)

    def prepare(self, hook: Callable[[Any], None]) -> None:
        """Call a hook with the connection."""
        hook(self._connection)

    def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""
        connection = self._connection
        if not connection.in_transaction and not _commits_by_itself(connection):
            connection.execute(BEGIN["sqlite"])
        cursor = connection.cursor()
        cursor.row_factory = None
        try:
            cursor.execute(statement.sql, numbered(statement))
            return as_rows(_names(cursor), cursor.fetchall())
        finally:
            cursor.close()


class AiosqliteConnection(AwaitedSteps):
    """A connection of aiosqlite."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        """SQLite."""
        return "sqlite"

    def joins(self) -> bool:
        """Tell whether a transaction is open, or the user expects one."""
        with self.failures(), _told_if_closed():
            return self._connection.in_transaction or not _commits_by_itself(self._connection)

    def failures(self) -> AbstractContextManager[object]:
        """Return what raises the errors of aiosqlite as ours."""
        return translated_sqlite_errors()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Begin a transaction."""
        await self._execute_text(BEGIN["sqlite"])
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                await self._execute_text(ROLLBACK)
            raise
        await self._execute_text(COMMIT)

    async def prepare(self, hook: Callable[[Any], None]) -> None:
        """Register the functions that a hook registers, on the connection's own thread."""
        calls = _Calls()
        hook(calls)
        with _told_if_closed():
            for args, options in calls.made:
                await self._connection.create_function(*args, **options)

    async def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""
        connection = self._connection
        if not connection.in_transaction and not _commits_by_itself(connection):
            await self._execute_text(BEGIN["sqlite"])
        with _told_if_closed():
            cursor = await connection.cursor()
        cursor.row_factory = None
        try:
            await cursor.execute(statement.sql, numbered(statement))
            return as_rows(_names(cursor), await cursor.fetchall())
        finally:
            await cursor.close()

    async def _execute_text(self, sql: str) -> None:
        with _told_if_closed():
            await self._connection.execute(sql)


class _Calls:
    """Takes down which functions are registered."""

    def __init__(self) -> None:
        self.made: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def create_function(self, *args: Any, **options: Any) -> None:
        """Take one down."""
        self.made.append((args, options))


@contextmanager
def _told_if_closed() -> Iterator[None]:
    """Raise as an error of `sqlite3` what aiosqlite raises once it is closed."""
    try:
        yield
    except UnicodeError:
        raise
    except ValueError as error:
        raise sqlite3.ProgrammingError(str(error)) from error


def translated_sqlite_errors() -> AbstractContextManager[object]:
    """Return what raises the errors of `sqlite3` as ours."""
    return translated_errors("of conn=")


def _commits_by_itself(connection: Any) -> bool:
    """Tell whether each statement outside of a transaction is committed at once."""
    autocommit = getattr(connection, "autocommit", None)  # from Python 3.12; -1 is the old way
    return autocommit is True or (autocommit is not False and connection.isolation_level is None)


def _names(cursor: Any) -> list[str]:
    return [column[0] for column in cursor.description or ()]
