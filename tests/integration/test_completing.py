"""Jobs complete in transactions of users: their effects happen exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from staffa import Job, Staffa, current_job, job
from staffa.errors import ConfigError, InvalidJob, JobCancelled
from tests.conformance.users import alchemy_dsn
from tests.conftest import MakeClient
from tests.support import complete_work
from tests.support.app import PROMPT
from tests.support.events import TIMEOUT_SECONDS, Recorder, eventually
from tests.support.processes import Spawn, WorkerProcess
from tests.support.rows import Rows


@pytest.fixture
async def effects(connection: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """A table of the user's, in the same database."""
    await connection.execute("CREATE TABLE effects (note text)")
    yield connection
    await connection.execute("DROP TABLE effects")


@pytest.fixture
async def left_open(effects: asyncpg.Connection) -> AsyncIterator[list[asyncpg.Connection]]:
    """Connections that are ended with the test, so that they hold no locks after it."""
    made: list[asyncpg.Connection] = []
    yield made
    for connection in made:
        connection.terminate()


async def notes(effects: asyncpg.Connection) -> list[str]:
    return [row["note"] for row in await effects.fetch("SELECT note FROM effects")]


@pytest.fixture
def spawn(dsn: str, prefix: str, tmp_path: Path) -> Iterator[Spawn]:
    """Starts worker processes, and ends them."""
    made: list[WorkerProcess] = []

    def start(**settings: Any) -> WorkerProcess:
        log = tmp_path / f"worker-{len(made)}.log"
        module = "tests.support.complete_work"
        made.append(WorkerProcess(dsn, prefix, log, module=module, **{**PROMPT, **settings}))
        return made[-1]

    yield start
    for process in made:
        process.kill()


async def test_the_effect_and_the_completion_are_committed_together(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, events: Recorder
) -> None:
    engine = create_async_engine(alchemy_dsn(dsn, "asyncpg"))
    ended: list[str] = []

    class Noting:
        def after_process(self, state: str, ran: Job, result: object) -> None:
            ended.append(f"{state} {result}")

    @job(hooks=[Noting()])
    async def bill() -> str:
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(text("INSERT INTO effects VALUES ('billed')"))
            await current_job().complete_in(session)
        return "done"

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new())
        await events.wait("staffa.job.completed")
        row = await rows.get(stored.id)
        await eventually(lambda: ended, "the hook")
    assert row["state"] == "completed"
    assert await notes(effects) == ["billed"]
    assert ended == ["completed done"]
    assert len(events.of("staffa.job.completed")) == 1
    assert events.of("staffa.job.lease_lost") == []
    await engine.dispose()


async def test_what_is_raised_after_the_commit_changes_nothing(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, events: Recorder
) -> None:
    @job
    def bill() -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute("INSERT INTO effects VALUES ('billed')")
            current_job().complete_in(connection)
        raise ValueError("too late")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new())
        await events.wait("staffa.job.completed")
    assert (await rows.get(stored.id))["state"] == "completed"
    assert await rows.errors(stored.id) == []
    assert await notes(effects) == ["billed"]


async def test_after_a_rollback_the_function_decides_and_a_retry_completes(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, events: Recorder
) -> None:
    @job(backoff=lambda job, error: 0.0)
    async def bill() -> None:
        own = await asyncpg.connect(dsn)
        try:
            async with own.transaction():
                await own.execute("INSERT INTO effects VALUES ($1)", str(current_job().attempt))
                await current_job().complete_in(own)
                if current_job().attempt == 1:
                    raise ValueError("rolled back")
        finally:
            await own.close()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new())
        await events.wait("staffa.job.completed")
    row = await rows.get(stored.id)
    assert (row["state"], row["attempt"], len(row["errors"])) == ("completed", 2, 1)
    assert await notes(effects) == ["2"]


async def test_a_function_may_roll_back_and_return_all_the_same(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, events: Recorder
) -> None:
    @job
    def bill() -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute("INSERT INTO effects VALUES ('no')")
            current_job().complete_in(connection)
            connection.rollback()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new())
        await events.wait("staffa.job.completed")
    assert (await rows.get(stored.id))["state"] == "completed"
    assert await notes(effects) == []


