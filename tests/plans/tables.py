"""Tables of every size and kind, made by the server itself."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier

PRODUCERS = [UUID(int=number) for number in range(1, 4)]
QUEUE = "mail"
COUNTS = [100_000, 1_000_000, pytest.param(10_000_000, marks=pytest.mark.long)]
"""Rows for which plans are asserted; the last takes some minutes and 4 GB, by `pytest -m long`."""


def seconds_for(count: int) -> float:
    """Return how long a server may take to insert so many rows."""
    return max(300.0, count / 5000)


async def stop_autovacuum(connection: asyncpg.Connection, prefix: str) -> None:
    """Keep the statistics of the jobs table as the test makes them."""
    await connection.execute(f"ALTER TABLE {_jobs(prefix)} SET (autovacuum_enabled = false)")


async def analyze(connection: asyncpg.Connection, prefix: str) -> None:
    """Make statistics of the jobs table."""
    await connection.execute(f"ANALYZE {_jobs(prefix)}")


async def add_backlog(connection: asyncpg.Connection, prefix: str, count: int) -> None:
    """Insert available jobs of one queue, as a bulk insert leaves them."""
    await connection.execute(
        f"""
        INSERT INTO {_jobs(prefix)} (queue, worker, args, meta, priority, scheduled_at)
        SELECT $1, 'tests.Worker', '{{"id": 1}}',
               CASE number % 2 WHEN 0 THEN '{{}}'
                    ELSE jsonb_build_object('partition_key', 'c280a355:[' || number % 5000 || ']')
                    END,
               number % 10,
               timezone('UTC', now()) - number * interval '1 millisecond'
          FROM generate_series(1, $2) AS number
        """,
        QUEUE,
        count,
        timeout=seconds_for(count),
    )


async def add_history(connection: asyncpg.Connection, prefix: str, count: int) -> None:
    """Insert what a busy year leaves: ended jobs first, then those of twenty queues."""
    await connection.execute(
        f"""
        INSERT INTO {_jobs(prefix)} (state, queue, worker, attempt, scheduled_at)
        SELECT (CASE WHEN number < 0.8 * $2::int THEN 'completed'
                     WHEN number % 3 = 0 THEN 'scheduled'
                     WHEN number % 3 = 1 THEN 'retryable'
                     ELSE 'available' END)::text::{quote_identifier(prefix)}.oban_job_state,
               CASE number % 20 WHEN 0 THEN $1 ELSE 'queue ' || number % 20 END,
               'tests.Worker', 1,
               timezone('UTC', now()) + (number - 0.9 * $2::int) * interval '1 millisecond'
          FROM generate_series(1, $2::int) AS number
        """,
        QUEUE,
        count,
        timeout=seconds_for(count),
    )
    await add_running(connection, prefix, 1000)


async def work_off(connection: asyncpg.Connection, prefix: str, until: int) -> None:
    """Have the jobs up to an id be completed, as claims and outcomes do: by two versions each."""
    for before, after in (("available", "executing"), ("executing", "completed")):
        await connection.execute(
            f"UPDATE {_jobs(prefix)} SET state = '{after}' WHERE state = '{before}' AND id <= $1",
            until,
            timeout=seconds_for(until),
        )


async def add_running(connection: asyncpg.Connection, prefix: str, count: int) -> None:
    """Insert running jobs of three producers."""
    await connection.execute(
        f"""
        INSERT INTO {quote_identifier(prefix)}.staffa_producers (uuid, name, node)
        SELECT unnest($1::uuid[]), 'Staffa', 'node.1'
        """,
        PRODUCERS,
    )
    await connection.execute(
        f"""
        INSERT INTO {_jobs(prefix)} (state, queue, worker, attempt, attempted_at, attempted_by)
        SELECT 'executing', $1, 'tests.Worker', 1, timezone('UTC', now()),
               ARRAY['node.1', ($3::uuid[])[number % 3 + 1]::text]
          FROM generate_series(1, $2::int) AS number
        """,
        QUEUE,
        count,
        PRODUCERS,
    )


def _jobs(prefix: str) -> str:
    return f"{quote_identifier(prefix)}.oban_jobs"
