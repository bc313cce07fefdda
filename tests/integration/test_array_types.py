"""Our connections know the array types of PostgreSQL: no session is asked, or set, for them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, NoReturn

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.drivers import array_types
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.asyncpg_pool import Pool
from staffa.engine import Statement
from tests.support.pgbouncer import PgBouncer

TIME = dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)
VALUES: dict[str, list[Any]] = {
    "bool": [True, None, False],
    "bytea": [b"\0,{}", b""],
    "int2": [-32768, 32767],
    "int4": [-1, None],
    "int8": [2**62, 0],
    "float8": [1.5, float("inf")],
    "timestamp": [TIME.replace(tzinfo=None)],
    "timestamptz": [TIME],
    "uuid": [uuid.UUID(int=7)],
    "jsonb": ['{"a": [1, 2]}', "null"],
}


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's question fails."""

    async def refuse(*_: object) -> NoReturn:
        pytest.fail("the session is asked for its types")

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", refuse)


async def test_the_numbers_are_those_of_the_server(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "SELECT typarray::int, oid::int, typname::text FROM pg_type WHERE typname = ANY ($1)",
        list(VALUES),
    )
    assert {array: (element, name) for array, element, name in rows} == array_types._ELEMENTS


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.usefixtures("unasked")
async def test_arrays_go_there_and_back_without_a_question(dsn: str, name: str) -> None:
    connection = await ConnectionSettings(dsn).connect()
    assert await connection.fetchval(f"SELECT $1::{name}[]", VALUES[name]) == VALUES[name]
    await connection.close()


async def test_the_server_is_asked_for_other_types(dsn: str, prefix: str) -> None:
    connection = await ConnectionSettings(dsn).connect()
    states = f"{quote_identifier(prefix)}.oban_job_state[]"
    kept = ["available", "completed"]
    assert await connection.fetchval(f"SELECT $1::{states}", kept) == kept
    await connection.close()


async def test_shared_sessions_keep_their_setting_of_jit(dsn: str) -> None:
    source: Statement[str] = Statement(
        "SELECT (SELECT source FROM pg_settings WHERE name = 'jit') AS source, $1::int8[] AS ids",
        ([1, 2],),
        lambda rows: rows[0]["source"],
    )
    async with PgBouncer(dsn, size=1) as bouncer:
        pool = Pool(ConnectionSettings(bouncer.dsn), 2)
        assert [await pool.run(source) for _ in range(2)] == ["default"] * 2
        await pool.close()
