"""Beside the indexes of other implementations, the hot statements keep to indexes as well."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.plans.explain import explain
from tests.plans.hot import HOT, build
from tests.plans.tables import add_backlog, analyze, stop_autovacuum
from tests.plans.test_hot_statements import ORDERED
from tests.support.foreign_schemas import ELIXIR, PYTHON, make_adopted_schema


@pytest.fixture(params=[ELIXIR, PYTHON])
async def adopted(
    request: pytest.FixtureRequest, dsn: str, connection: asyncpg.Connection
) -> AsyncIterator[str]:
    """A schema that another implementation has made, with a backlog."""
    name = f"adopted_{uuid.uuid4().hex[:8]}"
    await make_adopted_schema(connection, dsn, request.param, name)
    await stop_autovacuum(connection, name)
    await add_backlog(connection, name, 20_000)
    yield name
    await connection.execute(f"DROP SCHEMA {name} CASCADE")


async def test_claim_and_stage_follow_our_indexes_and_nothing_reads_the_whole_table(
    planner: asyncpg.Connection, adopted: str
) -> None:
    for _ in range(2):
        for name in HOT:
            for scan in await explain(planner, build(name, adopted, 10), generic=False):
                assert scan.index is not None, (name, scan)
                assert scan.index == ORDERED.get(scan.alias, scan.index), (name, scan)
        await analyze(planner, adopted)
