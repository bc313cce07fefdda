"""Which jobs run when: limits, order, times, and wake-ups."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

from staffa import State, current_job, job
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


async def test_never_more_than_the_limit_run_at_once(
    make_client: MakeClient, events: Recorder
) -> None:
    running = 0
    most = 0

    @job
    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1

    async with make_client(queues={"default": 3}) as app:
        await app.enqueue_many(count.new() for _ in range(200))
        await events.wait("staffa.job.completed", 200)
    assert most <= 3


async def test_never_more_threads_than_the_limit_run_at_once(
    make_client: MakeClient, events: Recorder
) -> None:
    lock = threading.Lock()
    running = 0
    most = 0

    @job
    def count() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.001)
        with lock:
            running -= 1

    async with make_client(queues={"default": 3}) as app:
        await app.enqueue_many(count.new() for _ in range(100))
        await events.wait("staffa.job.completed", 100)
    assert most <= 3


async def test_all_slots_of_a_queue_are_used_at_once(
    make_client: MakeClient, events: Recorder
) -> None:
    together = asyncio.Barrier(5)

    @job
    async def meet() -> None:
        await together.wait()  # ends only once five of them run

    async with make_client(queues={"default": 5}) as app:
        await app.enqueue_many(meet.new() for _ in range(10))
        await events.wait("staffa.job.completed", 10)


async def test_a_slow_queue_does_not_hold_up_another(
    make_client: MakeClient, events: Recorder
) -> None:
    released = asyncio.Event()

    @job(queue="slow")
    async def wait() -> None:
        await released.wait()

    @job(queue="fast")
    async def go() -> None: ...

    async with make_client(queues={"slow": 1, "fast": 1}) as app:
        await app.enqueue_many(wait.new() for _ in range(5))
        await app.enqueue_many(go.new() for _ in range(20))
        await events.wait("staffa.job.completed", 20)
        assert len(app.check_queue("slow").running) == 1
        released.set()
        await events.wait("staffa.job.completed", 25)


async def test_jobs_start_by_priority_then_time_then_id(
    make_client: MakeClient, events: Recorder
) -> None:
    started: list[int] = []

    @job
    async def note(number: int) -> None:
        started.append(number)

    past = datetime.now(UTC) - timedelta(hours=1)
    app = make_client(queues={"default": 1})
    await app.enqueue_many(
        [
            note.options(priority=9).new(5),
            note.options(priority=3).new(3),
            note.options(priority=3).new(4),
            note.options(priority=3, scheduled_at=past).new(2),
            note.options(priority=0).new(1),
        ]
    )
    async with app:
        await events.wait("staffa.job.completed", 5)
    assert started == [1, 2, 3, 4, 5]


async def test_a_scheduled_job_runs_when_it_is_due_and_not_before(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        late = await app.enqueue(note.options(scheduled_in=3600).new())
        soon = await app.enqueue(note.options(scheduled_in=0.2).new())
        assert soon.state is State.SCHEDULED
        row = await rows.until(soon.id, "completed")
    assert row["attempted_at"] >= row["scheduled_at"]
    assert (await rows.get(late.id))["state"] == "scheduled"


async def test_a_job_of_a_queue_that_does_not_run_here_waits(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        parked = await app.enqueue(note.options(queue="parked").new())
        await app.enqueue(note.new())
        await events.wait("staffa.job.completed")
    assert (await rows.get(parked.id))["state"] == "available"


async def test_jobs_from_a_client_that_only_sends_run_at_once_without_polling(
    make_client: MakeClient, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    sender = make_client()
    async with make_client(queues={"default": 1}, poll=3600):
        for count in range(1, 6):
            await sender.enqueue(note.new())
            await events.wait("staffa.job.completed", count)


async def test_two_nodes_share_the_jobs_and_run_none_twice(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    ran: list[int | None] = []

    @job
    async def note() -> None:
        ran.append(current_job().id)
        await asyncio.sleep(0)

    async with make_client(queues={"default": 5}) as one, make_client(queues={"default": 5}):
        stored = await one.enqueue_many(note.new() for _ in range(300))
        await events.wait("staffa.job.completed", 300)
    assert sorted(filter(None, ran)) == [entry.id for entry in stored]
    await rows.until_count(completed=300)
