"""The prioritizer follows the claim's index, whatever waits and is known to wait."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.engine import Statement
from staffa.engines.statements.ages import AgeStatements
from staffa.waiting import Level, Waiting
from tests.plans.explain import Scan, explain, read_blocks
from tests.plans.tables import (
    COUNTS,
    QUEUE,
    add_backlog,
    add_history,
    analyze,
    seconds_for,
    stop_autovacuum,
)
from tests.support.foreign_schemas import ELIXIR, make_adopted_schema

PAGES = (10, 1000, 5000)
CLAIM = "staffa_jobs_claim"
ELIXIRS = "oban_jobs_state_queue_priority_scheduled_at_id_index"  # has the same order
FOLLOWED = ("Index Scan", "Index Only Scan")


async def add_waiting(connection: asyncpg.Connection, prefix: str, count: int) -> None:
    """Insert jobs that have waited for up to a month, in twenty queues and all priorities."""
    await connection.execute(
        f"""
        INSERT INTO {quote_identifier(prefix)}.oban_jobs (queue, worker, priority, scheduled_at)
        SELECT CASE number % 20 WHEN 0 THEN $1 ELSE 'queue ' || number % 20 END, 'tests.Worker',
               number / 20 % 10,
               timezone('UTC', now()) - number * interval '30 days' / $2::int
          FROM generate_series(1, $2::int) AS number
        """,
        QUEUE,
        count,
        timeout=seconds_for(count),
    )


async def walks(connection: asyncpg.Connection, prefix: str, page: int) -> list[Statement[Any]]:
    """Return the walks along a level, from its beginning and from its middle."""
    due = await connection.fetchval("SELECT (timezone('UTC', now()) - interval '15 days')::text")
    middle = Waiting(
        id=1, queue=QUEUE, worker="", priority=5, own_priority=5, waited=0.0, due_since=due
    )
    level = Level(queue=QUEUE, priority=5)
    return [
        AgeStatements(prefix).find_oldest(level, age=60.0, after=place, limit=page)
        for place in (None, middle)
    ]


def follows(scan: Scan, allowed: frozenset[str]) -> bool:
    return scan.kind in FOLLOWED and scan.index in allowed


async def find_flipped(
    connection: asyncpg.Connection, prefix: str, allowed: frozenset[str] = frozenset({CLAIM})
) -> list[list[Scan]]:
    """Return the plans of the prioritizer that don't follow one of the indexes that may serve."""
    ages, wrong = AgeStatements(prefix), []
    for page in PAGES:
        for generic in (False, True):
            for walk in await walks(connection, prefix, page):
                scans = await explain(connection, walk, generic=generic)
                if len(scans) != 1 or not follows(scans[0], allowed):
                    wrong.append(scans)
            for place in (None, Level(queue=QUEUE, priority=3)):
                levels = ages.find_levels(after=place, limit=page)
                scans = await explain(connection, levels, generic=generic)
                if not all(follows(scan, allowed) for scan in scans):
                    wrong.append(scans)
            raised: Statement[Any] = Statement(
                ages.raise_to([], []).sql,
                (
                    list(range(1, page + 1)), ["2026-01-01"] * page, [5] * page, [5] * page,
                    [4] * page,
                ),
                lambda rows: None,
            )  # fmt: skip
            scans = await explain(connection, raised, generic=generic)
            if {scan.index for scan in scans} != {"oban_jobs_pkey"}:
                wrong.append(scans)
    return wrong


@pytest.mark.parametrize("count", COUNTS)
async def test_no_plan_flips_with_or_without_statistics(
    planner: asyncpg.Connection, prefix: str, count: int
) -> None:
    await add_waiting(planner, prefix, count)
    assert await find_flipped(planner, prefix) == []
    await analyze(planner, prefix)
    assert await find_flipped(planner, prefix) == []


async def test_no_plan_flips_where_statistics_know_of_no_job_that_waits(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await add_history(planner, prefix, 20_000)
    await analyze(planner, prefix)
    await add_backlog(planner, prefix, 100_000)
    assert await find_flipped(planner, prefix) == []


async def test_no_plan_flips_beside_the_indexes_of_another_implementation(
    planner: asyncpg.Connection, connection: asyncpg.Connection, dsn: str
) -> None:
    prefix = f"adopted_{uuid.uuid4().hex[:8]}"
    try:
        await make_adopted_schema(connection, dsn, ELIXIR, prefix)
        await stop_autovacuum(connection, prefix)
        allowed = frozenset({CLAIM, ELIXIRS})
        await add_waiting(planner, prefix, 100_000)
        assert await find_flipped(planner, prefix, allowed) == []
        await analyze(planner, prefix)
        assert await find_flipped(planner, prefix, allowed) == []
    finally:
        await connection.execute(f"DROP SCHEMA {prefix} CASCADE")


async def test_a_walk_reads_no_more_than_its_page_however_much_waits(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await add_waiting(planner, prefix, 200_000)
    for walk in await walks(planner, prefix, 100):
        assert await read_blocks(planner, walk) < 500


async def test_levels_are_found_by_a_jump_each_however_much_waits(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await add_waiting(planner, prefix, 200_000)
    levels = AgeStatements(prefix).find_levels(after=None, limit=1000)
    assert len(await planner.fetch(levels.sql, *levels.params)) == 20 * 9
    assert await read_blocks(planner, levels) < 20 * 10 * 8
