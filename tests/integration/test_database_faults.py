"""A database that refuses, locks, aborts and is full: every loop retries, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast
from urllib.parse import urlsplit

import asyncpg
import pytest

from staffa import Pruner
from staffa._internal import backoff
from staffa._internal.identifiers import quote_identifier
from staffa.drivers import asyncpg_pool
from staffa.engines.postgres import PostgresEngine
from tests.chaos.history import Step
from tests.chaos.witness import Witness
from tests.conftest import MakeClient
from tests.support.database import create_role
from tests.support.events import Recorder, eventually
from tests.support.proxy import Proxy
from tests.support.rows import Rows

Set = Callable[[str, str], Awaitable[None]]

MINUTES = 10
CALM = {"heartbeat": 0.2, "dead_after": 6.0}


@pytest.fixture
async def set_default(dsn: str) -> AsyncIterator[Set]:
    """Sets what new sessions of the database begin with, as its administrator does."""
    name = quote_identifier(urlsplit(dsn).path.removeprefix("/"))
    connection = await asyncpg.connect(dsn)

    async def change(setting: str, value: str) -> None:
        await connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")

    yield change
    await connection.execute(f"ALTER DATABASE {name} RESET ALL")
    await connection.close()


def sqlstates(events: Recorder) -> list[str | None]:
    """Return the SQLSTATEs of what loops have reported."""
    return [getattr(event.data["error"], "sqlstate", None) for event in events.of("staffa.error")]


async def test_connections_are_refused_for_minutes_and_every_loop_is_there_afterwards(
    make_client: MakeClient,
    proxy: Proxy,
    witness: Witness,
    events: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time is the delays that the loops ask for, which come to an end at once."""
    asked: list[float] = []
    real = backoff.Backoff.next_seconds

    def next_seconds(self: backoff.Backoff) -> float:
        asked.append(real(self))
        return asked[-1] / 1000

    monkeypatch.setattr(backoff.Backoff, "next_seconds", next_seconds)
    sender = make_client()
    async with make_client(dsn=proxy.dsn, queues={"one": 1, "default": 2}, **CALM):
        await witness.enqueue(sender, 30)
        await events.wait("staffa.job.completed", 3)
        await proxy.close()
        asked.clear()
        loops = 7  # at the least: two producers, acker, watchman, notifier, stager, leader
        await events.until(lambda: sum(asked) > MINUTES * 60 * loops, "the end of the outage")
        await proxy.open()
        await witness.enqueue(sender, 10)
        await witness.settled()
        await events.wait("staffa.notifier.reconnected")
    assert max(asked) <= 5.0  # the cap
    assert len({round(seconds, 3) for seconds in asked if seconds > 3.75}) > 20  # the jitter


async def test_lock_and_statement_timeouts_of_the_database_are_survived_by_every_loop(
    make_client: MakeClient, rows: Rows, witness: Witness, events: Recorder, set_default: Set
) -> None:
    await set_default("lock_timeout", "100ms")
    await set_default("statement_timeout", "5s")
    holder = rows.connection
    sender = make_client()
    async with make_client(queues={"default": 2}, **CALM):
        await witness.enqueue(sender, 50)
        await events.wait("staffa.job.completed", 5)
        for table, timeout, state in (
            (rows.jobs, None, "55P03"),
            (rows.producers, None, "55P03"),
            (rows.jobs, "50ms", "57014"),
        ):
            if timeout is not None:
                await set_default("lock_timeout", "0")
                await set_default("statement_timeout", timeout)
                await rows.terminate()
            async with holder.transaction():
                await holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                seen = sqlstates(events).count(state)
                await events.until(lambda: sqlstates(events).count(state) > seen + 3, state)  # noqa: B023
        await set_default("statement_timeout", "5s")
        await rows.terminate()
        await witness.settled()


async def test_statements_that_take_too_long_for_the_database_take_fewer_rows(
    make_client: MakeClient, rows: Rows, witness: Witness, events: Recorder, set_default: Set
) -> None:
    """By a trigger of the user's that takes its time for each row."""
    schema = quote_identifier(rows.prefix)
    await rows.connection.execute(
        f"CREATE FUNCTION {schema}.dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.003); RETURN NEW; END';"
        f"CREATE TRIGGER dawdle BEFORE UPDATE ON {rows.jobs} FOR EACH ROW"
        f" EXECUTE FUNCTION {schema}.dawdle()"
    )
    await witness.enqueue(make_client(), 100, scheduled_in=0.001)
    await set_default("statement_timeout", "200ms")
    async with make_client(queues={"default": 100}, **CALM):
        await events.until(lambda: "57014" in sqlstates(events), "a statement that took too long")
        await witness.settled()


