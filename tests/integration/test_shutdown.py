"""Stopping: running jobs may end, what is left is put back, and the process exits with 0."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from staffa import Job, job
from staffa.drivers import asyncpg as driver
from staffa.drivers import asyncpg_pool as pool
from staffa.queues import producer, supervisor
from staffa.services import leader
from tests.conftest import MakeClient
from tests.support.app import (
    PROMPT,
    hold,
    hold_thread,
    ignore_everything,
    release,
    steps,
    swallow_cancellation,
)
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn, WorkerProcess
from tests.support.proxy import Proxy
from tests.support.rows import Rows

Start = Callable[..., Awaitable[tuple[WorkerProcess, list[Job]]]]
SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def started(spawn: Spawn, make_client: MakeClient, tmp_path: Path) -> Start:
    """Starts a process, and waits until it runs the jobs given."""

    async def start(*jobs: Job, **options: object) -> tuple[WorkerProcess, list[Job]]:
        stored = await make_client().enqueue_many(jobs)
        process = spawn(**options)
        await eventually(lambda: len(steps(tmp_path, "begun")) == len(jobs), "the jobs")
        await process.running()
        return process, stored

    return start


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_lets_running_jobs_end_and_claims_no_more(
    number: signal.Signals, started: Start, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    process, stored = await started(hold.new(folder), hold_thread.new(folder), queues="default:3")
    process.send(number)
    await process.logged("stopping:")
    waiting = await make_client().enqueue(hold.new(folder))
    release(tmp_path)
    assert await process.ended() == 0
    for entry in stored:
        assert (await rows.get(entry.id))["state"] == "completed"
    assert (await rows.get(waiting.id))["state"] == "available"
    assert await rows.producer_count() == 0


@pytest.mark.parametrize("number", SIGNALS)
async def test_jobs_longer_than_the_grace_period_are_put_back_as_if_they_had_not_begun(
    number: signal.Signals, started: Start, rows: Rows, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    process, stored = await started(
        hold.new(folder),
        hold_thread.new(folder),
        ignore_everything.new(folder),
        shutdown_grace=0.2,
    )
    process.send(number)
    assert await process.ended() == 0
    for entry in stored:
        row = await rows.get(entry.id)
        assert (row["state"], row["attempt"], row["errors"]) == ("available", 0, [])
    assert len(steps(tmp_path, "stopped")) == 1
    assert await rows.producer_count() == 0


async def test_a_process_that_waits_for_its_jobs_shows_that_it_lives_and_keeps_them(
    started: Start, make_client: MakeClient, rows: Rows, tmp_path: Path, events: Recorder
) -> None:
    process, (stored,) = await started(hold.new(str(tmp_path)), shutdown_grace=3600)
    process.send(signal.SIGTERM)
    await process.logged("stopping:")
    beats = await rows.beats()
    of_both = 2 * 1.2 * PROMPT["dead_after"] / PROMPT["heartbeat"]

    async def long_enough() -> bool:
        return await rows.beats() > beats + of_both

    async with make_client(queues={"default": 1}, **PROMPT):
        await eventually(long_enough, "heartbeats for longer than a dead process has")
        release(tmp_path)
        assert await process.ended() == 0
    row = await rows.get(stored.id)
    assert (row["state"], row["attempt"], row["meta"]) == ("completed", 1, {})
    assert events.of("staffa.job.rescued") == []


async def test_a_second_signal_ends_the_grace_period_at_once(
    started: Start, rows: Rows, tmp_path: Path
) -> None:
    process, (stored,) = await started(hold.new(str(tmp_path)), shutdown_grace=3600)
    process.send(signal.SIGTERM)
    await process.logged("stopping:")
    process.send(signal.SIGTERM)
    assert await process.ended() == 0
    row = await rows.get(stored.id)
    assert (row["state"], row["attempt"], row["errors"]) == ("available", 0, [])
    assert await rows.producer_count() == 0


async def test_a_job_that_goes_on_when_it_is_cancelled_does_not_keep_the_process_alive(
    started: Start, rows: Rows, tmp_path: Path
) -> None:
    process, (stored,) = await started(swallow_cancellation.new(str(tmp_path)), shutdown_grace=0.1)
    process.send(signal.SIGTERM)
    assert await process.ended() == 0
    row = await rows.get(stored.id)
    assert (row["state"], row["attempt"], row["errors"]) == ("available", 0, [])


async def test_what_was_put_back_runs_in_the_next_process(
    started: Start, spawn: Spawn, rows: Rows, tmp_path: Path
) -> None:
    process, (stored,) = await started(hold.new(str(tmp_path)), shutdown_grace=0)
    process.send(signal.SIGTERM)
    assert await process.ended() == 0
    release(tmp_path)
    spawn()
    row = await rows.until(stored.id, "completed")
    assert (row["attempt"], row["meta"]) == (1, {})


async def test_a_client_that_stops_waits_for_its_jobs_and_leaves_nothing_executing(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job
    async def wait() -> None:
        await go_on.wait()

    app = make_client(queues={"default": 5}, shutdown_grace=3600)
    await app.start()
    await app.enqueue_many(wait.new() for _ in range(8))
    await events.wait("staffa.job.start", 5)
    stopping = asyncio.ensure_future(app.stop())
    await events.wait("staffa.shutdown.begin")
    go_on.set()
    await stopping
    await rows.until_count(completed=5, available=3)
    assert await rows.producer_count() == 0


async def test_a_second_stop_ends_the_grace_period_of_the_first(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    def wait() -> None:
        threading.Event().wait(10)

    @job
    async def wait_async() -> None:
        await asyncio.Event().wait()

    app = make_client(queues={"default": 5}, shutdown_grace=3600)
    await app.start()
    await app.enqueue_many([wait.new(), wait_async.new()])
    await events.wait("staffa.job.start", 2)
    stopping = asyncio.ensure_future(app.stop())
    await events.wait("staffa.shutdown.begin")
    await app.stop(grace=0)
    await stopping
    await rows.until_count(available=2)


async def test_a_client_starts_and_stops_again_and_again(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    app = make_client(queues={"default": 5})
    for count in range(1, 6):
        async with app:
            await app.enqueue(note.new())
            await events.wait("staffa.job.completed", count)
        assert await rows.producer_count() == 0


async def test_a_client_that_stops_while_it_claims_leaves_nothing_executing(
    make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def note() -> None:
        await asyncio.sleep(0)

    await make_client().enqueue_many(note.new() for _ in range(2000))
    for _ in range(10):
        app = make_client(queues={"default": 7})
        await app.start()
        await app.stop()
        assert (await rows.count())["executing"] == 0
    assert (
        await rows.connection.fetchval(
            f"SELECT count(*) FROM {rows.jobs} WHERE state = 'available' AND attempt > 0"
        )
        == 0
    )


async def test_the_grace_period_begins_with_the_stop_whatever_the_database_does(
    make_client: MakeClient, proxy: Proxy, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "CONNECT_SECONDS", 600.0)
    monkeypatch.setattr(driver, "REPLY_SECONDS", 600.0)
    monkeypatch.setattr(pool, "REPLY_SECONDS", 600.0)
    monkeypatch.setattr(supervisor, "_FLUSH_SECONDS", 0.2)
    monkeypatch.setattr(supervisor, "_MOMENT_SECONDS", 0.1)
    monkeypatch.setattr(producer, "_STOP_SECONDS", 0.1)
    monkeypatch.setattr(leader, "_RESIGN_SECONDS", 0.1)
    cancelled = asyncio.Event()

    @job
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    app = make_client(dsn=proxy.dsn, queues={"default": 3}, shutdown_grace=0)
    await app.start()
    await app.enqueue(wait.new())
    await events.wait("staffa.job.start")
    node = app._node
    assert node is not None
    await eventually(lambda: node._leader.leading, "the leader")
    proxy.freeze()
    stopping = asyncio.ensure_future(app.stop())
    async with asyncio.timeout(30):
        await cancelled.wait()
        await stopping  # though every statement would wait for ten minutes
    proxy.thaw()


async def test_a_step_that_fails_keeps_no_job_from_being_put_back(
    make_client: MakeClient, rows: Rows, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise RuntimeError("as a defect of ours would")

    app = make_client(queues={"default": 1}, shutdown_grace=0)
    await app.start()
    node = app._node
    assert node is not None
    await app.enqueue(wait.new())
    await events.wait("staffa.job.start")
    for part in (node.supervisor._processes, node._crontab, node._lifeline):
        monkeypatch.setattr(part, "stop", fail)
    await app.stop()
    monkeypatch.undo()
    await rows.until_count(available=1)
    assert await rows.producer_count() == 0
    assert {event.data["what"] for event in events.of("staffa.error")} == {
        "stopping the processes of jobs failed",
        "stopping the crontab failed",
        "stopping the lifeline failed",
    }
    for part in (node.supervisor._processes, node._crontab, node._lifeline):
        await part.stop()
