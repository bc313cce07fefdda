"""Jobs in a file of SQLite are written in the user's own transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from staffa.client.backend import make_backend
from staffa.config import Config
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.connections import run_on, run_on_sync
from staffa.engine import Engine, Statements
from staffa.engines.postgres import PostgresEngine
from staffa.errors import ConfigError, DatabaseError, InvalidJob
from staffa.linking import Graph
from tests.conformance.new_graphs import counts, flow_of, graph, members, step, workflow
from tests.conformance.users import (
    AUTOCOMMIT_KINDS,
    DjangoUserConnection,
    Opened,
    SyncUserConnection,
    UserConnection,
    begin_in_async_session,
    begin_in_session,
    django_database,
)
from tests.conformance.work import ids, new_job
from tests.support.files import make_file


@contextmanager
def begin_raw(connection: sqlite3.Connection) -> Iterator[object]:
    if connection.isolation_level is None:
        connection.execute("BEGIN")
    with connection:
        yield connection


@asynccontextmanager
async def open_sqlite3(path: Path, **options: Any) -> AsyncIterator[UserConnection]:
    connection = sqlite3.connect(path, **options)
    connection.row_factory = sqlite3.Row
    yield SyncUserConnection(
        connection, partial(begin_raw, connection), commit=connection.commit, close=connection.close
    )
    connection.close()


@asynccontextmanager
async def begin_aiosqlite(connection: aiosqlite.Connection) -> AsyncIterator[object]:
    try:
        yield connection
    except BaseException:
        await connection.rollback()
        raise
    await connection.commit()


@asynccontextmanager
async def open_aiosqlite(path: Path) -> AsyncIterator[UserConnection]:
    async with aiosqlite.connect(path) as connection:
        yield UserConnection(
            connection,
            partial(begin_aiosqlite, connection),
            commit=connection.commit,
            close=connection.close,
        )


@asynccontextmanager
async def open_session(path: Path) -> AsyncIterator[UserConnection]:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with Session(engine) as session:
        yield SyncUserConnection(
            session, partial(begin_in_session, session), commit=session.commit, tells=True
        )
    engine.dispose()


@asynccontextmanager
async def open_async_session(path: Path) -> AsyncIterator[UserConnection]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", poolclass=NullPool)
    async with AsyncSession(engine) as session:
        yield UserConnection(
            session, partial(begin_in_async_session, session), commit=session.commit, tells=True
        )
    await engine.dispose()


@asynccontextmanager
async def open_connection(path: Path) -> AsyncIterator[UserConnection]:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        yield SyncUserConnection(
            connection,
            partial(begin_in_session, connection),
            commit=connection.commit,
            tells_at_close=True,
        )
    engine.dispose()


@asynccontextmanager
async def open_async_connection(path: Path) -> AsyncIterator[UserConnection]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", poolclass=NullPool)
    async with engine.connect() as connection:
        yield UserConnection(
            connection,
            partial(begin_in_async_session, connection),
            commit=connection.commit,
            tells_at_close=True,
        )
    await engine.dispose()


@asynccontextmanager
async def open_django(path: Path) -> AsyncIterator[UserConnection]:
    options = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    with pytest.MonkeyPatch.context() as patch, django_database("files", options):
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        user = DjangoUserConnection("files", by_alias=True)
        yield user
        user.close_all()


KINDS: dict[str, Callable[[Path], Opened]] = {
    "sqlite3": open_sqlite3,
    "sqlite3 autocommit": partial(open_sqlite3, isolation_level=None),
    "aiosqlite": open_aiosqlite,
    "Session": open_session,
    "AsyncSession": open_async_session,
    "Connection": open_connection,
    "AsyncConnection": open_async_connection,
    "Django": open_django,
}
SAVEPOINT_KINDS = ["Session", "AsyncSession", "Connection", "AsyncConnection", "Django"]
"""Whose `transaction` is a savepoint inside of another one."""


class GivenUpError(Exception):
    """Rolls a transaction back."""


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A file with the tables."""
    made = tmp_path / "jobs.db"
    await make_file(made)
    return made


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[Engine]:
    """An engine on the file."""
    made = make_backend(Config(), f"sqlite:///{path}", lambda: None).engine
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def user(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[UserConnection]:
    """A connection of a user, of every kind in turn."""
    async with KINDS[request.param](path) as opened:
        yield opened


async def test_jobs_are_visible_to_others_from_the_commit_on(
    engine: Engine, user: UserConnection
) -> None:
    async with user.transaction():
        jobs = await user.enqueue(engine, [new_job(args={"n": n}) for n in range(3)])
        assert await engine.get_jobs(ids(jobs)) == []
    assert [job.args["n"] for job in await engine.get_jobs(ids(jobs))] == [0, 1, 2]


async def test_jobs_go_when_the_transaction_is_rolled_back(
    engine: Engine, user: UserConnection
) -> None:
    async def give_up() -> None:
        async with user.transaction():
            await user.enqueue(engine, [new_job()])
            raise GivenUpError

    with pytest.raises(GivenUpError):
        await give_up()
    assert await engine.count_jobs() == {}


@pytest.mark.parametrize("kind", SAVEPOINT_KINDS)
async def test_jobs_of_a_savepoint_go_with_it_and_the_others_stay(
    engine: Engine, path: Path, kind: str
) -> None:
    async with KINDS[kind](path) as user:

        async def give_up() -> None:
            async with user.transaction():
                await user.enqueue(engine, [new_job(args={"n": 2})])
                raise GivenUpError

        async with user.transaction():
            kept = await user.enqueue(engine, [new_job(args={"n": 1})])
            with pytest.raises(GivenUpError):
                await give_up()
            kept += await user.enqueue(engine, [new_job(args={"n": 3})])
    assert [job.args["n"] for job in await engine.get_jobs(ids(kept))] == [1, 3]
    assert sum((await engine.count_jobs()).values()) == 2


async def test_a_unique_job_that_there_is_already_is_returned(
    engine: Engine, user: UserConnection
) -> None:
    async with user.transaction():
        (first,) = await user.enqueue(engine, [new_job(unique=True)])
        (second,) = await user.enqueue(engine, [new_job(unique=True)])
    await user.commit()
    assert (second.id, second.conflict) == (first.id, True)
    (third,) = await user.enqueue(engine, [new_job(unique=True)])
    await user.commit()
    assert (third.id, third.conflict) == (first.id, True)


async def test_without_a_transaction_the_library_decides_when_jobs_are_committed(
    engine: Engine, user: UserConnection
) -> None:
    (job,) = await user.enqueue(engine, [new_job()])
    await user.commit()
    assert ids(await engine.get_jobs(ids([job]))) == ids([job])


async def test_a_graph_comes_with_the_users_commit(engine: Engine, user: UserConnection) -> None:
    async with user.transaction():
        written = await user.insert_graph(engine, graph(*members(2200), step(needs=[0, 2199])))
        assert await engine.read_flows(["order"]) == []
    await user.commit()
    assert counts(await flow_of(engine)) == {"total": 2201, "suspended": 1}
    assert len(await engine.get_jobs(written.ids)) == 2201


async def test_of_a_graph_that_can_not_be_nothing_is_left_where_the_user_goes_on(
    engine: Engine, user: UserConnection
) -> None:
    async with user.transaction():
        kept = await user.enqueue(engine, [new_job()])
        with pytest.raises(InvalidJob):
            await user.insert_graph(engine, graph(*members(2200), step(needs=[5000])))
        kept += await user.enqueue(engine, [new_job()])
    await user.commit()
    assert await engine.read_flows(["order"]) == []
    assert sum((await engine.count_jobs()).values()) == len(kept) == 2


async def test_without_a_transaction_the_library_decides_when_a_graph_is_committed(
    engine: Engine, user: UserConnection
) -> None:
    with pytest.raises(InvalidJob):
        await user.insert_graph(engine, graph(*members(2200), step(needs=[5000])))
    await user.insert_graph(engine, graph(step(), step(needs=[0])))
    await user.commit()
    assert counts(await flow_of(engine)) == {"total": 2, "suspended": 1}


async def test_a_joined_engine_writes_flows_and_ends_them_in_the_users_transaction(
    engine: Engine, user: UserConnection
) -> None:
    async def execute(statements: Statements[Any]) -> Any:
        if user.waits:
            return await run_on(user.raw, statements)
        return run_on_sync(user.raw, statements)

    async def write_and_give_up() -> None:
        async with user.transaction():
            stream = iter([step(), step(needs=[0])])
            await joined.insert_graph(Graph([workflow()], stream))
            assert len(await joined.cancel_flow("order")) == 2
            await joined.retry_flow("order")
            assert counts(await flow_of(joined)) == {"total": 2, "suspended": 1}
            raise GivenUpError

    joined = engine.joined(execute)
    with pytest.raises(GivenUpError):
        await write_and_give_up()
    assert await engine.read_flows(["order"]) == []


async def test_a_connection_that_was_closed_is_told(engine: Engine, path: Path) -> None:
    own = sqlite3.connect(path)
    own.close()
    with pytest.raises(DatabaseError):
        await engine.enqueue_jobs([new_job()], conn=own)


@pytest.mark.parametrize("kind", AUTOCOMMIT_KINDS)
async def test_a_connection_to_postgresql_is_refused(engine: Engine, dsn: str, kind: str) -> None:
    async with AUTOCOMMIT_KINDS[kind](dsn) as other:
        with pytest.raises(ConfigError, match="connection to PostgreSQL, but"):
            await other.enqueue(engine, [new_job()])


async def test_a_connection_to_a_file_is_refused_by_a_client_on_postgresql(
    dsn: str, prefix: str, user: UserConnection
) -> None:
    engine = PostgresEngine(ConnectionSettings(dsn), prefix, 1)
    with pytest.raises(ConfigError, match="connection to SQLite, but"):
        await user.enqueue(engine, [new_job()])
    await engine.close()
