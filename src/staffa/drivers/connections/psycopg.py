"""psycopg 3: connections and cursors, sync and async.

Whatever a user has set on a connection is left alone and not relied on: a cursor of our own reads
rows as tuples, with loaders of its own, and prepares nothing, so that nothing of ours pushes the
user's prepared statements out. A connection that is not in autocommit begins its transaction with
our statement, as with any other, and the user commits it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import rows
from psycopg.pq import TransactionStatus
from psycopg.types import array, numeric, string
from psycopg.types import bool as booleans
from psycopg.types import datetime as times

from staffa.drivers.connections.joining import (
    Awaited,
    AwaitedSteps,
    Inline,
    InlineSteps,
    Rows,
    as_rows,
)
from staffa.drivers.connections.texts import READ_COMMITTED
from staffa.drivers.failures import translate
from staffa.engine import Dialect, Statement
from staffa.errors import ConfigError, DataRefused

_LOADERS: dict[str, type[Any]] = {
    "text": string.TextLoader,
    "bool": booleans.BoolLoader,
    "int2": numeric.IntLoader,
    "int4": numeric.IntLoader,
    "int8": numeric.IntLoader,
    "float8": numeric.FloatLoader,
    "timestamptz": times.TimestamptzLoader,
}
_DUMPERS: dict[type, type[Any]] = {
    str: string.StrDumperUnknown,
    int: numeric.IntDumper,
    float: numeric.FloatDumper,
    bool: booleans.BoolDumper,
    list: array.ListDumper,
}


def join(given: Any) -> Inline | Awaited:
    """Return a connection, or that of a cursor.

    Raises:
        ConfigError: If it is something else of psycopg.
    """
    connection = getattr(given, "connection", given)
    if isinstance(connection, psycopg.AsyncConnection):
        return AsyncPsycopgConnection(connection)
    if isinstance(connection, psycopg.Connection):
        return PsycopgConnection(connection)
    kind = type(given)
    raise ConfigError(
        f"conn= is a {kind.__module__}.{kind.__qualname__}: give a connection or a cursor, for "
        "example from pool.connection()"
    )


class PsycopgConnection(InlineSteps):
    """A psycopg connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        """PostgreSQL."""
        return "postgres"

    def joins(self) -> bool:
        """Tell whether a transaction is open, or begins with the next statement."""
        return _joins(self._connection)

    def failures(self) -> AbstractContextManager[object]:
        """Return what raises psycopg's errors as ours."""
        return translated_psycopg_errors()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction."""
        with self._connection.transaction():
            self._connection.execute(_encoded(READ_COMMITTED), prepare=False)
            yield

    def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""
        with psycopg.RawCursor(self._connection, row_factory=rows.tuple_row) as cursor:
            _set_adapters(cursor)
            cursor.execute(_encoded(statement.sql), statement.params, prepare=False)
            found: list[Any] = []
            with _no_rows(cursor):
                found = cursor.fetchall()
            return as_rows(_names(cursor), found)


class AsyncPsycopgConnection(AwaitedSteps):
    """An async psycopg connection."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        """PostgreSQL."""
        return "postgres"

    def joins(self) -> bool:
        """Tell whether a transaction is open, or begins with the next statement."""
        return _joins(self._connection)

    def failures(self) -> AbstractContextManager[object]:
        """Return what raises psycopg's errors as ours."""
        return translated_psycopg_errors()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Begin a transaction."""
        async with self._connection.transaction():
            await self._connection.execute(_encoded(READ_COMMITTED), prepare=False)
            yield

    async def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""
        factory = rows.tuple_row
        async with psycopg.AsyncRawCursor(self._connection, row_factory=factory) as cursor:
            _set_adapters(cursor)
            await cursor.execute(_encoded(statement.sql), statement.params, prepare=False)
            found: list[Any] = []
            with _no_rows(cursor):
                found = await cursor.fetchall()
            return as_rows(_names(cursor), found)


@contextmanager
def translated_psycopg_errors() -> Iterator[None]:
    """Raise psycopg's errors as ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, error.sqlstate) from error
    except UnicodeError as error:
        raise DataRefused(
            f"the connection's client_encoding can't carry the job: {error}; set it to UTF8"
        ) from error


def _joins(connection: Any) -> bool:
    if not connection.autocommit:
        return True
    return bool(connection.info.transaction_status != TransactionStatus.IDLE)


@contextmanager
def _no_rows(cursor: Any) -> Iterator[None]:
    """Go on where a statement has no rows; in pipeline mode only a fetch finds out."""
    try:
        yield
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None or cursor.description is not None:
            raise


def _set_adapters(cursor: Any) -> None:
    for name, loader in _LOADERS.items():
        cursor.adapters.register_loader(name, loader)
    for kind, dumper in _DUMPERS.items():
        cursor.adapters.register_dumper(kind, dumper)


def _names(cursor: Any) -> list[str]:
    return [column.name for column in cursor.description or ()]


def _encoded(sql: str) -> Any:
    """Return a text as psycopg takes it from those who did not write it as a literal."""
    return sql
