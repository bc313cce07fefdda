"""Searches that find few jobs in a long history, and what they cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engine import Statement
from staffa.engines.postgres import PostgresEngine
from staffa.engines.statements.operations import OperationStatements
from staffa.filters import JobFilter
from tests.plans.explain import explain
from tests.plans.tables import QUEUE, add_running, analyze

ENDED = 100_000
LIVE = {
    "available": (JobFilter(states=["available"], queues=[QUEUE]), {"staffa_jobs_claim"}),
    "due": (JobFilter(states=["scheduled", "retryable"]), {"staffa_jobs_stage"}),
    "retryable": (JobFilter(states=["retryable"]), {"staffa_jobs_stage"}),
    "running": (JobFilter(states=["executing"]), {"staffa_jobs_lease"}),
    "all of them": (
        JobFilter(states=["available", "scheduled", "retryable", "executing"]),
        {None},  # a bitmap of all three
    ),
}


@pytest.fixture
async def statements(planner: asyncpg.Connection, prefix: str) -> OperationStatements:
    """The statements on a table whose few live jobs lie at the ends of a history."""
    made = OperationStatements(prefix)
    jobs = f"{quote_identifier(prefix)}.oban_jobs"
    for state, count in (("retryable", 1), ("completed", ENDED), ("available", 1000)):
        await planner.execute(
            f"INSERT INTO {jobs} (state, queue, worker) SELECT '{state}', $1, 'tests.Worker'"
            "  FROM generate_series(1, $2::int)",
            QUEUE,
            count,
        )
    await add_running(planner, prefix, 500)
    return made


@pytest.mark.parametrize("name", LIVE)
async def test_the_bounds_of_live_jobs_are_read_from_their_indexes(
    planner: asyncpg.Connection, prefix: str, statements: OperationStatements, name: str
) -> None:
    wanted, indexes = LIVE[name]
    await analyze(planner, prefix)
    for build in (statements.bounds, statements.count):
        statement: Statement[Any] = build(wanted)
        for generic in (False, True):
            scans = await explain(planner, statement, generic=generic)
            assert {scan.index for scan in scans} == indexes, (scans, generic)
            assert "Seq Scan" not in {scan.kind for scan in scans}


class Watched(PostgresEngine):
    """An engine that notes how many statements it has run."""

    async def count_statements(self, wanted: JobFilter) -> tuple[int, int, int]:
        """Return how many jobs were listed and found, and how many statements that took."""
        run, ran = self.pool.run, []

        async def noting(statement: Statement[Any]) -> Any:
            ran.append(statement.sql)
            return await run(statement)

        self.pool.run = noting  # type: ignore[method-assign]  # looks on, changes nothing
        listed = await self.list_jobs(wanted)
        found = [number async for ids in self.find_jobs(wanted) for number in ids]
        self.pool.run = run  # type: ignore[method-assign]
        return len(listed), len(found), len(ran)


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[Watched]:
    """An engine on the test's schema."""
    made = Watched(ConnectionSettings(dsn), prefix, 1)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("wanted", "listed", "found"),
    [
        (JobFilter(states=["retryable"]), 1, 1),
        (JobFilter(states=["executing"]), 100, 500),
        (JobFilter(states=["available"], workers=["none"]), 0, 0),
        (JobFilter(states=["scheduled"]), 0, 0),
    ],
    ids=str,
)
async def test_a_history_is_not_looked_at_for_live_jobs(
    statements: OperationStatements, engine: Watched, wanted: JobFilter, listed: int, found: int
) -> None:
    jobs, ids, ran = await engine.count_statements(wanted)
    assert (jobs, ids) == (listed, found)
    assert ran <= 10


async def test_a_history_is_looked_at_in_stretches_for_ended_jobs(
    statements: OperationStatements, engine: Watched
) -> None:
    jobs, ids, ran = await engine.count_statements(JobFilter(states=["discarded"]))
    assert (jobs, ids) == (0, 0)
    assert 10 < ran < 3 * (ENDED / 100 + 10)
