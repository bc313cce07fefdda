"""The job: events are loaded into a table of the warehouse, many at once."""

import os

import asyncpg

from staffa import Chunk, Job, job

TABLES = """
CREATE TABLE IF NOT EXISTS page_views (
    id      bigint PRIMARY KEY,
    page    text NOT NULL,
    millis  integer NOT NULL
);
CREATE TABLE IF NOT EXISTS loads (
    events  integer NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


@job(queue="warehouse", chunk=Chunk(size=10_000, timeout=10))
async def load(jobs: list[Job]) -> None:
    """Load events by COPY; those of a run that was interrupted are there already, and left out."""
    events = [(view.args["id"], view.args["page"], view.args["millis"]) for view in jobs]
    connection = await asyncpg.connect(os.environ["WAREHOUSE_DSN"])
    try:
        async with connection.transaction():
            await connection.execute(
                "CREATE TEMPORARY TABLE arrived (LIKE page_views) ON COMMIT DROP"
            )
            await connection.copy_records_to_table("arrived", records=events)
            await connection.execute(
                "INSERT INTO page_views SELECT * FROM arrived ON CONFLICT (id) DO NOTHING"
            )
            await connection.execute("INSERT INTO loads (events) VALUES ($1)", len(events))
    finally:
        await connection.close()
