"""`staffa maintain`."""

from __future__ import annotations

import asyncpg

from staffa._internal.identifiers import quote_identifier
from tests.support.program import Program


async def test_a_dry_run_shows_the_indexes_and_changes_nothing(
    program: Program, connection: asyncpg.Connection, prefix: str
) -> None:
    oid = f"SELECT relfilenode FROM pg_class WHERE oid = '{_index(prefix)}'::regclass"
    before = await connection.fetchval(oid)
    finished = await program.run("maintain", "--dry-run", "--all", "--json")
    assert finished.code == 0, finished.err
    rows = {row["index"]: row for row in finished.json}
    assert rows["staffa_jobs_claim"]["verdict"] == "rebuild"
    assert "oban_jobs_pkey" in rows
    assert await connection.fetchval(oid) == before
    finished = await program.run("maintain", "--dry-run")
    assert "staffa_jobs_claim" in finished.out
    assert "keep" in finished.out


async def test_small_indexes_are_left_alone_and_all_are_rebuilt_if_asked(
    program: Program, connection: asyncpg.Connection, prefix: str
) -> None:
    oid = f"SELECT relfilenode FROM pg_class WHERE oid = '{_index(prefix)}'::regclass"
    before = await connection.fetchval(oid)
    finished = await program.run("maintain", "--json")
    assert finished.json["rebuilt"] == []
    finished = await program.run("maintain", "--all", "--json")
    assert finished.code == 0, finished.err
    assert "staffa_jobs_claim" in finished.json["rebuilt"]
    assert await connection.fetchval(oid) != before
    assert "rebuilt nothing" in (await program.run("maintain")).out


async def test_leftovers_of_interrupted_rebuilds_are_dropped(
    program: Program, connection: asyncpg.Connection, prefix: str
) -> None:
    schema = quote_identifier(prefix)
    await connection.execute(f"CREATE INDEX some_ccnew ON {schema}.oban_jobs (queue)")
    await connection.execute(f"CREATE INDEX of_a_user ON {schema}.oban_jobs (queue)")
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN"
        f" ('{schema}.some_ccnew'::regclass, '{schema}.of_a_user'::regclass)"
    )
    finished = await program.run("maintain", "--json")
    assert finished.json["dropped"] == ["some_ccnew"]
    shown = await program.run("maintain", "--dry-run", "--json")
    verdicts = {row["index"]: row["verdict"] for row in shown.json}
    assert verdicts["of_a_user"] == "invalid"
    assert "some_ccnew" not in verdicts


async def test_the_owner_of_the_settings_is_used_unless_a_dsn_is_given(
    dsn: str, prefix: str, program: Program
) -> None:
    nowhere = "postgresql://owner:hunter2@127.0.0.1:1/app"
    other = Program(
        program.folder, STAFFA_DSN=dsn, STAFFA_PREFIX=prefix, STAFFA_MAINTENANCE_DSN=nowhere
    )
    finished = await other.run("maintain")
    assert finished.code == 3
    assert "hunter2" not in finished.err
    assert (await other.run("maintain", "--dsn", dsn)).code == 0


def _index(prefix: str) -> str:
    return f"{quote_identifier(prefix)}.staffa_jobs_claim"
