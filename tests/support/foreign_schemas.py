"""Schemas as other implementations make them, built from facts that were read from real ones.

`foreign/elixir_v14_schema.json` tells of Elixir Oban's schema version 14, and
`foreign/python_oban_schema.json` of the one that Python's `oban` 0.6 and 0.7 make: columns, types,
defaults, checks, indexes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from staffa._internal.identifiers import quote_identifier
from staffa._internal.sql import load_sql
from staffa.client.backend import make_migrator

FOLDER = Path(__file__).parent / "foreign"
ELIXIR = "elixir"
PYTHON = "python"
FACTS = {ELIXIR: "elixir_v14_schema.json", PYTHON: "python_oban_schema.json"}
STATES = (
    "available", "suspended", "scheduled", "executing", "retryable", "completed", "discarded",
    "cancelled",
)  # fmt: skip


async def make_foreign_schema(connection: asyncpg.Connection, kind: str, prefix: str) -> None:
    """Make a schema as an implementation makes it."""
    facts = json.loads((FOLDER / FACTS[kind]).read_text("utf-8"))
    await connection.execute("".join(f"{part};\n" for part in _statements(facts, prefix)))


async def make_adopted_schema(
    connection: asyncpg.Connection, dsn: str, kind: str, prefix: str
) -> None:
    """Make a schema as it is after an adoption, in one script: many tests need one."""
    await make_foreign_schema(connection, kind, prefix)
    first = load_sql("staffa.engines.postgres", "migrations/0001_oban_jobs.up.sql", prefix)
    script = make_migrator(dsn, prefix).script()
    assert first in script
    await connection.execute(
        script.replace(first, "").replace("'oban_jobs')", f"'adopted_{kind}')")
    )


async def add_foreign_rows(connection: asyncpg.Connection, prefix: str, count: int = 1) -> None:
    """Insert jobs of every state as both implementations do, `count` of each."""
    schema = quote_identifier(prefix)
    await connection.execute(
        f"""
        INSERT INTO {schema}.oban_jobs
               (state, worker, args, attempt, attempted_at, attempted_by,
                completed_at, cancelled_at, discarded_at)
        SELECT state::{schema}.oban_job_state, 'Shop.Mail', jsonb_build_object('n', n),
               CASE WHEN state IN ('available', 'suspended', 'scheduled') THEN 0 ELSE 1 END,
               CASE state WHEN 'executing' THEN timezone('UTC', now()) END,
               CASE state WHEN 'executing'
                    THEN ARRAY['web.1', '01975555-0000-7000-8000-000000000000']
                    ELSE ARRAY[]::text[] END,
               CASE state WHEN 'completed' THEN timezone('UTC', now()) END,
               CASE state WHEN 'cancelled' THEN timezone('UTC', now()) END,
               CASE state WHEN 'discarded' THEN timezone('UTC', now()) END
          FROM unnest($1::text[]) AS state, generate_series(1, $2::int) AS n
        """,
        STATES,
        count,
    )


def _statements(facts: dict[str, Any], prefix: str) -> Iterator[str]:
    schema = quote_identifier(prefix)
    yield "BEGIN"
    yield f"CREATE SCHEMA {schema}"
    yield f"SET LOCAL search_path TO {schema}"
    labels = ", ".join(f"'{label}'" for label in facts["enum"])
    yield f"CREATE TYPE oban_job_state AS ENUM ({labels})"
    serial = any("oban_jobs_id_seq" in (column["default"] or "") for column in facts["columns"])
    if serial:
        yield "CREATE SEQUENCE oban_jobs_id_seq"
    for table in dict.fromkeys(column["table"] for column in facts["columns"]):
        columns = [_column(column) for column in facts["columns"] if column["table"] == table]
        kind = "UNLOGGED TABLE" if table in facts.get("unlogged", ()) else "TABLE"
        options = ", ".join(facts.get("options", {}).get(table, ()))
        yield f"CREATE {kind} {table} ({', '.join(columns)})" + (
            f" WITH ({options})" if options else ""
        )
    if serial:
        yield "ALTER SEQUENCE oban_jobs_id_seq OWNED BY oban_jobs.id"
    for check in facts["checks"]:
        yield f"ALTER TABLE oban_jobs ADD CONSTRAINT {check['name']} {check['def']}"
    for index in facts["indexes"]:
        yield _index(index)
    if facts["table_comment"] is not None:
        yield f"COMMENT ON TABLE oban_jobs IS '{facts['table_comment']}'"
    yield "COMMIT"


def _column(column: dict[str, Any]) -> str:
    default = column["default"]
    if default is None:
        filled = ""
    elif default.startswith("GENERATED"):
        filled = f" {default}"
    else:
        filled = f" DEFAULT {default}"
    return (
        f"{column['name']} {column['type']}{filled}"
        f"{' NOT NULL' if column['nullable'] == 'NO' else ''}"
    )


def _index(index: dict[str, str]) -> str:
    name = index["name"]
    if name.endswith("_pkey"):
        table = name.removesuffix("_pkey")
        return f"ALTER TABLE {table} ADD PRIMARY KEY {index['columns'].removeprefix('btree ')}"
    return f"CREATE INDEX {name} ON oban_jobs USING {index['columns']}"
