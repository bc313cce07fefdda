"""The connection for single jobs: nothing under way is cut off, and nothing is left open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from staffa.drivers import asyncpg_pool
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.asyncpg_pool import PlannedOnce, Pool
from staffa.engine import Statement
from staffa.errors import DatabaseError, DatabaseUnavailable, InstanceError
from staffa.testing.clock import VirtualClock
from tests.support.database import create_role
from tests.support.events import eventually

WHO: Statement[int] = Statement("SELECT pg_backend_pid() AS pid", (), lambda rows: rows[0]["pid"])
WAIT: Statement[int] = Statement(
    "SELECT pg_advisory_xact_lock(7001), pg_backend_pid() AS pid", (), lambda rows: rows[0]["pid"]
)


class Both:
    """A pool and the connection beside it, closed as an engine closes them."""

    def __init__(self, dsn: str, size: int) -> None:
        settings = ConnectionSettings(dsn)
        self.pool = Pool(settings, size)
        self.single = PlannedOnce(settings, self.pool)

    async def close(self) -> None:
        await self.single.close()
        await self.pool.close()


@pytest.fixture
async def both(dsn: str) -> AsyncIterator[Both]:
    made = Both(dsn, 2)
    yield made
    await made.close()


@asynccontextmanager
async def waiting(both: Both, connection: asyncpg.Connection) -> AsyncIterator[asyncio.Task[int]]:
    """Have a statement wait for a lock until the end of the block."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(7001)")
        task = asyncio.create_task(both.single.run(WAIT))
        await eventually(lambda: both.single._connection.busy, "the statement that waits")
        yield task


async def test_while_it_is_used_the_pool_helps_out(
    both: Both, connection: asyncpg.Connection
) -> None:
    async with waiting(both, connection) as first:
        other = await both.single.run(WHO)
    assert await first != other
    assert await both.single.run(WHO) == await first


async def test_a_statement_under_way_is_done_before_it_is_closed(
    both: Both, connection: asyncpg.Connection
) -> None:
    async with waiting(both, connection) as task:
        closing = asyncio.create_task(both.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
    assert await task
    await closing


async def test_it_does_not_wait_for_ever_to_be_closed(
    both: Both, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncpg_pool, "_CLOSE_SECONDS", 0.1)
    async with waiting(both, connection) as task:
        await both.close()
        with pytest.raises(DatabaseError):
            await task


async def test_what_comes_after_its_end_is_refused_and_opens_nothing(both: Both) -> None:
    await both.close()
    with pytest.raises(InstanceError, match="was stopped"):
        await both.single.run(WHO)
    assert both.single._connection._connection is None


async def test_where_the_server_allows_for_no_more_connections_the_pool_helps_out(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    monkeypatch.setattr(asyncpg_pool, "SYSTEM_CLOCK", clock)
    role, own = await create_role(connection, dsn, "CONNECTION LIMIT 1")
    both = Both(own, 1)
    pid = await both.pool.run(WHO)
    assert [await both.single.run(WHO) for _ in range(3)] == [pid] * 3
    await connection.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")
    assert await both.single.run(WHO) == pid  # not asked again with each job
    clock.advance(seconds=61)
    assert await both.single.run(WHO) != pid
    await both.close()
    await connection.execute(f"DROP ROLE {role}")


async def test_a_server_that_is_not_there_is_told_of_at_once() -> None:
    both = Both("postgresql://nobody@127.0.0.1:1/nowhere", 1)
    with pytest.raises(DatabaseUnavailable):
        await both.single.run(WHO)
    assert both.pool._pool is None
    await both.close()
