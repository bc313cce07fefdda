"""SQLAlchemy 2: sessions and connections, sync and async, on the dialects of drivers we know.

Statements run through SQLAlchemy's own API, never on the raw connection: over asyncpg it begins the
transaction only with its first statement, and a rollback would not undo what went past it. What is
async is the same behind SQLAlchemy's `run_sync`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from staffa.drivers.connections.commits import CommitWatch
from staffa.drivers.connections.joining import (
    Awaited,
    Inline,
    InlineSteps,
    Rows,
    as_rows,
    numbered,
)
from staffa.drivers.connections.placeholders import to_pyformat
from staffa.drivers.connections.sqlite import translated_sqlite_errors
from staffa.drivers.connections.texts import BEGIN, COMMIT, ROLLBACK
from staffa.drivers.failures import translate
from staffa.engine import Dialect, Statement, Statements
from staffa.errors import ConfigError, DatabaseError, DatabaseUnavailable, DataRefused

T = TypeVar("T")

_DIALECTS: dict[tuple[str, str], Dialect] = {
    ("postgresql", "psycopg"): "postgres",
    ("postgresql", "asyncpg"): "postgres",
    ("sqlite", "pysqlite"): "sqlite",
    ("sqlite", "aiosqlite"): "sqlite",
}


def join(given: Any) -> Inline | Awaited:
    """Return what belongs to a session or a connection.

    Raises:
        ConfigError: If it is something else of SQLAlchemy.
    """
    if isinstance(given, scoped_session | async_scoped_session):
        given = given()
    if isinstance(given, Session | Connection):
        return SqlalchemyConnection(given)
    if isinstance(given, AsyncSession | AsyncConnection):
        return AsyncSqlalchemyConnection(given)
    raise ConfigError(
        f"conn= is a {type(given).__name__} of SQLAlchemy: give a session or a connection, for "
        "example from Session() or engine.begin()"
    )


class SqlalchemyConnection(InlineSteps):
    """A session, or a connection.

    Args:
        given: What the user gave.
    """

    def __init__(self, given: Session | Connection) -> None:
        self._given = given

    @cached_property
    def _connection(self) -> Connection:
        """The connection; a session begins its transaction if none is open."""
        if isinstance(self._given, Connection):
            return self._given
        try:
            with self.failures():
                return self._given.connection()
        except exc.UnboundExecutionError as error:
            raise ConfigError(
                "conn= is a Session with several engines: give "
                "session.connection(bind_arguments=...) of the one that the jobs are in"
            ) from error

    @property
    def dialect(self) -> Dialect:
        """The database."""
        dialect = self._connection.dialect
        found = _DIALECTS.get((dialect.name, dialect.driver))
        if found is None:
            known = ", ".join("+".join(pair) for pair in _DIALECTS)
            raise ConfigError(
                f"conn= is a connection of SQLAlchemy by {dialect.name}+{dialect.driver}: use one "
                f"of {known}"
            )
        return found

    def joins(self) -> bool:
        """Tell whether SQLAlchemy's transaction is one of the database, too."""
        return not _commits_by_itself(self._connection) or self._is_begun()

    def _is_begun(self) -> bool:
        """Tell whether a transaction is open on the driver's own connection."""
        raw: Any = self._connection.connection.driver_connection
        if self.dialect == "sqlite":
            return bool(raw.in_transaction)
        if hasattr(raw, "is_in_transaction"):
            return bool(raw.is_in_transaction())
        return bool(raw.info.transaction_status)

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raise SQLAlchemy's errors as ours."""
        try:
            yield
        except exc.UnboundExecutionError:
            raise
        except exc.DBAPIError as error:
            raise _translated(error) from error
        except exc.ResourceClosedError as error:
            raise DatabaseUnavailable(f"the database can't be reached: {error}") from error
        except exc.SQLAlchemyError as error:
            raise DatabaseError(str(error)) from error
        except UnicodeError as error:
            raise DataRefused(f"the connection can't carry the job: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction on a connection that commits by itself."""
        self._connection.exec_driver_sql(BEGIN[self.dialect])
        try:
            yield
        except BaseException:
            if self._is_begun():
                self._connection.exec_driver_sql(ROLLBACK)
            raise
        self._connection.exec_driver_sql(COMMIT)

    def prepare(self, hook: Callable[[Any], None]) -> None:
        """Call a hook with SQLAlchemy's wrapper of the driver's connection."""
        hook(self._connection.connection.dbapi_connection)

    def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""
        if self.dialect == "sqlite" and self.joins() and not self._is_begun():
            # sqlite3 begins by itself only before what it takes for a write, and knows too few.
            self._connection.exec_driver_sql(BEGIN["sqlite"])
        sql, params = statement.sql, _params(self._connection, statement)
        if self._connection.dialect.paramstyle == "pyformat":
            sql = to_pyformat(sql)
        with self._connection.exec_driver_sql(sql, params) as result:
            return as_rows(list(result.keys()), result) if result.returns_rows else []

    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Have something called after the commit of the session or the connection."""
        if not self.joins():
            callback()
            return True
        session = self._given if isinstance(self._given, Session) else None
        CommitWatch.of(self._connection, session).add(callback)
        return True


class AsyncSqlalchemyConnection(Awaited):
    """An async session, or an async connection.

    Args:
        given: What the user gave.
    """

    def __init__(self, given: AsyncSession | AsyncConnection) -> None:
        self._given = given

    async def run(self, statements: Statements[T]) -> T:
        """Run statements."""

        def run(inner: Session | Connection) -> T:
            return SqlalchemyConnection(inner).run(statements)

        try:
            return await self._given.run_sync(run)
        except exc.SQLAlchemyError as error:  # of an AsyncConnection that was not started
            raise DatabaseUnavailable(f"the database can't be reached: {error}") from error

    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Have something called after the commit of the session or the connection."""
        inner: Any = (
            self._given.sync_session
            if isinstance(self._given, AsyncSession)
            else self._given.sync_connection
        )
        return SqlalchemyConnection(inner).after_commit(callback)


def _commits_by_itself(connection: Connection) -> bool:
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        return raw.isolation_level is None and getattr(raw, "autocommit", None) is not False
    return bool(raw.autocommit)


def _params(connection: Connection, statement: Statement[Any]) -> Any:
    """Return parameters as the driver takes them: by their places over asyncpg, else by number."""
    return statement.params if connection.dialect.driver == "asyncpg" else numbered(statement)


def _translated(error: exc.DBAPIError) -> DatabaseError:
    original: Any = error.orig
    if type(original).__module__.partition(".")[0] == "sqlite3":
        try:
            with translated_sqlite_errors():
                raise original
        except DatabaseError as translated:
            return translated
    state = getattr(original, "sqlstate", None)
    if state is None and error.connection_invalidated:
        return DatabaseUnavailable(f"the database can't be reached: {original}")
    return translate(original, state)
