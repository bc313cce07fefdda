"""`staffa migrate`."""

from __future__ import annotations

import asyncpg

from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from staffa.jobs import Job
from tests.conftest import MakeClient
from tests.support.program import Program

NEWEST = len(make_migrator("postgresql://localhost/any", "public").migrations)
DOWNWARDS = list(range(NEWEST, 0, -1))


async def test_up_makes_the_tables_and_says_so(bare_program: Program) -> None:
    finished = await bare_program.run("migrate", "up")
    assert finished.code == 0
    assert "applied 0001_oban_jobs, 0002_staffa" in finished.out
    finished = await bare_program.run("migrate", "up", "--json")
    assert finished.json == {"applied": [], "version": NEWEST}


async def test_status_exits_with_1_until_all_is_applied(bare_program: Program) -> None:
    finished = await bare_program.run("migrate", "status")
    assert finished.code == 1
    assert "pending" in finished.out
    await bare_program.run("migrate", "up")
    finished = await bare_program.run("migrate", "status", "--json")
    assert finished.code == 0
    assert [row["status"] for row in finished.json] == ["applied"] * NEWEST


async def test_down_shows_what_would_be_lost_and_does_it_with_yes(
    program: Program, make_client: MakeClient
) -> None:
    await make_client().enqueue_many(Job(worker="w") for _ in range(3))
    finished = await program.run("migrate", "down", "--to", "0", "--json")
    assert finished.code == 1
    assert finished.json == {"would_take_back": DOWNWARDS, "jobs": 3}
    finished = await program.run("migrate", "down", "--to", "0", "--yes", "--json")
    assert finished.code == 0
    assert finished.json == {"taken_back": DOWNWARDS, "jobs": 3, "version": 0}
    assert (await program.run("migrate", "status")).code == 1


async def test_down_without_a_version_is_a_usage_error(program: Program) -> None:
    assert (await program.run("migrate", "down")).code == 2


async def test_sql_prints_a_script_that_makes_the_schema(
    bare_program: Program, connection: asyncpg.Connection, empty_prefix: str
) -> None:
    finished = await bare_program.run("migrate", "sql")
    assert finished.code == 0
    await connection.execute(finished.out)
    table = f"{quote_identifier(empty_prefix)}.oban_jobs"
    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert (await bare_program.run("migrate", "status")).code == 0
