"""Fixtures of the definition of an engine: the stores that are tested, and engines on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from staffa.drivers.array_types import Connection
from staffa.engine import Engine, Producer
from tests.conformance.graphs import Flows
from tests.conformance.runs import Runs
from tests.conformance.sqlite_store import SqliteStore
from tests.conformance.stores import PostgresStore, Store
from tests.conformance.work import new_producer
from tests.support.database import create_database, drop_database
from tests.support.foreign_schemas import ELIXIR, PYTHON
from tests.support.pgbouncer import PgBouncer
from tests.support.schemas import Schemas

VARIANTS = {
    "postgres": "schemas",
    "postgres with Elixir's table, in Kathmandu": "elixir_schemas",
    "postgres with Python oban's table": "oban_schemas",
    "postgres behind PgBouncer": "schemas",
    "sqlite": None,
}
"""The kinds of stores, each with the fixture that its schema comes from."""


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


@pytest.fixture(scope="session")
def elixir_schemas(kathmandu_dsn: str) -> Iterator[Schemas]:
    """Schemas of Elixir Oban that were adopted."""
    made = Schemas(kathmandu_dsn, ELIXIR)
    yield made
    made.close()


@pytest.fixture(scope="session")
def oban_schemas(dsn: str) -> Iterator[Schemas]:
    """Schemas of Python's oban that were adopted."""
    made = Schemas(dsn, PYTHON)
    yield made
    made.close()


@pytest.fixture(scope="session")
def bouncer_dsn(dsn: str) -> Iterator[str]:
    """The way to the tests' database that shares sessions among clients."""
    bouncer = PgBouncer(dsn)
    asyncio.run(bouncer.open())
    yield bouncer.dsn
    asyncio.run(bouncer.close())


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A place for jobs that is not open yet, of every kind in turn."""
    source = VARIANTS[request.param]
    if source is None:  # needs no server
        return SqliteStore(tmp_path / "jobs.db")
    way = request.getfixturevalue("bouncer_dsn") if "PgBouncer" in request.param else None
    return PostgresStore(request.getfixturevalue(source), way)


@pytest.fixture(autouse=True)
def types_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our connections asks for types, which takes long behind a pooler."""
    ask: Any = asyncpg.Connection._introspect_types  # type: ignore[attr-defined]

    async def ask_on_others(self: asyncpg.Connection, types: set[int], seconds: float) -> Any:
        if type(self) is Connection:
            pytest.fail(f"a statement needs types that have to be asked for: {sorted(types)}")
        return await ask(self, types, seconds)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", ask_on_others)


@pytest.fixture
async def store(variant: Store) -> AsyncIterator[Store]:
    """A place for jobs, of every kind in turn."""
    await variant.open()
    yield variant
    await variant.close()


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


@pytest.fixture
def flows(store: Store, engine: Engine, producer: Producer) -> Flows:
    """What writes flows, and ends their jobs."""
    return Flows(store, engine, producer)


@pytest.fixture
def runs(engine: Engine, producer: Producer) -> Runs:
    """What writes and runs graphs."""
    return Runs(engine, producer)
