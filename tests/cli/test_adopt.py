"""`staffa adopt`."""

from __future__ import annotations

import re

import asyncpg

from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from tests.migrations.catalogue import read_catalogue
from tests.support.foreign_schemas import (
    ELIXIR,
    PYTHON,
    STATES,
    add_foreign_rows,
    make_foreign_schema,
)
from tests.support.program import Program
from tests.support.terminal import Terminal

NEWEST = len(make_migrator("postgresql://localhost/any", "public").migrations)


async def test_a_dry_run_tells_what_is_found_and_would_be_added_and_changes_nothing(
    bare_program: Program, connection: asyncpg.Connection, empty_prefix: str
) -> None:
    await make_foreign_schema(connection, ELIXIR, empty_prefix)
    await add_foreign_rows(connection, empty_prefix)
    before = await read_catalogue(connection, empty_prefix)
    finished = await bare_program.run("adopt", "--dry-run")
    assert finished.code == 0, finished.err
    assert "is a table of Elixir Oban, schema version 14" in finished.out
    for fact in (
        r"errors +jsonb\[\]",
        r"numbers +integer",
        r"may be null +tags, meta",
        r"running +1 on web\.1",
        r"index +staffa_jobs_claim +CONCURRENTLY",
        r"table +staffa_migrations +none of theirs",
        r"Note: .* completed after 24 h",
        r"Note: Elixir Oban gives up running jobs .* 60 minutes",
    ):
        assert re.search(fact, finished.out), (fact, finished.out)
    finished = await bare_program.run("adopt", "--dry-run", "--json")
    assert (finished.json["origin"], finished.json["schema_version"]) == ("elixir", 14)
    assert finished.json["found"]["types"]["errors"] == "jsonb[]"
    assert finished.json["adds"][0] == {"version": 0, "kind": "table", "name": "staffa_migrations"}
    assert "applied" not in finished.json
    assert await read_catalogue(connection, empty_prefix) == before


async def test_it_is_done_with_yes_and_once(
    bare_program: Program, connection: asyncpg.Connection, empty_prefix: str
) -> None:
    await make_foreign_schema(connection, PYTHON, empty_prefix)
    await add_foreign_rows(connection, empty_prefix)
    before = await read_catalogue(connection, empty_prefix)
    refused = await bare_program.run("adopt")
    assert refused.code == 1
    assert "Give --yes" in refused.out
    assert "Staffa would add" in refused.out
    assert await read_catalogue(connection, empty_prefix) == before
    finished = await bare_program.run("adopt", "--yes", "--json")
    assert finished.code == 0, finished.err
    assert finished.json["origin"] == "python"
    assert finished.json["schema_version"] is None
    assert finished.json["applied"] == list(range(1, NEWEST + 1))
    assert finished.json["version"] == NEWEST
    finished = await bare_program.run("adopt", "--yes")
    assert finished.code == 0
    assert "the tables of Python oban were adopted before" in finished.out

    shown = await bare_program.run("migrate", "down", "--to", "0")
    assert shown.code == 1
    assert "no job deleted, as the table is that of Python oban" in shown.out
    table = f"{quote_identifier(empty_prefix)}.oban_jobs"
    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == len(STATES)


async def test_whoever_sits_at_the_terminal_is_asked(
    bare_program: Program,
    connection: asyncpg.Connection,
    empty_prefix: str,
    terminal: Terminal,
) -> None:
    await make_foreign_schema(connection, ELIXIR, empty_prefix)
    before = await read_catalogue(connection, empty_prefix)
    process = await bare_program.start_on(terminal, "adopt")
    await terminal.until("Add this?")
    terminal.press("n\n")
    assert await process.wait() == 1
    assert await read_catalogue(connection, empty_prefix) == before


async def test_an_older_version_is_refused_with_what_upgrades_it(
    bare_program: Program, connection: asyncpg.Connection, empty_prefix: str
) -> None:
    await make_foreign_schema(connection, ELIXIR, empty_prefix)
    table = f"{quote_identifier(empty_prefix)}.oban_jobs"
    await connection.execute(f"COMMENT ON TABLE {table} IS '12'")
    finished = await bare_program.run("adopt", "--yes", "--json")
    assert (finished.code, finished.out) == (1, "")
    assert "Oban.Migration.up(version: 14, prefix:" in finished.err
    assert "mix ecto.migrate" in finished.err


async def test_tables_of_ours_need_no_adoption(
    bare_program: Program, dsn: str, empty_prefix: str
) -> None:
    migrator = make_migrator(dsn, empty_prefix)
    await migrator.up(3)
    finished = await bare_program.run("adopt", "--yes")
    assert finished.code == 1
    assert "run 'staffa migrate up'" in finished.err
    await migrator.up()
    finished = await bare_program.run("adopt", "--yes")
    assert finished.code == 0
    assert "Staffa made these tables: there is nothing to adopt" in finished.out
