"""Where worker processes note what sweeps of theirs had to repair: there should be nothing."""

from __future__ import annotations

import os

import asyncpg
import psycopg

from staffa import telemetry
from staffa._internal.identifiers import quote_identifier
from staffa.telemetry.catalogue import FlowsRepaired
from tests.chaos import marks


async def make_table(connection: asyncpg.Connection, prefix: str) -> None:
    """Make the table of repairs."""
    await connection.execute(
        f"CREATE TABLE {quote_identifier(prefix)}.chaos_repairs"
        " (own integer NOT NULL, recounted integer NOT NULL)"
    )


async def read_repairs(connection: asyncpg.Connection, prefix: str) -> list[str]:
    """Return what was repaired, in words."""
    rows = await connection.fetch(f"SELECT * FROM {quote_identifier(prefix)}.chaos_repairs")
    return [
        f"a sweep followed {row['own']} ends, and counted {row['recounted']} flows anew"
        for row in rows
    ]


def note_repairs(event: telemetry.Event) -> None:
    """Note that a sweep has found something that nobody had followed."""
    assert isinstance(event, FlowsRepaired)
    if not event.own and not event.recounted:
        return
    table = f"{quote_identifier(os.environ[marks.PREFIX])}.chaos_repairs"
    with psycopg.connect(os.environ[marks.DSN], autocommit=True) as connection:
        connection.execute(f"INSERT INTO {table} VALUES (%s, %s)", [event.own, event.recounted])
