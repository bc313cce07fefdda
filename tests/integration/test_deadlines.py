"""Deadlines of jobs that really run, on the database's clock."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import Deadline, Job, Snooze, current_job, job, worker
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

DAY = timedelta(days=1)


async def test_a_job_that_is_late_at_its_start_is_cancelled_with_the_reason(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    ran: list[int] = []

    @job(deadline=0)
    async def work() -> None:
        ran.append(1)

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        row = await rows.until(stored.id, "cancelled")
    assert ran == []
    assert row["attempt"] == 1
    (error,) = row["errors"]
    assert error["attempt"] == 1
    assert "its deadline" in error["error"]
    assert "passed before it began" in error["error"]
    assert events.of("staffa.job.cancelled")[0].data["seconds"] is not None


@pytest.mark.parametrize(
    ("options", "late"),
    [
        ({"deadline": 3600}, False),
        ({"deadline": 3600, "scheduled_at": datetime.now(UTC) - DAY}, True),
        ({"deadline": 2 * DAY, "scheduled_at": datetime.now(UTC) - DAY}, False),
        ({"deadline": 0.001, "scheduled_in": 0.001}, True),
        ({"deadline": 3600, "scheduled_in": 0.001}, False),
    ],
    ids=["in time", "due yesterday", "in time since yesterday", "late soon", "due soon"],
)
async def test_a_deadline_is_counted_from_the_moment_at_which_the_job_is_due(
    options: dict[str, Any], late: bool, make_client: MakeClient, rows: Rows
) -> None:
    @job(name="work")
    async def work() -> None: ...

    client = make_client()
    stored = await client.enqueue(Job(worker="work", **options))
    due = (stored.scheduled_at or datetime.now(UTC)) + timedelta(milliseconds=5)

    async def is_past() -> bool:
        now: datetime = await rows.connection.fetchval("SELECT clock_timestamp()")
        return now > due

    await eventually(is_past, "the moment after it is due")
    async with make_client(queues={"default": 1}):
        await rows.until(stored.id, "cancelled" if late else "completed")


async def test_a_retry_that_comes_after_the_deadline_is_cancelled(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    runs: list[int] = []

    @job(deadline=0.5, backoff=0.5)
    async def fail() -> None:
        runs.append(1)
        raise ValueError("again")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        row = await rows.until(stored.id, "cancelled")
    assert len(runs) <= 1
    assert row["attempt"] == len(runs) + 1
    assert "its deadline" in row["errors"][-1]["error"]


async def test_a_snooze_beyond_the_deadline_is_cancelled_when_it_is_due(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(deadline=Deadline(3600))
    async def later() -> Snooze:
        return Snooze(7200)

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(later.new())
        await rows.until(stored.id, "scheduled")
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET inserted_at = inserted_at - interval '2 hours',"
            " scheduled_at = scheduled_at - interval '2 hours'"
        )
        row = await rows.until(stored.id, "cancelled")
    assert row["meta"]["snoozed"] == 1


@pytest.mark.parametrize("kind", ["loop", "thread"])
async def test_a_forced_deadline_cancels_a_job_that_runs(
    kind: str, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    stopped: list[str] = []

    @job(name="loop", deadline=Deadline(1.0, force=True))
    async def on_the_loop() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append("loop")
            raise

    @job(name="thread", deadline=Deadline(1.0, force=True))
    def in_a_thread() -> None:
        while not current_job().cancelled():
            threading.Event().wait(0.005)
        stopped.append("thread")
        current_job().raise_if_cancelled()

    made = (on_the_loop if kind == "loop" else in_a_thread).new()
    async with make_client(queues={"default": 1}) as app:
        while not stopped:  # a busy machine may begin too late
            stored = await app.enqueue(made)
            row = await rows.until(stored.id, "cancelled")
    assert stopped == [kind]
    assert [error["error"] for error in row["errors"]] == ["its deadline passed while it ran"]
    assert events.of("staffa.job.lease_lost") == []


async def test_a_deadline_without_force_lets_a_job_that_runs_go_on(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job(deadline=3600)
    async def work() -> None:
        await go_on.wait()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await events.wait("staffa.job.start")
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET inserted_at = inserted_at - interval '2 hours'"
        )
        go_on.set()
        await rows.until(stored.id, "completed")


async def test_a_timeout_within_a_forced_deadline_is_a_failed_attempt(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(deadline=Deadline(3600, force=True), timeout=0.05)
    async def work() -> None:
        await asyncio.Event().wait()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await rows.until(stored.id, "retryable")
    assert "JobTimeout" in (await rows.errors(stored.id))[0]


async def test_a_late_job_is_cancelled_before_its_workers_own_code_is_asked_anything(
    make_client: MakeClient, rows: Rows
) -> None:
    asked: list[str] = []

    @worker(name="asks", deadline=0)
    class Asks:
        def timeout(self, job: Job) -> float:
            asked.append("timeout")
            raise ValueError("no such thing")

        async def before_process(self, job: Job) -> None:
            asked.append("before_process")

        async def process(self, job: Job) -> None: ...

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(Asks.new())  # type: ignore[attr-defined]
        await rows.until(stored.id, "cancelled")
    assert asked == []


@pytest.mark.parametrize(
    "noted",
    [
        '"soon"', "5", "null", '{"at": "soon"}', '{"at": 1e999}', '{"after": 1e300}',
        '{"after": -1, "force": true}', '{"at": "0001-01-01T00:00:00+14:00"}', "[]",
    ],
)  # fmt: skip
async def test_what_another_client_wrote_in_place_of_a_deadline_is_none(
    noted: str, make_client: MakeClient, rows: Rows
) -> None:
    @job(name="work")
    async def work() -> None: ...

    async with make_client(queues={"default": 1}):
        text = noted.replace("1e999", "1e99")
        number = await rows.insert(worker="work", meta=f'{{"staffa_deadline": {text}}}')
        await rows.until(number, "completed")
