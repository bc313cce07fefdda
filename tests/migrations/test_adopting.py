"""Tables of other implementations are adopted in place, in use, and left as they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest

import staffa
from staffa._internal.identifiers import quote_identifier
from staffa.adoption import Origin
from staffa.client.backend import Adoption, make_adoption, make_migrator
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.errors import ConfigError, MigrationError, SchemaMissing
from staffa.migrate import Migrator
from tests.migrations.catalogue import read_catalogue
from tests.migrations.dump import dump_schema
from tests.migrations.test_owners import NAMES, PACKAGE
from tests.support.events import Recorder, eventually
from tests.support.foreign_schemas import (
    ELIXIR,
    PYTHON,
    STATES,
    add_foreign_rows,
    make_foreign_schema,
)

Work = Callable[[asyncpg.Connection, str], Awaitable[int]]
IMPATIENT = {"lock_timeout": "3s"}
"""For connections that must not be blocked: what waits for longer is an error."""


@pytest.fixture(params=[ELIXIR, PYTHON])
async def kind(
    request: pytest.FixtureRequest, connection: asyncpg.Connection, empty_prefix: str
) -> str:
    """Whose tables there are in the test's schema."""
    made: str = request.param
    await make_foreign_schema(connection, made, empty_prefix)
    return made


@pytest.fixture
def adoption(dsn: str, empty_prefix: str) -> Adoption:
    """What adopts them."""
    return make_adoption(dsn, empty_prefix)


@pytest.fixture
def table(empty_prefix: str) -> str:
    """The jobs table."""
    return f"{quote_identifier(empty_prefix)}.oban_jobs"


async def adopt(adoption: Adoption) -> None:
    await adoption.migrator.adopt(adoption.tables.examine)
    await adoption.migrator.up()


async def read_rows(connection: asyncpg.Connection, table: str) -> list[str]:
    rows = await connection.fetch(f"SELECT to_jsonb(job)::text FROM {table} AS job ORDER BY id")
    return [row[0] for row in rows]


@pytest.mark.parametrize("count", [0, 3])
async def test_what_was_adopted_is_left_as_it_was(
    adoption: Adoption,
    connection: asyncpg.Connection,
    empty_prefix: str,
    table: str,
    kind: str,
    count: int,
) -> None:
    await add_foreign_rows(connection, empty_prefix, count)
    before = await read_catalogue(connection, empty_prefix)
    rows = await read_rows(connection, table)
    assert len(rows) == count * len(STATES)
    assert any(part == "comment oban_jobs 14" for part in before) == (kind == ELIXIR)
    await adopt(adoption)
    status = await adoption.migrator.status()
    assert (status.adopted, status.pending, status.foreign) == (kind, (), False)
    during = await read_catalogue(connection, empty_prefix)
    assert set(before) < set(during)
    assert await read_rows(connection, table) == rows
    await adoption.migrator.down(0)
    assert await read_catalogue(connection, empty_prefix) == before
    assert await read_rows(connection, table) == rows
    assert (await adoption.migrator.status()).foreign


async def test_a_dump_before_is_the_dump_after(
    adoption: Adoption,
    connection: asyncpg.Connection,
    dsn: str,
    empty_prefix: str,
    kind: str,
) -> None:
    await add_foreign_rows(connection, empty_prefix)
    before = await asyncio.to_thread(dump_schema, dsn, empty_prefix)
    assert ("IS '14'" in before) == (kind == ELIXIR)
    await adopt(adoption)
    assert await asyncio.to_thread(dump_schema, dsn, empty_prefix) != before
    await adoption.migrator.down(0)
    assert await asyncio.to_thread(dump_schema, dsn, empty_prefix) == before


@pytest.mark.usefixtures("kind")
async def test_what_is_added_is_what_was_told_and_what_our_own_tables_have(
    adoption: Adoption, connection: asyncpg.Connection, dsn: str, empty_prefix: str
) -> None:
    before = set(await read_catalogue(connection, empty_prefix))
    told = {one.name for one in adoption.migrator.additions(1, bookkeeping=True)}
    await adopt(adoption)
    added = set(await read_catalogue(connection, empty_prefix)) - before
    names = {part.split()[1] for part in added if part.split()[0] in {"r", "function"}} | {
        part.split()[1] for part in added if part.startswith("i staffa_jobs_")
    }
    assert names == told
    own = f"{empty_prefix} of ours"
    try:
        await make_migrator(dsn, own).up()
        ours = set(await read_catalogue(connection, own))
    finally:
        await connection.execute(f"DROP SCHEMA {quote_identifier(own)} CASCADE")
    assert added <= ours


