"""Fixtures of the definition of an engine: the stores that are tested, and engines on them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from staffa.engine import Engine, Producer
from tests.conformance.stores import PostgresStore, Store
from tests.conformance.work import new_producer
from tests.support.database import create_database, drop_database

VARIANTS = {
    "postgres": None,
    "postgres in Kathmandu": None,
    "postgres with Elixir's table": "elixir_v14.sql",
    "postgres with Python oban's table": "python_oban.sql",
}


@pytest.fixture(scope="session")
def kathmandu_dsn(server_dsn: str) -> Iterator[str]:
    """A database whose sessions are 5:45 hours ahead of UTC."""

    async def set_zone() -> None:
        connection = await asyncpg.connect(dsn)
        name = await connection.fetchval("SELECT quote_ident(current_database())")
        await connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'")
        await connection.close()

    dsn = asyncio.run(create_database(server_dsn))
    asyncio.run(set_zone())
    yield dsn
    asyncio.run(drop_database(server_dsn, dsn))


@pytest.fixture(params=VARIANTS)
async def store(
    request: pytest.FixtureRequest, dsn: str, kathmandu_dsn: str
) -> AsyncIterator[Store]:
    """A place for jobs, of every kind in turn."""
    prefix = f'Jobs "{uuid.uuid4().hex[:8]}" of a test'
    where = kathmandu_dsn if "Kathmandu" in request.param else dsn
    made = PostgresStore(where, prefix, VARIANTS[request.param])
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def engine(store: Store) -> Engine:
    """An engine on the store."""
    return store.engine()


@pytest.fixture
def other_engine(store: Store) -> Engine:
    """An engine of another process on the same store."""
    return store.engine()


@pytest.fixture
def producer() -> Producer:
    """A start of a worker process."""
    return new_producer()
