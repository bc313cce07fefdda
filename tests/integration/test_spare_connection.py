"""The connection that a pool keeps for the next user: never two users', never another process's."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.asyncpg_pool import Pool
from staffa.engine import Statement
from tests.support.events import eventually

WHO: Statement[int] = Statement("SELECT pg_backend_pid() AS pid", (), lambda rows: rows[0]["pid"])
SLEEP: Statement[None] = Statement("SELECT pg_sleep(60)", (), lambda rows: None)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """A pool of two connections."""
    made = Pool(ConnectionSettings(dsn), 2)
    yield made
    await made.close()


async def is_there(dsn: str, pid: int) -> bool:
    """Tell whether the server has a process."""
    connection = await asyncpg.connect(dsn)
    try:
        sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
        found: bool = await connection.fetchval(sql, pid)
        return found
    finally:
        await connection.close()


async def test_the_connection_that_was_used_last_is_used_next(pool: Pool) -> None:
    assert len({await pool.run(WHO) for _ in range(5)}) == 1


async def test_two_users_at_once_have_a_connection_each(pool: Pool) -> None:
    await pool.run(WHO)
    async with pool.transaction() as one, pool.transaction() as other:
        assert await one(WHO) != await other(WHO)
    assert len({await pool.run(WHO) for _ in range(5)}) == 1


async def test_who_waits_for_a_connection_gets_the_one_that_becomes_free(dsn: str) -> None:
    pool = Pool(ConnectionSettings(dsn), 1)
    async with pool.transaction() as run:
        pid = await run(WHO)
        waiting = [asyncio.create_task(pool.run(WHO)) for _ in range(3)]
        await eventually(lambda: pool._waiting == 3, "those that wait")
    assert await asyncio.gather(*waiting) == [pid] * 3
    await pool.close()


async def test_a_waiter_that_gives_up_takes_no_connection_along(dsn: str) -> None:
    pool = Pool(ConnectionSettings(dsn), 1)
    async with pool.transaction() as run:
        pid = await run(WHO)
        waiter = asyncio.create_task(pool.run(WHO))
        await eventually(lambda: pool._waiting == 1, "the one that waits")
        waiter.cancel()
        await asyncio.wait([waiter])
    assert pool._waiting == 0
    assert await pool.run(WHO) == pid
    await pool.close()


async def test_a_cancelled_statement_leaves_no_connection_that_is_still_at_it(
    pool: Pool, dsn: str
) -> None:
    pid = await pool.run(WHO)
    asleep = asyncio.create_task(pool.run(SLEEP))
    await eventually(lambda: pool._spare is None, "the statement")
    asleep.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asleep
    assert await pool.run(WHO) != pid


async def test_a_connection_that_was_lost_while_it_was_spare_is_not_used(
    pool: Pool, dsn: str
) -> None:
    pid = await pool.run(WHO)
    connection = await asyncpg.connect(dsn)
    await connection.fetchval("SELECT pg_terminate_backend($1)", pid)
    await connection.close()
    spare: Any = pool._spare
    await eventually(lambda: spare._con is None or spare.is_closed(), "the loss")
    assert await pool.run(WHO) != pid


async def test_a_closed_pool_keeps_none(dsn: str) -> None:
    pool = Pool(ConnectionSettings(dsn), 2)
    pid = await pool.run(WHO)
    await pool.close()

    async def is_gone() -> bool:
        return not await is_there(dsn, pid)

    await eventually(is_gone, "the end of the connection")


async def test_another_loop_gets_a_connection_of_its_own(pool: Pool, dsn: str) -> None:
    pid = await pool.run(WHO)
    left = pool._pool
    assert left is not None
    found: list[int] = []

    async def use() -> None:
        found.append(await pool.run(WHO))
        await pool.close()

    other = threading.Thread(target=asyncio.run, args=(use(),))
    other.start()
    await asyncio.to_thread(other.join)
    left.terminate()  # what a loop has had is nobody's after it
    assert len(found) == 1
    assert found[0] != pid


def test_a_forked_process_leaves_the_connection_to_its_parent(dsn: str) -> None:
    pool = Pool(ConnectionSettings(dsn), 2)
    loop = asyncio.new_event_loop()
    pid = loop.run_until_complete(pool.run(WHO))
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found = asyncio.new_event_loop().run_until_complete(pool.run(WHO))
            os.write(theirs, str(found).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    told = os.read(ours, 100)
    os.close(ours)
    assert told
    assert int(told) != pid
    assert loop.run_until_complete(pool.run(WHO)) == pid
    loop.run_until_complete(pool.close())
    loop.close()