async def test_a_job_of_theirs_is_run_by_a_worker_of_ours(
    adoption: Adoption,
    connection: asyncpg.Connection,
    dsn: str,
    empty_prefix: str,
    table: str,
    kind: str,
    events: Recorder,
) -> None:
    ran: list[int] = []

    @staffa.job(name="Shop.Count")
    async def count(n: int) -> None:
        ran.append(n)
        if len(ran) == 1:
            raise ValueError("once")

    with pytest.raises(SchemaMissing, match="staffa adopt"):
        await staffa.Staffa(dsn, prefix=empty_prefix, name=f"before {kind}").start()
    await adopt(adoption)
    await connection.execute(
        f"INSERT INTO {table} (worker, queue, args) VALUES ('Shop.Count', 'ours', '{{\"n\": 7}}')"
    )
    options: dict[str, Any] = {"prefix": empty_prefix, "name": kind, "poll": 0.05}
    async with staffa.Staffa(dsn, queues={"ours": 1}, **options) as client:
        await events.wait("staffa.job.retryable")
        await client.retry_many_jobs(staffa.JobFilter(queues=["ours"]))
        await events.wait("staffa.job.completed")
    row = await connection.fetchrow(
        f"SELECT state::text, attempt, to_jsonb(errors) -> 0 ->> 'error' AS error FROM {table}"
    )
    assert ran == [7, 7]
    assert row is not None
    assert (row["state"], row["attempt"]) == ("completed", 2)
    assert "once" in row["error"]


@pytest.mark.usefixtures("kind")
async def test_nobody_is_blocked_while_the_adoption_waits_for_a_long_transaction(
    adoption: Adoption, connection: asyncpg.Connection, dsn: str, table: str
) -> None:
    async with open_load(dsn) as theirs:
        async with connection.transaction():  # somebody enqueues, and goes on for long
            await insert(connection, table)
            adopting = asyncio.create_task(adopt(adoption))
            await eventually(lambda: is_building(theirs), "the index to wait")
            await insert(theirs, table)
            assert await work(theirs, table) == 1
            assert not adopting.done()
        await adopting
        assert (await adoption.migrator.status()).pending == ()
        leaving = theirs.transaction()
        await leaving.start()
        await insert(theirs, table)
        leaving_ours = asyncio.create_task(adoption.migrator.down(0))
        await eventually(lambda: is_dropping(connection), "the drop to wait")
        async with open_load(dsn) as third:
            await insert(third, table)
            assert await work(third, table) == 2
        assert not leaving_ours.done()
        await leaving.commit()
        await leaving_ours
    assert (await adoption.migrator.status()).foreign


async def test_a_limit_on_idle_transactions_does_not_end_a_long_build(
    dsn: str, connection: asyncpg.Connection, empty_prefix: str, table: str
) -> None:
    await make_foreign_schema(connection, ELIXIR, empty_prefix)
    settings = ConnectionSettings(dsn, {"idle_in_transaction_session_timeout": "50ms"})
    limited = Migrator(settings, PACKAGE, NAMES, empty_prefix)
    await limited.adopt(make_adoption(dsn, empty_prefix).tables.examine)
    async with open_load(dsn) as theirs:
        async with connection.transaction():
            await insert(connection, table)
            migrating = asyncio.create_task(limited.up())
            await eventually(lambda: is_idle(theirs, 0.2), "the limit to have passed")
        await migrating
    assert (await limited.status()).pending == ()


