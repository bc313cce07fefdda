"""Many unique jobs that conflict are judged in linear time, whatever the statistics say."""

from __future__ import annotations

import re

import asyncpg

from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engines.postgres import PostgresEngine
from staffa.engines.statements.rounds import Entry
from staffa.engines.statements.unique import UniqueStatements
from staffa.jobs import Job

COUNT = 12_000


def unique_jobs() -> list[Job]:
    return [Job(worker="w", args={"n": n}, unique=True) for n in range(COUNT)]


async def test_known_keys_are_not_compared_with_all_others(
    planner: asyncpg.Connection, dsn: str, prefix: str
) -> None:
    """Jobs came into a table that had been analyzed after its few jobs were deleted."""
    jobs = f"{quote_identifier(prefix)}.oban_jobs"
    await planner.execute(f"INSERT INTO {jobs} (worker) SELECT 'w' FROM generate_series(1, 10)")
    await planner.execute(f"ANALYZE {jobs}")
    await planner.execute(f"DELETE FROM {jobs}")
    await planner.execute(f"ANALYZE {jobs}")
    engine = PostgresEngine(ConnectionSettings(dsn), prefix, 1)
    await engine.enqueue_jobs(unique_jobs()[::2])
    await engine.close()
    await planner.execute(f"ANALYZE {quote_identifier(prefix)}.staffa_unique")
    statements = UniqueStatements(prefix)
    entries = {place: Entry(job, job.unique_key) for place, job in enumerate(unique_jobs())}
    take = statements.take([entry.key for entry in entries.values() if entry.key is not None])
    enqueue = statements.enqueue(entries)
    async with planner.transaction():
        await planner.execute("SET LOCAL statement_timeout = '60s'")
        await planner.fetch(take.sql, *take.params)
        rows = await planner.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {enqueue.sql}", *enqueue.params)
    compared = [
        int(n) for row in rows for n in re.findall(r"Removed by Join Filter: (\d+)", row[0])
    ]
    assert sum(compared) <= 10 * COUNT
