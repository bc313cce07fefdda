"""The SQL of the documentation runs as it stands, in a migrated schema or file."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import asyncpg

from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from tests.support.database import PROJECT

BLOCKS = re.findall(
    r"^```sql\n(.*?)^```$",
    (PROJECT / "docs" / "transactions.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


async def test_the_examples_run_on_postgresql(connection: asyncpg.Connection, prefix: str) -> None:
    await connection.execute(f"SET search_path = {quote_identifier(prefix)}")
    for block in BLOCKS:
        await connection.execute(block)
    states = await connection.fetch("SELECT state::text AS state FROM oban_jobs ORDER BY id")
    assert [row["state"] for row in states] == ["available", "scheduled", "available", "scheduled"]


async def test_the_plain_inserts_run_on_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    await make_migrator(f"sqlite:///{path}", "public").up()
    own = sqlite3.connect(path)
    for block in BLOCKS:
        if block.startswith("INSERT"):
            own.executescript(block)
    states = [state for (state,) in own.execute("SELECT state FROM oban_jobs ORDER BY id")]
    own.close()
    assert states == ["available", "scheduled"]