@pytest.mark.usefixtures("kind")
async def test_under_load_no_job_is_lost_and_none_is_run_twice(
    adoption: Adoption, connection: asyncpg.Connection, dsn: str, empty_prefix: str, table: str
) -> None:
    await add_foreign_rows(connection, empty_prefix, 200)
    backlog = 200
    ended = asyncio.Event()

    async def keep_on(what: Work) -> int:
        done = 0
        async with open_load(dsn) as own:
            while not ended.is_set():
                done += await what(own, table)
        return done

    inserters = [asyncio.create_task(keep_on(insert)) for _ in range(2)]
    workers = [asyncio.create_task(keep_on(work)) for _ in range(2)]
    for _ in range(2):
        await adopt(adoption)
        await adoption.migrator.down(0)
    ended.set()
    inserted = sum(await asyncio.gather(*inserters)) + backlog
    done = sum(await asyncio.gather(*workers))
    while more := await work(connection, table):
        done += more
    assert inserted > backlog
    assert done == inserted
    attempts = await connection.fetch(
        f"SELECT attempt, count(*) AS jobs FROM {table}"
        " WHERE queue = 'default' AND attempted_by[1] = 'theirs' GROUP BY attempt"
    )
    assert [(row["attempt"], row["jobs"]) for row in attempts] == [(1, inserted)]


@pytest.mark.usefixtures("kind")
async def test_an_interrupted_adoption_goes_on_or_back(
    adoption: Adoption, connection: asyncpg.Connection, empty_prefix: str, table: str
) -> None:
    await add_foreign_rows(connection, empty_prefix)
    before = await read_catalogue(connection, empty_prefix)
    for go_on in (True, False):
        await adoption.migrator.adopt(adoption.tables.examine)
        await connection.execute(f"CREATE INDEX staffa_jobs_claim ON {table} (queue)")
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::text::regclass",
            f"{quote_identifier(empty_prefix)}.staffa_jobs_claim",
        )
        if go_on:
            assert await adoption.migrator.adopt(adoption.tables.examine) is None
            await adoption.migrator.up()
            catalogue = await read_catalogue(connection, empty_prefix)
            (index,) = [part for part in catalogue if "INDEX staffa_jobs_claim" in part]
            assert "WHERE (state = 'available'" in index
        await adoption.migrator.down(0)
        assert await read_catalogue(connection, empty_prefix) == before


@pytest.mark.usefixtures("kind")
async def test_several_may_adopt_at_once(
    adoption: Adoption, connection: asyncpg.Connection, dsn: str, empty_prefix: str
) -> None:
    await add_foreign_rows(connection, empty_prefix)
    await asyncio.gather(*(adopt(make_adoption(dsn, empty_prefix)) for _ in range(3)))
    status = await adoption.migrator.status()
    assert [step.version for step in status.applied] == list(range(1, status.version + 1))
    assert status.pending == ()


async def test_tables_of_ours_are_not_adopted(
    adoption: Adoption, migrator: Migrator, connection: asyncpg.Connection, empty_prefix: str
) -> None:
    await migrator.up()
    before = await read_catalogue(connection, empty_prefix)
    assert await adoption.migrator.adopt(adoption.tables.examine) is None
    assert await read_catalogue(connection, empty_prefix) == before


async def test_who_leads_and_works_there_is_told(
    adoption: Adoption, connection: asyncpg.Connection, empty_prefix: str, kind: str
) -> None:
    schema = quote_identifier(empty_prefix)
    await add_foreign_rows(connection, empty_prefix)
    leaders, since = {
        ELIXIR: ("oban_peers", "started_at"),
        PYTHON: ("oban_leaders", "elected_at"),
    }[kind]
    await connection.execute(
        f"INSERT INTO {schema}.{leaders} (name, node, {since}, expires_at) VALUES"
        " ('Oban', 'web.1', now(), timezone('UTC', now()) + interval '1 minute'),"
        " ('Gone', 'web.2', now(), timezone('UTC', now()) - interval '1 minute')"
    )
    if kind == PYTHON:
        await connection.execute(
            f"INSERT INTO {schema}.oban_producers (uuid, node, queue, updated_at) VALUES"
            " (gen_random_uuid(), 'web.1', 'mail', timezone('UTC', now())),"
            " (gen_random_uuid(), 'web.2', 'mail', timezone('UTC', now()) - interval '1 hour')"
        )
    origin, found, neighbours = await adoption.tables.describe()
    assert origin is Origin(kind)
    assert found.type_of("errors") == {ELIXIR: "jsonb[]", PYTHON: "jsonb"}[kind]
    assert found.owner == await connection.fetchval("SELECT current_user")
    assert [(one.name, one.node) for one in neighbours.leading] == [("Oban", "web.1")]
    producing = [(one.node, one.queue) for one in neighbours.producing]
    assert producing == ([("web.1", "mail")] if kind == PYTHON else [])
    assert neighbours.running == {"web.1": 1}


