"""Jobs that are written in a transaction of the user's."""

from __future__ import annotations

import asyncpg
import pytest

from staffa import current_job, job
from staffa.errors import ConfigError
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


async def test_a_job_of_a_transaction_runs_once_that_has_committed(
    dsn: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    own = await asyncpg.connect(dsn)
    async with make_client(queues={"default": 1}) as app:
        async with own.transaction():
            stored = await app.enqueue(note.new(), conn=own)
            await app.enqueue(note.new())
            await events.wait("staffa.job.completed")
            assert await rows.get(stored.id) == {}
        await rows.until(stored.id, "completed")
    await own.close()


async def test_a_job_of_a_transaction_that_is_rolled_back_never_existed(
    dsn: str, make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def note() -> None: ...

    own = await asyncpg.connect(dsn)
    app = make_client()
    transaction = own.transaction()
    await transaction.start()
    await app.enqueue_many([note.new(), note.new()], conn=own)
    await note.options(conn=own).enqueue()
    assert await own.fetchval(f"SELECT count(*) FROM {rows.jobs}") == 3
    await transaction.rollback()
    assert await rows.count() == {}
    await own.close()


async def test_a_connection_from_a_pool_of_the_users_serves_too(
    dsn: str, make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def note() -> None: ...

    app = make_client()
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, pool.acquire() as own:
        stored = await app.enqueue(note.new(), conn=own)
    assert (await rows.get(stored.id))["state"] == "available"


async def test_what_is_no_connection_is_refused(dsn: str, make_client: MakeClient) -> None:
    @job
    async def note() -> None: ...

    app = make_client()
    with pytest.raises(ConfigError, match="conn="):
        await app.enqueue(note.new(), conn="postgresql://")
    async with asyncpg.create_pool(dsn, min_size=0) as pool:
        with pytest.raises(ConfigError, match="acquire"):
            await app.enqueue(note.new(), conn=pool)


async def test_children_of_a_jobs_own_transaction_run_without_polling(
    dsn: str, make_client: MakeClient, events: Recorder
) -> None:
    ran: list[int] = []

    @job(queue="children")
    async def child(number: int) -> None:
        ran.append(number)

    @job
    async def parent() -> None:
        own = await asyncpg.connect(dsn)
        async with own.transaction():
            await sender.enqueue_many((child.new(n) for n in range(3)), conn=own)
            assert current_job().attempt == 1
        await own.close()

    sender = make_client()
    async with make_client(queues={"default": 1, "children": 1}, poll=3600) as app:
        await app.enqueue(parent.new())
        await events.wait("staffa.job.completed", 4)
    assert ran == [0, 1, 2]


async def test_children_of_another_node_run_without_polling_too(
    dsn: str, make_client: MakeClient, events: Recorder
) -> None:
    @job(queue="children")
    async def child() -> None: ...

    @job
    async def parent() -> None:
        own = await asyncpg.connect(dsn)
        async with own.transaction():
            await one.enqueue(child.new(), conn=own)
        await own.close()

    async with (
        make_client(queues={"default": 1}, poll=3600) as one,
        make_client(queues={"children": 1}, poll=3600),
    ):
        await one.enqueue(parent.new())
        await events.wait("staffa.job.completed", 2)


async def test_children_of_a_job_whose_transaction_failed_do_not_exist(
    dsn: str, make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def child() -> None: ...

    @job
    async def parent() -> None:
        own = await asyncpg.connect(dsn)
        try:
            async with own.transaction():
                await app.enqueue(child.new(), conn=own)
                raise ValueError("no")
        finally:
            await own.close()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(parent.new())
        await rows.until(stored.id, "retryable")
    await rows.until_count(retryable=1)
