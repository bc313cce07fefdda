"""Connections that users have opened themselves, one entry of `KINDS` for each way to get one.

Another library joins the suite as one more entry.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from functools import partial
from typing import Any
from unittest import mock

import asyncpg
import django
import psycopg
from django.conf import settings
from django.db import connections, transaction
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from staffa.engine import Engine
from staffa.jobs import Job
from staffa.linking import Graph, InsertedGraph

Opened = AbstractAsyncContextManager["UserConnection"]
Begun = AbstractAsyncContextManager[object]


class UserConnection:
    """A connection of a user, and how its library begins a transaction.

    Args:
        raw: What the user gives as `conn=`.
        begin: Begins a transaction, or a savepoint inside of one.
        commit: Commits what was begun without `begin`.
        close: Closes it.
        tells: Whether its commit is observed.
        tells_at_close: Whether that is at its next transaction or when it is closed.
    """

    waits = True

    def __init__(
        self,
        raw: Any,
        begin: Callable[[], Any],
        *,
        commit: Callable[[], Any] | None = None,
        close: Callable[[], Any] | None = None,
        tells: bool = False,
        tells_at_close: bool = False,
    ) -> None:
        self.raw = raw
        self._begin = begin
        self._commit = commit
        self._close = close
        self.tells = tells or tells_at_close
        self.tells_at_close = tells_at_close

    async def enqueue(self, engine: Engine, jobs: Sequence[Job]) -> list[Job]:
        """Enqueue on it."""
        return await engine.enqueue_jobs(jobs, conn=self.raw)

    async def insert_graph(self, engine: Engine, graph: Graph) -> InsertedGraph:
        """Insert a graph on it."""
        return await engine.insert_graph(graph, conn=self.raw)

    def transaction(self) -> Begun:
        """Begin a transaction, or a savepoint inside of one; rolled back on errors."""
        begun: Begun = self._begin()
        return begun

    async def commit(self) -> None:
        """Commit what a statement outside of `transaction` has begun."""
        if self._commit is not None:
            await self._commit()

    async def close(self) -> None:
        """Close it."""
        assert self._close is not None
        await self._close()


class SyncUserConnection(UserConnection):
    """A connection that is used without awaiting."""

    waits = False

    async def enqueue(self, engine: Engine, jobs: Sequence[Job]) -> list[Job]:
        """Enqueue on it."""
        return engine.enqueue_jobs_on(jobs, self.raw)

    async def insert_graph(self, engine: Engine, graph: Graph) -> InsertedGraph:
        """Insert a graph on it."""
        return engine.insert_graph_on(graph, self.raw)

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[object]:
        with self._begin() as begun:
            yield begun

    def transaction(self) -> Begun:
        """Begin a transaction, or a savepoint inside of one; rolled back on errors."""
        return self._begun()

    async def commit(self) -> None:
        """Commit what a statement outside of `transaction` has begun."""
        if self._commit is not None:
            self._commit()

    async def close(self) -> None:
        """Close it."""
        assert self._close is not None
        self._close()


@asynccontextmanager
async def open_asyncpg(dsn: str) -> AsyncIterator[UserConnection]:
    """Connect directly."""
    connection = await asyncpg.connect(dsn)
    yield UserConnection(connection, connection.transaction, close=connection.close)
    await connection.close()


@asynccontextmanager
async def open_asyncpg_pool(dsn: str) -> AsyncIterator[UserConnection]:
    """Acquire a connection of a pool."""
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool, pool.acquire() as proxy:
        yield UserConnection(proxy, proxy.transaction, close=proxy.close)


@asynccontextmanager
async def open_asyncpg_with_codecs(dsn: str) -> AsyncIterator[UserConnection]:
    """Connect, and have JSON decoded, as many applications do it."""
    connection = await asyncpg.connect(dsn, server_settings={"timezone": "Asia/Kathmandu"})
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
    yield UserConnection(connection, connection.transaction, close=connection.close)
    await connection.close()


@asynccontextmanager
async def open_psycopg(
    dsn: str, *, cursor: bool = False, pipeline: bool = False, **options: Any
) -> AsyncIterator[UserConnection]:
    """Connect with psycopg, in the way of asyncio."""
    async with await psycopg.AsyncConnection.connect(dsn, **options) as connection:
        raw = connection.cursor() if cursor else connection
        async with connection.pipeline() if pipeline else nullcontext():
            yield UserConnection(
                raw, connection.transaction, commit=connection.commit, close=connection.close
            )


class Shouting(Loader):
    """Makes of every value what nobody could use."""

    def load(self, data: Any) -> Any:
        """Return a value."""
        return f"LOADED {bytes(data)!r}"


@asynccontextmanager
async def open_psycopg_sync(
    dsn: str, *, cursor: bool = False, odd: bool = False, **options: Any
) -> AsyncIterator[UserConnection]:
    """Connect with psycopg, in the way of synchronous code."""
    if odd:
        options.update(row_factory=dict_row, prepare_threshold=0)
    with psycopg.connect(dsn, **options) as connection:
        if odd:
            connection.execute("SET TIME ZONE 'Asia/Kathmandu'")
            connection.commit()
            for name in ("json", "jsonb", "text", "timestamptz", "int8"):
                connection.adapters.register_loader(name, Shouting)
        raw = connection.cursor() if cursor else connection
        yield SyncUserConnection(
            raw, connection.transaction, commit=connection.commit, close=connection.close
        )


def alchemy_dsn(dsn: str, driver: str) -> str:
    """Return a DSN as SQLAlchemy writes it."""
    return dsn.replace("postgresql://", f"postgresql+{driver}://", 1)


@asynccontextmanager
async def open_session(
    dsn: str, *, scoped: bool = False, **options: Any
) -> AsyncIterator[UserConnection]:
    """Open a session of SQLAlchemy."""
    engine = create_engine(alchemy_dsn(dsn, "psycopg"), poolclass=NullPool, **options)
    made: Any = sessionmaker(engine)
    session = scoped_session(made) if scoped else made()
    yield SyncUserConnection(
        session, partial(begin_in_session, session), commit=session.commit, tells=True,
        close=partial(close_under, session),
    )  # fmt: skip
    session.close()
    engine.dispose()


@contextmanager
def begin_in_session(given: Any) -> Iterator[object]:
    """Begin what a session can begin now, a savepoint in a transaction."""
    session = given() if isinstance(given, scoped_session) else given
    with session.begin_nested() if session.in_transaction() else session.begin():
        yield None


def close_under(session: Any) -> None:
    """Close the connection that a session holds."""
    session.connection().connection.driver_connection.close()


@asynccontextmanager
async def open_connection(dsn: str, **options: Any) -> AsyncIterator[UserConnection]:
    """Open a connection of SQLAlchemy."""
    engine = create_engine(alchemy_dsn(dsn, "psycopg"), poolclass=NullPool, **options)
    with engine.connect() as connection:
        yield SyncUserConnection(
            connection, partial(begin_in_session, connection), commit=connection.commit,
            close=connection.close, tells_at_close=True,
        )  # fmt: skip
    engine.dispose()


@asynccontextmanager
async def open_async_session(
    dsn: str, driver: str, **options: Any
) -> AsyncIterator[UserConnection]:
    """Open an async session of SQLAlchemy."""
    engine = create_async_engine(alchemy_dsn(dsn, driver), poolclass=NullPool, **options)
    async with AsyncSession(engine) as session:
        yield UserConnection(
            session, partial(begin_in_async_session, session), commit=session.commit, tells=True
        )
    await engine.dispose()


@asynccontextmanager
async def begin_in_async_session(session: Any) -> AsyncIterator[object]:
    """Begin what a session can begin now, a savepoint in a transaction."""
    async with session.begin_nested() if session.in_transaction() else session.begin():
        yield None


@asynccontextmanager
async def open_async_connection(
    dsn: str, driver: str, **options: Any
) -> AsyncIterator[UserConnection]:
    """Open an async connection of SQLAlchemy."""
    engine = create_async_engine(alchemy_dsn(dsn, driver), poolclass=NullPool, **options)
    async with engine.connect() as connection:
        yield UserConnection(
            connection, partial(begin_in_async_session, connection), commit=connection.commit,
            close=connection.close, tells_at_close=True,
        )  # fmt: skip
    await engine.dispose()


def django_options(dsn: str) -> dict[str, Any]:
    """Return Django's settings of a database."""
    parts = conninfo_to_dict(dsn)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
    }