@pytest.mark.parametrize("commits", [True, False])
async def test_a_transaction_that_is_still_open_holds_up_no_other_job(
    dsn: str,
    make_client: MakeClient,
    rows: Rows,
    effects: asyncpg.Connection,
    events: Recorder,
    commits: bool,
    left_open: list[asyncpg.Connection],
) -> None:
    own = await asyncpg.connect(dsn)
    left_open.append(own)
    begun = own.transaction()
    written = asyncio.Event()

    @job
    async def leave_open() -> None:
        await begun.start()
        await current_job().complete_in(own)
        written.set()
        raise ValueError("the transaction is still open")

    @job
    async def other() -> None: ...

    # Nobody may be taken for dead: a second run could not begin the same transaction.
    async with make_client(queues={"default": 10}, dead_after=60.0) as app:
        left = await app.enqueue(
            leave_open.new(),
        )
        await events.wait("staffa.job.start")
        others = await app.enqueue_many(other.new() for _ in range(20))
        await events.wait("staffa.job.completed", 20)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await written.wait()  # a connection does one thing at a time
        assert (await rows.get(left.id))["state"] == "executing"
        await (begun.commit() if commits else begun.rollback())
        await rows.until(left.id, "completed" if commits else "retryable")
        if commits:
            await events.wait("staffa.job.completed", 21)
    assert len(others) == 20


async def test_a_run_that_has_lost_its_lease_completes_nothing(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, events: Recorder
) -> None:
    caught: list[BaseException] = []
    go_on = asyncio.Event()

    @job
    async def bill() -> None:
        own = await asyncpg.connect(dsn)
        with suppress(asyncio.CancelledError):
            await asyncio.shield(go_on.wait())
        try:
            async with own.transaction():
                await own.execute("INSERT INTO effects VALUES ('no')")
                await current_job().complete_in(own)
        except JobCancelled as error:
            caught.append(error)
            raise
        finally:
            await own.close()

    async with make_client(queues={"default": 1}, heartbeat=3600, dead_after=4 * 3600) as app:
        stored = await app.enqueue(bill.new())
        await events.wait("staffa.job.start")
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'cancelled' WHERE id = $1", stored.id
        )
        go_on.set()
        await eventually(lambda: caught, "the refusal")
        await events.wait("staffa.job.lease_lost")
    assert (await rows.get(stored.id))["state"] == "cancelled"
    assert await notes(effects) == []


async def test_who_cancels_meanwhile_waits_for_the_transaction_and_comes_too_late(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, events: Recorder
) -> None:
    written, go_on = asyncio.Event(), asyncio.Event()

    @job
    async def bill() -> None:
        own = await asyncpg.connect(dsn)
        async with own.transaction():
            await current_job().complete_in(own)
            written.set()
            await go_on.wait()
        await own.close()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new())
        await written.wait()
        assert stored.id is not None
        cancelling = asyncio.create_task(app.cancel_job(stored.id))
        await rows.beats()
        go_on.set()
        await cancelling
        await events.wait("staffa.job.completed")
    assert (await rows.get(stored.id))["state"] == "completed"
    assert events.of("staffa.job.lease_lost") == []


@pytest.mark.parametrize("end", ["killed before", "killed after", "not at all"])
async def test_an_effect_happens_once_though_the_process_is_killed(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, spawn: Spawn,
    end: str,
) -> None:  # fmt: skip
    app: Staffa = make_client()
    one = spawn()
    await one.running()
    stored = await app.enqueue(complete_work.write_once.new(dsn, "billed", end))
    if end != "not at all":
        await one.ended()
        await spawn().running()
    row = await rows.until(stored.id, "completed")
    assert await notes(effects) == ["billed"]
    assert row["meta"].get("rescued") == (1 if end == "killed before" else None)


async def test_jobs_in_processes_of_their_own_complete_so_too(
    dsn: str, make_client: MakeClient, rows: Rows, effects: asyncpg.Connection, events: Recorder
) -> None:
    async with make_client(queues={"default": 2}, processes=1) as app:
        one = await app.enqueue(complete_work.write_in_process.new(dsn, "one"))
        two = await app.enqueue(complete_work.write_in_process_async.new(dsn, "two"))
        await events.wait("staffa.job.completed", 2)
        assert await app.fetch_result(one) == "kept"
    assert (await rows.get(two.id))["state"] == "completed"
    assert sorted(await notes(effects)) == ["one", "two"]
    assert events.of("staffa.job.lease_lost") == []


async def test_an_async_connection_in_a_plain_function_is_refused(
    dsn: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    own = await asyncpg.connect(dsn)

    @job(max_attempts=1)
    def bill() -> None:
        with pytest.raises(ConfigError, match="are awaited"):
            current_job().complete_in(own)

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(bill.new())
        await events.wait("staffa.job.completed")
    assert (await rows.get(stored.id))["state"] == "completed"
    await own.close()


def test_a_job_that_does_not_run_can_not_be_completed() -> None:
    with pytest.raises(InvalidJob, match="does not run here"):
        Job(worker="any.worker").complete_in(object())
