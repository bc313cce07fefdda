"""The trap of cached plans: one made for an empty table must not outlive its emptiness."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engine import Statement
from staffa.engines.postgres import PostgresEngine
from tests.plans.hot import PRODUCER
from tests.plans.tables import QUEUE, add_backlog, analyze

COUNTERS = """
    SELECT (SELECT seq_scan FROM pg_stat_user_tables
             WHERE schemaname = $1 AND relname = 'oban_jobs') AS sequential,
           (SELECT idx_scan FROM pg_stat_user_indexes
             WHERE schemaname = $1 AND indexrelname = 'staffa_jobs_claim') AS claim
"""


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[PostgresEngine]:
    """An engine, whose claims all share the cached statements of one connection."""
    made = PostgresEngine(ConnectionSettings(dsn), prefix, 1)
    yield made
    await made.close()


async def ask(engine: PostgresEngine, sql: str, *params: Any) -> dict[str, Any]:
    """Return a row that the connection of the engine's claims sees."""
    return await engine._claims.run(Statement(sql, params, lambda rows: dict(rows[0])))


async def test_claims_on_an_empty_table_do_not_spoil_those_after_a_bulk_insert(
    planner: asyncpg.Connection, prefix: str, engine: PostgresEngine
) -> None:
    if planner.get_server_version() < (15,):
        pytest.skip("needs PostgreSQL 15: older servers keep no exact counters")
    await analyze(planner, prefix)
    for _ in range(10):
        assert await engine.claim_jobs(QUEUE, 500, PRODUCER) == []
    await add_backlog(planner, prefix, 100_000)
    await ask(engine, "SELECT pg_stat_force_next_flush()")
    before = await ask(engine, COUNTERS, prefix)
    claimed = await engine.claim_jobs(QUEUE, 500, PRODUCER)
    await ask(engine, "SELECT pg_stat_force_next_flush()")
    after = await ask(engine, COUNTERS, prefix)
    assert len(claimed) == 500
    assert after["sequential"] == before["sequential"]
    assert after["claim"] == before["claim"] + 1


async def test_claims_are_planned_once(prefix: str, engine: PostgresEngine) -> None:
    for _ in range(10):
        await engine.claim_jobs(QUEUE, 500, PRODUCER)
    found = await ask(
        engine,
        "SELECT sum(generic_plans)::int AS generic, sum(custom_plans)::int AS custom"
        "  FROM pg_prepared_statements WHERE statement LIKE '-- Take up to%'",
    )
    assert found == {"generic": 10, "custom": 0}


async def test_other_statements_are_planned_for_what_the_table_holds_by_then(
    engine: PostgresEngine,
) -> None:
    for _ in range(10):
        await engine.count_available({QUEUE: 500})
    found = await engine.pool.run(
        Statement(
            "SELECT sum(generic_plans)::int AS generic FROM pg_prepared_statements"
            " WHERE statement LIKE '-- Count the available%'",
            (),
            lambda rows: dict(rows[0]),
        )
    )
    assert found == {"generic": 0}