@contextmanager
def django_database(alias: str, options: dict[str, Any]) -> Iterator[None]:
    """Set Django up with one more database."""
    if not settings.configured:
        settings.configure(DATABASES={}, USE_TZ=False, TIME_ZONE="Asia/Kathmandu")
        django.setup()
    connections.settings[alias] = options
    connections.configure_settings(connections.settings)
    try:
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


class DjangoUserConnection(SyncUserConnection):
    """A connection of Django, which each context of a test has its own of.

    Args:
        alias: The database.
        by_alias: Whether the user gives the alias, or the connection.
    """

    def __init__(self, alias: str, *, by_alias: bool) -> None:
        self._alias = alias
        self._by_alias = by_alias
        self._used: list[Any] = []
        super().__init__(alias, partial(transaction.atomic, using=alias), tells=True)

    @property
    def raw(self) -> Any:
        """What the user gives."""
        self._used.append(connections[self._alias])
        return self._alias if self._by_alias else connections[self._alias]

    @raw.setter
    def raw(self, value: object) -> None:
        """It is found anew each time."""

    def close_all(self) -> None:
        """Close what was used."""
        for connection in self._used:
            connection.close()

    async def close(self) -> None:
        """Close the driver's connection below Django's."""
        self.raw  # noqa: B018
        connections[self._alias].ensure_connection()
        connections[self._alias].connection.close()


