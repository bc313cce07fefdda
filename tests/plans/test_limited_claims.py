"""What claims under limits read, by plans that are made once, however much waits."""

from __future__ import annotations

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import Access
from staffa.engines.statements.limited import Weights
from staffa.engines.statements.limits import LimitStatements
from tests.plans.explain import read_fixed_blocks
from tests.plans.hot import NOW, PRODUCER, RING
from tests.plans.tables import QUEUE, add_backlog, analyze


@pytest.fixture(params=["without statistics", "with statistics"])
async def backlog(
    request: pytest.FixtureRequest, planner: asyncpg.Connection, prefix: str
) -> LimitStatements:
    """The statements of a schema where a bulk insert waits."""
    await add_backlog(planner, prefix, 100_000)
    if request.param == "with statistics":
        await analyze(planner, prefix)
    return LimitStatements(prefix)


async def test_a_page_is_read_from_where_the_last_one_has_ended(
    planner: asyncpg.Connection, backlog: LimitStatements
) -> None:
    for place in (None, (5, "1970-01-01 00:00:00", 1), (9, "2999-01-01 00:00:00", 1)):
        statement = backlog.sweep(RING, place, 200)
        assert await read_fixed_blocks(planner, statement, Access.ORDERED) < 1000


async def test_a_claim_by_urgency_reads_its_jobs_alone(
    planner: asyncpg.Connection, backlog: LimitStatements
) -> None:
    statement = backlog.take_flat(
        QUEUE, 50, tokens=None, now=NOW, producer=PRODUCER, weights=Weights()
    )
    assert await read_fixed_blocks(planner, statement, Access.ORDERED) < 3000


async def test_the_next_jobs_of_partitions_are_found_without_passing_those_of_others(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await planner.execute(
        f"""
        INSERT INTO {quote_identifier(prefix)}.oban_jobs (queue, worker, args, meta)
        SELECT $1, 'tests.Worker', '{{}}',
               jsonb_build_object('partition_key', 'c280a355:[' || number % 10000 || ']')
          FROM generate_series(1, 30000) AS number
        """,
        QUEUE,
    )
    keys: dict[str, tuple[int, int | None]] = {
        f"{RING.prefix}[{number}]": (1, 5) for number in range(5000, 5100)
    }
    statement = LimitStatements(prefix).take(
        RING, 0, keys, tokens=99, now=NOW, producer=PRODUCER, weights=Weights()
    )
    assert await read_fixed_blocks(planner, statement, Access.ORDERED) < 5000
