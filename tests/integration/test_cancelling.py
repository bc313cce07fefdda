"""Running jobs that are cancelled, deleted or taken away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

import pytest

from staffa import current_job, job
from staffa.notifiers.postgres import PostgresNotifier
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

SLOW_BEAT = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}
"""With these only a notification can be in time."""


async def test_cancelling_from_another_client_stops_an_async_job_at_once(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    ended: list[str] = []

    @job
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    other = make_client()
    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        assert await other.cancel_job(stored) is True
        await eventually(lambda: ended, "the end of the job")
        await eventually(lambda: app.check_queue("default").running == (), "a free slot")
    row = await rows.get(stored.id)
    assert row["state"] == "cancelled"
    assert row["cancelled_at"] is not None
    assert len(row["errors"]) == 1
    assert "cancel_job" in row["errors"][0]["error"]


async def test_cancelling_stops_a_job_within_a_heartbeat_where_no_notification_arrives(
    make_client: MakeClient, rows: Rows, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(notifier: PostgresNotifier, messages: Iterable[object]) -> None: ...

    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(PostgresNotifier, "notify", lose)
    other = make_client()
    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await other.cancel_job(stored)
        await eventually(lambda: app.check_queue("default").running == (), "the end of the job")
    assert (await rows.get(stored.id))["state"] == "cancelled"


async def test_a_thread_sees_that_its_job_was_cancelled(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    seen: list[bool] = []

    @job
    def wait() -> None:
        while not current_job().cancelled():
            threading.Event().wait(0.005)
        seen.append(True)
        current_job().raise_if_cancelled()

    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        stored = await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await app.cancel_job(stored)
        await eventually(lambda: seen, "the thread to notice")
        await eventually(lambda: app.check_queue("default").running == (), "a free slot")
    assert (await rows.get(stored.id))["state"] == "cancelled"
    assert len(await rows.errors(stored.id)) == 1


async def test_a_thread_that_ignores_its_cancellation_is_stuck_and_its_slot_is_free(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    released = threading.Event()

    @job(name="ignore")
    def ignore() -> None:
        released.wait()

    @job(name="go_on")
    def go_on() -> None: ...

    sender = make_client()
    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        stored = await app.enqueue(ignore.new())
        await events.wait("staffa.job.start")
        waiting = await app.enqueue(go_on.new())
        assert await sender.cancel_job(stored)
        (stuck,) = await events.wait("staffa.thread.stuck")
        assert stuck.data["job"].id == stored.id
        await rows.until(waiting.id, "completed")
        released.set()
    assert (await rows.get(stored.id))["state"] == "cancelled"


@pytest.mark.parametrize("late", ["result", "error"])
async def test_a_cancelled_row_is_not_overwritten_by_the_late_outcome(
    late: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job
    async def finish() -> None:
        await go_on.wait()
        if late == "error":
            raise ValueError("late")

    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        stored = await app.enqueue(finish.new())
        await events.wait("staffa.job.start")
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'cancelled', cancelled_at = now()"
        )
        go_on.set()
        await events.wait("staffa.job.lease_lost")
    row = await rows.get(stored.id)
    assert row["state"] == "cancelled"
    assert row["completed_at"] is None
    assert row["errors"] == []
    assert events.of("staffa.job.completed") == []


async def test_a_job_that_ignores_cancellation_ends_without_overwriting_the_row(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()
    stubborn: list[bool] = []

    @job
    async def finish() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stubborn.append(current_job().cancelled())
        await go_on.wait()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(finish.new())
        await events.wait("staffa.job.start")
        await app.cancel_job(stored)
        await eventually(lambda: stubborn == [True], "the job to notice")
        assert len(app.check_queue("default").running) == 1
        go_on.set()
        await eventually(lambda: app.check_queue("default").running == (), "the end of the job")
    assert (await rows.get(stored.id))["state"] == "cancelled"


async def test_a_job_whose_row_is_deleted_is_stopped(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue(wait.new())
        await events.wait("staffa.job.start")
        await rows.connection.execute(f"DELETE FROM {rows.jobs}")
        await eventually(lambda: app.check_queue("default").running == (), "the end of the job")


async def test_cancelling_many_running_jobs_stops_them_all(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def wait() -> None:
        await asyncio.Event().wait()

    async with make_client(queues={"default": 100}, **SLOW_BEAT) as app:
        stored = await app.enqueue_many(wait.new() for _ in range(100))
        await events.wait("staffa.job.start", 100)
        assert len(await app.cancel_many_jobs(stored)) == 100
        await eventually(lambda: app.check_queue("default").running == (), "the end of the jobs")
    await rows.until_count(cancelled=100)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_job_that_is_cancelled_and_retried_while_its_body_still_runs_runs_again(
    in_thread: bool, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    released, left = threading.Event(), asyncio.Event()
    begun: list[int] = []

    @job(name="thread")
    def in_a_thread() -> None:
        begun.append(1)
        if len(begun) == 1:
            released.wait()

    @job(name="loop")
    async def on_the_loop() -> None:
        begun.append(1)
        if len(begun) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                await left.wait()

    async with make_client(queues={"default": 2}, **SLOW_BEAT) as app:
        stored = await app.enqueue(in_a_thread.new() if in_thread else on_the_loop.new())
        await eventually(lambda: len(begun) == 1, "the first run")
        await app.cancel_job(stored)
        await app.retry_job(stored)
        await eventually(lambda: len(begun) == 2, "the second run")
        row = await rows.until(stored.id, "completed")
        released.set()
        left.set()
        await eventually(lambda: app.check_queue("default").running == (), "two free slots")
        assert app._node is not None
        assert app._node.supervisor._executor.leases() == []
    assert (row["attempt"], len(row["errors"])) == (2, 1)


async def test_a_run_that_outlives_its_lease_does_not_hide_the_next_one_of_its_job(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    left = asyncio.Event()
    begun: list[int] = []
    ended: list[int] = []

    @job
    async def linger() -> None:
        begun.append(len(begun))
        mine = begun[-1]
        try:
            await asyncio.Event().wait()
        finally:
            if mine == 0:
                await left.wait()
            ended.append(mine)

    async with make_client(queues={"default": 2}) as app:
        stored = await app.enqueue(linger.new())
        await events.wait("staffa.job.start")
        await app.cancel_job(stored)
        await app.retry_job(stored)
        await events.wait("staffa.job.start", 2)
        seen = await rows.beats()

        async def checked() -> bool:
            return await rows.beats() > seen + 3

        await eventually(checked, "checks of the leases while both run")
        assert ended == []
        left.set()  # the first run ends while the second one goes on
        await eventually(lambda: ended == [0], "the end of the first run")
        assert await app.cancel_job(stored) is True
        await eventually(lambda: ended == [0, 1], "the end of the second run")
        await eventually(lambda: app.check_queue("default").running == (), "two free slots")
    assert (await rows.get(stored.id))["state"] == "cancelled"
