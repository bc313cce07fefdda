"""Workflows in transactions of users, on an event loop and without."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest

from staffa import Job, Workflow, WorkflowHandle, job
from staffa.errors import UnknownFlow
from tests.conftest import MakeClient

RUNS = {"default": 5}
SECONDS = 60


async def test_a_workflow_comes_and_goes_with_the_transaction_of_the_user(
    make_client: MakeClient, connection: asyncpg.Connection
) -> None:
    @job(name="one")
    async def one() -> int:
        return 1

    async with make_client(queues=RUNS) as app:
        transaction = connection.transaction()
        await transaction.start()
        gone = await app.enqueue(Workflow().add_cascade("one", one), conn=connection)
        await transaction.rollback()
        with pytest.raises(UnknownFlow):
            await gone.status()
        async with connection.transaction():
            handle = await app.enqueue(
                Workflow().add_cascade("one", one), conn=connection, notify="in_transaction"
            )
        await handle.wait(timeout=SECONDS)
        async with connection.transaction():
            more = handle.append().add_cascade("two", one, deps="one")
            _, added = await app.enqueue_many(one.new(), more, conn=connection)
        assert isinstance(added, WorkflowHandle)
        await added.wait(timeout=SECONDS)
        results = await handle.results()
    assert results == {"one": 1, "two": 1}


async def test_a_workflow_is_written_by_synchronous_code_on_its_connection(
    make_client: MakeClient, dsn: str
) -> None:
    app = make_client()
    threads: set[int] = set()

    def elements() -> Iterator[Job]:
        for _ in range(3):
            threads.add(threading.get_ident())
            yield Job(worker="w")

    def use() -> None:
        with psycopg.connect(dsn) as conn:
            handle = app.sync.enqueue(Workflow().add_many("all", elements()), conn=conn)
            with pytest.raises(UnknownFlow):
                handle.status()
        assert handle.status().total == 3
        assert app.sync.enqueue(Workflow().add_many("all", elements())).status().total == 3
        assert threads == {threading.get_ident()}

    await asyncio.to_thread(use)