CHANGES = {
    "COMMENT ON TABLE {table} IS '13'": "has version 13.*mix ecto.migrate",
    "COMMENT ON TABLE {table} IS '15'": "has version 15.*update Staffa",
    "COMMENT ON TABLE {table} IS NULL": "looks like Elixir Oban's, but has no comment",
    "ALTER TABLE {table} DROP COLUMN meta": "has no column meta",
    "ALTER TABLE {table} ADD COLUMN tenant int NOT NULL": "column tenant must not be null",
    "ALTER TABLE {table} RENAME TO jobs; CREATE VIEW {table} AS SELECT * FROM {schema}.jobs": (
        "is a view"
    ),
    "DROP TABLE {table}": "no table oban_jobs.*staffa migrate up",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_can_not_be_adopted_is_refused_and_left_alone(
    adoption: Adoption, connection: asyncpg.Connection, empty_prefix: str, table: str, change: str
) -> None:
    await make_foreign_schema(connection, ELIXIR, empty_prefix)
    await connection.execute(change.format(table=table, schema=quote_identifier(empty_prefix)))
    before = await read_catalogue(connection, empty_prefix)
    with pytest.raises(MigrationError, match=CHANGES[change]):
        await adoption.migrator.adopt(adoption.tables.examine)
    assert await read_catalogue(connection, empty_prefix) == before


def test_a_file_has_nothing_to_adopt() -> None:
    with pytest.raises(ConfigError, match="nothing to adopt"):
        make_adoption("sqlite:///jobs.db", "public")


async def test_an_index_that_ours_is_given_in_use_blocks_nobody_either(
    dsn: str, migrator: Migrator, connection: asyncpg.Connection, table: str
) -> None:
    await migrator.up(4)
    async with open_load(dsn) as theirs:
        await insert(theirs, table)
        async with connection.transaction():
            await insert(connection, table)
            migrating = asyncio.create_task(migrator.up())
            await eventually(lambda: is_building(theirs), "the index to wait")
            await insert(theirs, table)
        await migrating
    assert (await migrator.status()).pending == ()


def open_load(dsn: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
    """Connect as a program of theirs that does not put up with being blocked."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[asyncpg.Connection]:
        made = await asyncpg.connect(dsn, server_settings=IMPATIENT)
        try:
            yield made
        finally:
            await made.close()

    return connect()


async def insert(connection: asyncpg.Connection, table: str) -> int:
    """Enqueue a job as theirs do; return how many it is."""
    await connection.execute(f"INSERT INTO {table} (worker) VALUES ('Shop.Mail')")
    return 1


async def work(connection: asyncpg.Connection, table: str) -> int:
    """Claim jobs as theirs do, and complete them; return how many."""
    claimed = await connection.fetch(
        f"UPDATE {table} SET state = 'executing', attempt = attempt + 1,"
        " attempted_at = timezone('UTC', now()), attempted_by = ARRAY['theirs', 'one']"
        f" WHERE id IN (SELECT id FROM {table} WHERE state = 'available' AND queue = 'default'"
        " ORDER BY priority, scheduled_at, id LIMIT 5 FOR UPDATE SKIP LOCKED) RETURNING id"
    )
    done = await connection.fetch(
        f"UPDATE {table} SET state = 'completed', completed_at = timezone('UTC', now())"
        " WHERE id = ANY($1::bigint[]) AND state = 'executing' RETURNING id",
        [row["id"] for row in claimed],
    )
    return len(done)


async def is_building(connection: asyncpg.Connection) -> bool:
    """Tell whether an index waits for transactions in the test's database."""
    return await _waits(connection, "CREATE INDEX CONCURRENTLY")


async def is_dropping(connection: asyncpg.Connection) -> bool:
    """Tell whether the drop of an index does."""
    return await _waits(connection, "DROP INDEX CONCURRENTLY")


async def is_idle(connection: asyncpg.Connection, seconds: float) -> bool:
    """Tell whether a migration's transaction has done nothing for so long."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'idle in transaction' AND query LIKE '%idle_in_transaction_session_timeout%'"
        " AND state_change < clock_timestamp() - make_interval(secs => $1))",
        seconds,
    )
    return found


async def _waits(connection: asyncpg.Connection, command: str) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'"
        " AND pid <> pg_backend_pid())",
        command,
    )
    return found