async def test_what_can_not_be_serialised_is_tried_again_until_it_can(
    make_client: MakeClient, rows: Rows, witness: Witness, events: Recorder, set_default: Set
) -> None:
    await set_default("default_transaction_isolation", "serializable")
    sender = make_client()
    async with (
        make_client(queues={"default": 5}, **CALM),
        make_client(queues={"default": 5}, **CALM),
    ):
        while "40001" not in sqlstates(events):
            await witness.enqueue(sender, 50)
            done = len(events.of("staffa.job.completed"))
            await events.until(lambda: len(events.of("staffa.job.completed")) > done)  # noqa: B023
        await witness.settled()


async def test_an_outcome_that_is_the_victim_of_a_deadlock_is_written_afterwards(
    make_client: MakeClient, rows: Rows, dsn: str, witness: Witness, events: Recorder
) -> None:
    """A trigger of the user's waits for a row whose holder waits for the job."""
    schema = quote_identifier(rows.prefix)
    await rows.connection.execute(
        f"CREATE TABLE {schema}.tally (count int); INSERT INTO {schema}.tally VALUES (0);"
        f"CREATE FUNCTION {schema}.tally() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN UPDATE {schema}.tally SET count = count + 1; RETURN NEW; END';"
        f"CREATE TRIGGER tally AFTER UPDATE ON {rows.jobs} FOR EACH ROW"
        f" WHEN (NEW.state = 'completed') EXECUTE FUNCTION {schema}.tally()"
    )
    user = await asyncpg.connect(dsn, server_settings={"deadlock_timeout": "1h"})
    async with make_client(queues={"default": 1}, **CALM) as app:
        transaction = user.transaction()
        await transaction.start()
        await user.execute(f"UPDATE {schema}.tally SET count = count + 100")
        await witness.enqueue(app, 1)

        async def waits() -> bool:
            text = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database() AND query LIKE '%Write the outcomes%'"
            )
            return bool(await rows.connection.fetchval(text))

        await eventually(waits, "the outcome to wait for the tally")
        await user.execute(f"UPDATE {rows.jobs} SET priority = 3")
        await transaction.commit()
        await witness.settled()
    await user.close()
    assert "40P01" in sqlstates(events)
    assert await rows.connection.fetchval(f"SELECT count FROM {schema}.tally") == 101


async def test_a_pool_that_is_exhausted_says_so_and_all_goes_on_afterwards(
    make_client: MakeClient,
    witness: Witness,
    rows: Rows,
    events: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncpg_pool, "REPLY_SECONDS", 0.3)
    held, release = asyncio.Event(), asyncio.Event()
    sender = make_client()
    async with make_client(queues={"default": 2}, pool_size=1, **CALM) as app:
        await witness.enqueue(sender, 5)
        await events.wait("staffa.job.completed", 5)
        assert app._node is not None
        pool = cast("PostgresEngine", app._node.supervisor._engine).pool

        async def hold() -> None:
            async with pool.connection():
                held.set()
                await release.wait()

        holding = asyncio.create_task(hold())
        await held.wait()
        await witness.enqueue(sender, 20)

        def told() -> bool:
            texts = [str(event.data["error"]) for event in events.of("staffa.error")]
            return any("raise pool_size" in text for text in texts)

        await events.until(told, "what is missing, and the remedy")
        release.set()
        await holding
        await witness.settled()


async def test_a_server_without_a_free_connection_is_asked_again_until_it_has_one(
    make_client: MakeClient, dsn: str, rows: Rows, witness: Witness, events: Recorder
) -> None:
    schema = quote_identifier(rows.prefix)
    execute = rows.connection.execute
    role, own = await create_role(rows.connection, dsn)
    await execute(
        f"GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role};"
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
    )
    sender = make_client()
    async with make_client(dsn=own, queues={"default": 2}, **CALM):
        await witness.enqueue(sender, 20)
        await events.wait("staffa.job.completed", 2)
        await execute(f"ALTER ROLE {role} CONNECTION LIMIT 1")
        await rows.terminate()
        await events.until(lambda: sqlstates(events).count("53300") > 10, "refusals")
        await execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")
        await witness.settled()
    await execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_snapshot_that_is_held_for_the_whole_run_changes_nothing(
    make_client: MakeClient, rows: Rows, dsn: str, witness: Witness, events: Recorder
) -> None:
    reader = await asyncpg.connect(dsn)
    snapshot = reader.transaction(isolation="repeatable_read", readonly=True)
    await snapshot.start()
    assert await reader.fetchval(f"SELECT count(*) FROM {rows.jobs}") == 0
    old = await rows.insert(state="completed", worker="w", completed_at="2000-01-01 00:00:00")
    async with make_client(queues={"default": 5}, pruner=Pruner(interval=0.1), **CALM) as app:
        for _ in range(4):
            await witness.enqueue(app, 50)
        await events.wait("staffa.pruner.pruned")
        await events.wait("staffa.job.completed", 200)
    assert await rows.get(old) == {}
    assert await reader.fetchval(f"SELECT count(*) FROM {rows.jobs}") == 0
    await snapshot.rollback()
    await reader.close()
    history = await witness.history()
    assert (history.steps(Step.CLAIM), history.steps(Step.COMPLETE)) == (200, 200)
