"""Unique jobs in transactions of the user's, at every isolation level."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from staffa import Job, Staffa
from staffa.drivers import asyncpg_pool
from staffa.errors import DataRefused, StatementConflict
from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.rows import Rows

Isolation = Literal["repeatable_read", "serializable"]
LOCKED = """
    SELECT count(*) FROM pg_stat_activity
     WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def unique(number: int = 1) -> Job:
    return Job(worker="any.worker", args={"n": number}, unique=True)


@pytest.fixture
def app(make_client: MakeClient) -> Staffa:
    """A client that only sends."""
    return make_client()


@pytest.fixture
async def own(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the user's."""
    made = await asyncpg.connect(dsn)
    yield made
    await made.close()


@pytest.fixture
async def another(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of another user's."""
    made = await asyncpg.connect(dsn)
    yield made
    await made.close()


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> list[Transaction]:
    """The transactions of several statements that the client has committed."""
    found: list[Transaction] = []
    commit = asyncpg_pool._commit

    async def note(transaction: Transaction) -> None:
        found.append(transaction)
        await commit(transaction)

    monkeypatch.setattr(asyncpg_pool, "_commit", note)
    return found


async def until_one_waits(rows: Rows) -> None:
    async def waits() -> bool:
        return bool(await rows.connection.fetchval(LOCKED))

    await eventually(waits, "somebody to wait for a lock")


async def test_without_a_transaction_it_is_written_at_once_and_found(
    app: Staffa, own: asyncpg.Connection, rows: Rows
) -> None:
    first = await app.enqueue(unique(), conn=own)
    assert not own.is_in_transaction()
    assert (await rows.get(first.id))["state"] == "available"
    assert (await app.enqueue(unique(), conn=own)).id == first.id
    assert (await app.enqueue(unique())).id == first.id


async def test_who_comes_second_waits_for_the_outcome_of_the_first_transaction(
    app: Staffa, own: asyncpg.Connection, rows: Rows
) -> None:
    async with own.transaction():
        first = await app.enqueue(unique(), conn=own)
        assert (await app.enqueue(unique(), conn=own)).id == first.id
        second = asyncio.create_task(app.enqueue(unique()))
        await until_one_waits(rows)
    assert ((await second).id, (await second).conflict) == (first.id, True)


async def test_many_that_lose_one_key_to_another_transaction_are_written_but_for_that_one(
    app: Staffa, own: asyncpg.Connection, rows: Rows
) -> None:
    async with own.transaction():
        first = await app.enqueue(unique(2), conn=own)
        many = asyncio.create_task(app.enqueue_many(unique(number) for number in range(5)))
        await until_one_waits(rows)
    stored = await many
    assert [(job.id == first.id, job.conflict) for job in stored] == [
        (number == 2, number == 2) for number in range(5)
    ]
    others = [job.id or 0 for job in stored if not job.conflict]
    assert others == sorted(others)
    written = await rows.connection.fetch(f"SELECT id FROM {rows.jobs} ORDER BY id")
    assert [row["id"] for row in written] == [first.id, *others]
    again = await app.enqueue_many(unique(number) for number in range(5))
    assert [job.id for job in again] == [job.id for job in stored]


async def test_new_ones_are_written_by_a_single_statement(
    app: Staffa, committed: list[Transaction], rows: Rows
) -> None:
    await app.enqueue(unique())
    await app.enqueue_many(unique(number) for number in range(2, 100))
    assert await rows.count() == {"available": 99}
    assert committed == []


async def test_a_known_key_that_was_not_looked_for_leaves_nothing_of_the_statement_that_failed(
    app: Staffa, committed: list[Transaction], rows: Rows
) -> None:
    first = await app.enqueue(unique(50))
    stored = await app.enqueue_many(unique(number) for number in range(1, 101))
    assert [job.id for job in stored if job.conflict] == [first.id]
    assert await rows.count() == {"available": 100}
    assert len(committed) == 1


async def test_an_id_that_is_taken_is_an_error_and_not_taken_for_a_key(
    app: Staffa, rows: Rows
) -> None:
    first, last = [await app.enqueue(unique(number)) for number in (1, 2)]
    restart = "SELECT setval(pg_get_serial_sequence($1, 'id'), $2, false)"
    await rows.connection.execute(restart, rows.jobs, first.id)
    with pytest.raises(DataRefused, match="oban_jobs_pkey"):
        await app.enqueue(unique(3))
    assert await rows.count() == {"available": 2}
    assert (await app.enqueue(unique(3))).id == (last.id or 0) + 1


async def test_after_a_rollback_the_second_one_writes(
    app: Staffa, own: asyncpg.Connection, rows: Rows
) -> None:
    transaction = own.transaction()
    await transaction.start()
    first = await app.enqueue(unique(), conn=own)
    second = asyncio.create_task(app.enqueue(unique()))
    await until_one_waits(rows)
    await transaction.rollback()
    assert not (await second).conflict
    assert await rows.get(first.id) == {}


async def test_after_the_rollback_of_a_savepoint_the_key_is_free(
    app: Staffa, own: asyncpg.Connection
) -> None:
    async with own.transaction():
        savepoint = own.transaction()
        await savepoint.start()
        await app.enqueue(unique(), conn=own)
        await savepoint.rollback()
        assert not (await app.enqueue(unique(), conn=own)).conflict


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_loser_that_can_not_see_the_winner_gets_40001_and_nothing_else(
    app: Staffa, own: asyncpg.Connection, rows: Rows, isolation: Isolation
) -> None:
    async with own.transaction(isolation=isolation):
        await own.fetchval("SELECT 1")  # its snapshot is taken here
        winner = await app.enqueue(unique())
        with pytest.raises(StatementConflict) as caught:
            async with own.transaction():
                await app.enqueue(unique(), conn=own)
        assert caught.value.sqlstate == "40001"
        assert not (await app.enqueue(unique(2), conn=own)).conflict
    async with own.transaction(isolation=isolation):
        assert (await app.enqueue(unique(), conn=own)).id == winner.id
    assert await rows.count() == {"available": 2}


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_at_higher_levels_exactly_one_of_many_writes(
    app: Staffa, dsn: str, rows: Rows, isolation: Isolation
) -> None:
    async def insert() -> Job | None:
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction(isolation=isolation):
                return await app.enqueue(unique(), conn=connection)
        except (StatementConflict, asyncpg.SerializationError):
            return None
        finally:
            await connection.close()

    found = [job for job in await asyncio.gather(*(insert() for _ in range(16))) if job]
    assert len({job.id for job in found}) == 1
    assert sum(not job.conflict for job in found) == 1
    assert await rows.count() == {"available": 1}


async def test_our_own_transactions_do_not_mind_the_default_of_the_database(
    make_client: MakeClient, dsn: str, rows: Rows
) -> None:
    name = await rows.connection.fetchval("SELECT quote_ident(current_database())")
    await rows.connection.execute(
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    )
    try:
        apps = [make_client() for _ in range(8)]
        jobs = await asyncio.gather(*(apps[n % 8].enqueue(unique()) for n in range(32)))
    finally:
        await rows.connection.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
    assert len({job.id for job in jobs}) == 1
    assert sum(not job.conflict for job in jobs) == 1


async def test_transactions_that_take_keys_crosswise_end_in_a_conflict_that_is_told(
    app: Staffa, own: asyncpg.Connection, another: asyncpg.Connection, rows: Rows
) -> None:
    transactions = [connection.transaction() for connection in (own, another)]
    for transaction in transactions:
        await transaction.start()
    await app.enqueue(unique(1), conn=own)
    await app.enqueue(unique(2), conn=another)
    crossing = asyncio.create_task(app.enqueue(unique(1), conn=another))
    await until_one_waits(rows)
    results = await asyncio.gather(
        app.enqueue(unique(2), conn=own), crossing, return_exceptions=True
    )
    failed = [result for result in results if isinstance(result, StatementConflict)]
    assert [error.sqlstate for error in failed] == ["40P01"]
    for transaction in transactions:
        await transaction.rollback()


async def test_a_cancelled_enqueue_leaves_no_lock_behind(
    app: Staffa, own: asyncpg.Connection, rows: Rows
) -> None:
    async with own.transaction():
        first = await app.enqueue(unique(), conn=own)
        waiting = asyncio.create_task(app.enqueue_many([unique(), unique(2)]))
        await until_one_waits(rows)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (await app.enqueue(unique())).id == first.id
    assert not (await app.enqueue(unique(2))).conflict


async def test_64_inserters_of_several_clients_write_one_job(
    make_client: MakeClient, rows: Rows
) -> None:
    apps = [make_client() for _ in range(8)]
    jobs = await asyncio.gather(*(apps[n % 8].enqueue(unique()) for n in range(64)))
    assert len({job.id for job in jobs}) == 1
    assert sum(not job.conflict for job in jobs) == 1
    assert await rows.count() == {"available": 1}


async def test_bulks_with_the_same_keys_in_opposite_orders_meet_no_deadlock(
    make_client: MakeClient, rows: Rows
) -> None:
    apps = [make_client() for _ in range(8)]

    async def insert(number: int) -> list[Job]:
        order = 1 if number % 2 else -1
        return await apps[number % 8].enqueue_many(unique(n) for n in range(300)[::order])

    results = await asyncio.gather(*(insert(number) for number in range(64)))
    assert sum(not job.conflict for jobs in results for job in jobs) == 300
    assert len({job.id for jobs in results for job in jobs}) == 300
    assert await rows.count() == {"available": 300}
