"""Jobs complete in transactions of users on their file: their effects happen exactly once."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import aiosqlite
import pytest

from staffa import current_job, job
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.files import JobsFile


@pytest.fixture
def effects(file: JobsFile) -> JobsFile:
    """The file, with a table of the user's."""
    with closing(sqlite3.connect(file.path)) as connection, connection:
        connection.execute("CREATE TABLE effects (note TEXT)")
    return file


def notes(file: JobsFile) -> list[str]:
    with closing(sqlite3.connect(file.path)) as connection:
        return [note for (note,) in connection.execute("SELECT note FROM effects")]


@pytest.mark.parametrize("raises", [False, True], ids=["returns", "raises"])
async def test_a_job_in_a_thread_completes_with_its_effect(
    effects: JobsFile, make_client: MakeClient, events: Recorder, raises: bool
) -> None:
    @job
    def bill(path: str) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO effects VALUES ('billed')")
            current_job().complete_in(connection)
        if raises:
            raise RuntimeError("too late to fail")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new(str(effects.path)))
        await events.wait("staffa.job.completed")
        found = await app.get_job(stored.id or 0)
    assert found is not None
    assert (found.state, found.attempt, found.errors) == ("completed", 1, [])
    assert notes(effects) == ["billed"]


async def test_a_job_on_the_loop_completes_with_its_effect(
    effects: JobsFile, make_client: MakeClient, events: Recorder
) -> None:
    @job
    async def bill(path: str) -> None:
        async with aiosqlite.connect(path) as connection:
            await connection.execute("INSERT INTO effects VALUES ('billed')")
            await current_job().complete_in(connection)
            await connection.commit()

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue(bill.new(str(effects.path)))
        await events.wait("staffa.job.completed")
    assert notes(effects) == ["billed"]


async def test_what_is_rolled_back_is_tried_again(
    effects: JobsFile, make_client: MakeClient, events: Recorder
) -> None:
    @job(backoff=0)
    def bill(path: str) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("INSERT INTO effects VALUES ('billed')")
            current_job().complete_in(connection)
            if current_job().attempt == 1:
                raise RuntimeError("rolled back")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new(str(effects.path)))
        await events.wait("staffa.job.completed")
        found = await app.get_job(stored.id or 0)
    assert found is not None
    assert (found.state, found.attempt) == ("completed", 2)
    assert notes(effects) == ["billed"]