@asynccontextmanager
async def open_django(
    dsn: str, *, alias: str = "elsewhere", by_alias: bool = True
) -> AsyncIterator[UserConnection]:
    """Have Django connect, as it does for its own models."""
    allowed = mock.patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="1")
    with allowed, django_database(alias, django_options(dsn)):
        user = DjangoUserConnection(alias, by_alias=by_alias)
        yield user
        user.close_all()


KINDS: dict[str, Callable[[str], Opened]] = {
    "asyncpg": open_asyncpg,
    "asyncpg pool": open_asyncpg_pool,
    "asyncpg with codecs": open_asyncpg_with_codecs,
    "psycopg": open_psycopg_sync,
    "psycopg autocommit": partial(open_psycopg_sync, autocommit=True),
    "psycopg cursor": partial(open_psycopg_sync, cursor=True),
    "psycopg with odd settings": partial(open_psycopg_sync, odd=True),
    "async psycopg": open_psycopg,
    "async psycopg autocommit": partial(open_psycopg, autocommit=True),
    "async psycopg cursor": partial(open_psycopg, cursor=True),
    "async psycopg pipeline": partial(open_psycopg, pipeline=True),
    "Session": open_session,
    "scoped_session": partial(open_session, scoped=True),
    "Connection": open_connection,
    "AsyncSession over asyncpg": partial(open_async_session, driver="asyncpg"),
    "AsyncSession over psycopg": partial(open_async_session, driver="psycopg"),
    "AsyncConnection over asyncpg": partial(open_async_connection, driver="asyncpg"),
    "AsyncConnection over psycopg": partial(open_async_connection, driver="psycopg"),
    "Django alias": open_django,
    "Django connection": partial(open_django, by_alias=False),
}

AUTOCOMMIT_KINDS: dict[str, Callable[[str], Opened]] = {
    "asyncpg": open_asyncpg,
    "psycopg": partial(open_psycopg_sync, autocommit=True),
    "async psycopg": partial(open_psycopg, autocommit=True),
    "Session": partial(open_session, isolation_level="AUTOCOMMIT"),
    "Connection": partial(open_connection, isolation_level="AUTOCOMMIT"),
    "AsyncSession": partial(open_async_session, driver="psycopg", isolation_level="AUTOCOMMIT"),
    "AsyncConnection": partial(
        open_async_connection, driver="asyncpg", isolation_level="AUTOCOMMIT"
    ),
    "Django": open_django,
}
"""Where each statement outside of a transaction is committed at once."""
