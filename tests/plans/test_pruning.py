"""The pruner follows its index from page to page, whatever the table holds and is known to hold."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.engine import Statement
from staffa.engines.statements.prunes import PruneStatements
from staffa.maintenance import Finished
from staffa.types import State
from tests.plans.explain import Scan, explain, read_blocks
from tests.plans.tables import COUNTS, add_backlog, analyze, seconds_for, stop_autovacuum
from tests.support.foreign_schemas import ELIXIR, make_adopted_schema

DAY = 86_400.0
WALK = Scan("Index Scan", "staffa_jobs_finished", "job")
PAGES = (10, 1000, 5000)


async def add_finished(connection: asyncpg.Connection, prefix: str, count: int) -> None:
    """Insert the history of a month, of all states and twenty queues."""
    schema = quote_identifier(prefix)
    await connection.execute(
        f"""
        INSERT INTO {schema}.oban_jobs
               (state, queue, worker, attempt, scheduled_at,
                completed_at, cancelled_at, discarded_at)
        SELECT job.state::text::{schema}.oban_job_state, 'queue ' || number % 20, 'tests.Worker', 1,
               job.ended_at,
               CASE job.state WHEN 'completed' THEN job.ended_at END,
               CASE job.state WHEN 'cancelled' THEN job.ended_at END,
               CASE job.state WHEN 'discarded' THEN job.ended_at END
          FROM generate_series(1, $1::int) AS number
         CROSS JOIN LATERAL (
                   SELECT CASE WHEN number % 100 = 0 THEN 'cancelled'
                               WHEN number % 100 = 1 THEN 'discarded' ELSE 'completed' END AS state,
                          timezone('UTC', now()) - number * interval '30 days' / $1::int AS ended_at
               ) AS job
        """,
        count,
        timeout=seconds_for(count),
    )


async def walks(connection: asyncpg.Connection, prefix: str, page: int) -> list[Statement[Any]]:
    """Return the walks of all states, from their beginnings and from their middles."""
    prunes = PruneStatements(prefix)
    ended_at = await connection.fetchval(
        "SELECT (timezone('UTC', now()) - interval '15 days')::text"
    )
    found: list[Statement[Any]] = []
    for state in (State.COMPLETED, State.CANCELLED, State.DISCARDED):
        middle = Finished(
            id=1, state=state, queue="", worker="", age=0, ended_at=ended_at, version=""
        )
        for place in (None, middle):
            found.append(prunes.find_oldest(state, age=DAY, after=place, limit=page))
            found.append(prunes.find_newest(state, age=0.0, before=place, limit=page))
    return found


async def find_flipped(connection: asyncpg.Connection, prefix: str) -> list[list[Scan]]:
    """Return the plans of the pruner that don't follow the index."""
    wrong = []
    for page in PAGES:
        for generic in (False, True):
            for walk in await walks(connection, prefix, page):
                scans = await explain(connection, walk, generic=generic)
                if scans != [WALK]:
                    wrong.append(scans)
            prune: Statement[Any] = Statement(
                PruneStatements(prefix).prune([]).sql,
                (list(range(1, page + 1)), ["1"] * page),
                lambda rows: None,
            )
            scans = await explain(connection, prune, generic=generic)
            if {scan.index for scan in scans} != {"oban_jobs_pkey"}:
                wrong.append(scans)
    return wrong


@pytest.mark.parametrize("count", COUNTS)
async def test_no_plan_flips_with_or_without_statistics(
    planner: asyncpg.Connection, prefix: str, count: int
) -> None:
    await add_finished(planner, prefix, count)
    assert await find_flipped(planner, prefix) == []
    await analyze(planner, prefix)
    assert await find_flipped(planner, prefix) == []


async def test_no_plan_flips_where_statistics_know_of_no_finished_job(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await add_backlog(planner, prefix, 20_000)
    await analyze(planner, prefix)
    await add_finished(planner, prefix, 100_000)
    assert await find_flipped(planner, prefix) == []


async def test_no_plan_flips_beside_the_indexes_of_another_implementation(
    planner: asyncpg.Connection, connection: asyncpg.Connection, dsn: str
) -> None:
    prefix = f"adopted_{uuid.uuid4().hex[:8]}"
    try:
        await make_adopted_schema(connection, dsn, ELIXIR, prefix)
        await stop_autovacuum(connection, prefix)
        await add_finished(planner, prefix, 100_000)
        assert await find_flipped(planner, prefix) == []
        await analyze(planner, prefix)
        assert await find_flipped(planner, prefix) == []
    finally:
        await connection.execute(f"DROP SCHEMA {prefix} CASCADE")


async def test_a_walk_reads_no_more_than_its_page_however_long_the_history_is(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await add_finished(planner, prefix, 200_000)
    for walk in await walks(planner, prefix, 100):
        assert await read_blocks(planner, walk) < 500
