"""Synchronous calls from wherever programs make them: threads, jobs, beside a loop, and on one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from staffa import Job, MaxDepth, Staffa, State, Worker, current_job, job, worker
from staffa._internal.loop_thread import loop_thread
from staffa.errors import DatabaseUnavailable, InstanceError, LoopRunning, QueueFull
from staffa.telemetry.catalogue import JobConflicted
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn
from tests.support.rows import Rows

THREADS = 32


@job
async def noted(number: int) -> None: ...


@worker(queue="badges")
class Badge(Worker):
    async def process(self, job: Job) -> None: ...


def runs(app: Staffa) -> bool:
    """Tell whether a client runs queues."""
    return app.started


@job(executor="process")
def enqueue_without_client() -> None:
    noted.enqueue_sync(1)


@job(executor="process")
async def await_without_client() -> None:
    await noted.enqueue(1)


async def in_threads(count: int, function: Any) -> list[Any]:
    """Return what a function returns on so many threads at once."""
    barrier = threading.Barrier(count)

    def work(number: int) -> Any:
        barrier.wait()
        return function(number)

    with ThreadPoolExecutor(count) as threads:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(threads, work, number) for number in range(count)]
        return await asyncio.gather(*calls)


async def test_many_threads_enqueue_at_once_through_one_client(
    make_client: MakeClient, rows: Rows
) -> None:
    app = make_client(pool_size=3)

    def send(number: int) -> list[int | None]:
        one = noted.enqueue_sync(number)
        many = app.sync.enqueue_many(noted.new(n) for n in range(5))
        return [one.id, *(stored.id for stored in many), *app.sync.enqueue_many(
            [noted.new(number)], stream=True)]  # fmt: skip

    found = await in_threads(THREADS, send)
    ids = {number for part in found for number in part}
    assert len(ids) == THREADS * 7
    assert sum((await app.count_jobs()).values()) == len(ids)
    assert await rows.connection_count() <= 2 * 3


async def test_a_client_keeps_its_connections_on_each_of_two_loops(make_client: MakeClient) -> None:
    app = make_client(pool_size=1)
    await app.enqueue(noted.new(1))
    await asyncio.to_thread(app.sync.enqueue, noted.new(2))
    homes = dict(app._homes._homes)
    assert homes.keys() == {asyncio.get_running_loop(), loop_thread().loop}
    for number in range(3, 20):
        calls = (app.enqueue(noted.new(number)), asyncio.to_thread(app.sync.get_job, 1))
        await asyncio.gather(*calls)
    assert app._homes._homes == homes


async def test_a_thread_enqueues_while_the_loop_that_runs_the_queues_is_busy(
    make_client: MakeClient,
) -> None:
    async with make_client(queues={"default": 1}) as app:
        found: list[Job] = []
        thread = threading.Thread(target=lambda: found.append(noted.enqueue_sync(1)))
        thread.start()
        thread.join(20)  # blocks this loop
        assert [stored.id for stored in found] == [1]
        await eventually(lambda: _is(app, 1, State.COMPLETED), "the job's run")


async def _is(app: Staffa, number: int | Job, state: State) -> bool:
    found = await app.get_job(number)
    return found is not None and found.state is state


async def test_a_call_on_the_loops_thread_is_refused_and_told_what_to_call(
    make_client: MakeClient,
) -> None:
    app = make_client()

    async def produce() -> AsyncIterator[Job]:
        yield noted.new(1)

    for call, remedy in (
        (lambda: app.sync.enqueue(noted.new(1)), "await app.enqueue(...)"),
        (lambda: app.sync.enqueue(noted.new(1), conn=object()), "await app.enqueue(...)"),
        (lambda: app.sync.enqueue_many([noted.new(1)]), "await app.enqueue_many(...)"),
        (
            lambda: app.sync.enqueue_many([noted.new(1)], stream=True),
            "async for ... in app.enqueue_many(...)",
        ),
        (app.sync.stream_jobs, "async for ... in app.stream_jobs(...)"),
        (lambda: app.sync.pause_queue("x"), "await app.pause_queue(...)"),
        (lambda: noted.enqueue_sync(1), "await noted.enqueue(...)"),
        (lambda: noted.options(priority=1).enqueue_sync(1), "await noted.enqueue(...)"),
        (lambda: Badge.enqueue_sync({}), "await Badge.enqueue(...)"),
        (app.sync.__enter__, "async with app"),
    ):
        with pytest.raises(LoopRunning) as raised:
            call()
        assert f"call {remedy} here" in str(raised.value)
        assert "asyncio.to_thread" in str(raised.value)
    assert await app.count_jobs() == {}


async def test_a_job_in_a_thread_enqueues_and_one_on_the_loop_is_refused(
    make_client: MakeClient, events: Recorder
) -> None:
    seen = []

    @job
    def in_thread() -> None:
        noted.enqueue_sync(1)
        seen.append(current_job().id)

    @job(max_attempts=1)
    async def on_loop() -> None:
        noted.enqueue_sync(2)

    async with make_client(queues={"default": 5}) as app:
        first, second = await app.enqueue_many([in_thread.new(), on_loop.new()])
        await events.wait("staffa.job.completed", 2)
        await events.wait("staffa.job.discarded")
        assert seen == [first.id]
        stored = await app.get_job(second)
        assert stored is not None
        assert "await noted.enqueue(...)" in stored.errors[0]["error"]


async def test_jobs_in_processes_and_threads_of_a_worker_enqueue_through_its_modules_client(
    spawn: Spawn, rows: Rows
) -> None:
    module = "tests.support.sync_work"
    process = spawn(module=module, queues="default:4")
    await process.running()
    for number, name in enumerate(
        ("enqueue_from_process", "enqueue_from_async_process", "enqueue_from_thread")
    ):
        stored = await rows.insert(worker=f"{module}.{name}", args=f'{{"number": {10 * number}}}')
        await rows.until(stored, "completed")
    refused = await rows.insert(worker=f"{module}.enqueue_from_loop", args='{"number": 99}')
    await eventually(lambda: rows.errors(refused))
    assert "await noted.enqueue" in (await rows.errors(refused))[0]
    found = await rows.connection.fetch(
        f"SELECT (args->>'number')::int AS number FROM {rows.jobs} WHERE queue = 'later'"
    )
    assert sorted(row["number"] for row in found) == [0, 1, 10, 11, 20]


async def test_a_job_in_a_process_without_a_client_is_told_where_to_make_one(
    make_client: MakeClient, events: Recorder
) -> None:
    async with make_client(queues={"default": 1}) as app:
        for call in (enqueue_without_client, await_without_client):
            stored = await app.enqueue(call.options(max_attempts=1).new())
            await events.wait("staffa.job.discarded", 1)
            await eventually(lambda stored=stored: _is(app, stored, State.DISCARDED))  # type: ignore[misc]  # a default of a lambda
            found = await app.get_job(stored)
            assert found is not None
            assert "no client exists in this process" in found.errors[0]["error"]
            assert "for jobs with executor='process'" in found.errors[0]["error"]


def test_queues_run_on_the_loop_of_synchronous_calls(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = threading.Event()
    where: list[object] = []

    @job
    async def remember() -> None:
        where.append(asyncio.get_running_loop())
        ran.set()

    app = make_client(queues={"default": 5})
    with app.sync as sync:
        assert runs(app)
        sync.enqueue(remember.new())
        assert ran.wait(20)
        with pytest.raises(InstanceError, match="runs already"):
            sync.start()
        sync.pause_queue("default")
        assert app.check_queue("default").paused
    assert not runs(app)
    assert where == [loop_thread().loop]


async def test_a_node_is_stopped_by_whichever_thread(make_client: MakeClient, rows: Rows) -> None:
    app = make_client(queues={"default": 5})
    await app.start()
    await app.enqueue(noted.new(1))
    await asyncio.to_thread(app.sync.get_job, 1)
    await asyncio.to_thread(app.sync.stop)
    assert not runs(app)
    await eventually(lambda: _no_connections(rows), "the end of all connections")
    await asyncio.to_thread(app.sync.start)
    assert runs(app)
    await app.enqueue(noted.new(1))
    await app.stop()
    assert not runs(app)
    await eventually(lambda: _no_connections(rows), "the end of all connections")


async def _no_connections(rows: Rows) -> bool:
    return await rows.connection_count() == 0


async def test_starts_and_stops_from_several_threads_take_turns(make_client: MakeClient) -> None:
    app = make_client(queues={"default": 5})

    def start(number: int) -> str:
        try:
            app.sync.start()
        except InstanceError:
            return "refused"
        return "started"

    told = await asyncio.gather(in_threads(5, start), return_exceptions=False)
    assert sorted(told[0]) == ["refused"] * 4 + ["started"]
    await asyncio.gather(app.stop(), in_threads(3, lambda number: app.sync.stop(grace=0)))
    assert not runs(app)


def test_a_program_may_use_one_loop_after_another(make_client: MakeClient) -> None:
    app = make_client()

    async def once(number: int) -> None:
        await app.enqueue(noted.new(number))
        await app.stop()

    for number in range(3):
        asyncio.run(once(number))
        app.sync.enqueue(noted.new(number))
    assert sum(app.sync.count_jobs().values()) == 6
    app.sync.stop()


async def test_errors_come_as_they_are(make_client: MakeClient) -> None:
    away = make_client(dsn="postgresql://postgres@127.0.0.1:1/nowhere")
    with pytest.raises(DatabaseUnavailable):
        await asyncio.to_thread(away.sync.enqueue, noted.new(1))
    await away.stop()
    full = make_client(max_depth={"default": MaxDepth(1)})
    await asyncio.to_thread(full.sync.enqueue, noted.new(1))
    with pytest.raises(QueueFull):
        await asyncio.to_thread(full.sync.enqueue, noted.new(2))


async def test_events_belong_to_the_client_whatever_thread_calls(
    make_client: MakeClient, events: Recorder
) -> None:
    app = make_client()
    for _ in range(2):
        await asyncio.to_thread(noted.options(unique=True).enqueue_sync, 1)
    (told,) = events.of(JobConflicted.kind)
    assert told.instance == app.config.name


async def test_a_caller_that_stops_reading_a_stream_leaves_nothing_behind(
    make_client: MakeClient,
) -> None:
    app = make_client()

    def read() -> list[Any]:
        ids = app.sync.enqueue_many((noted.new(n) for n in range(10)), stream=True, chunk_size=2)
        first: list[Any] = [next(ids), next(ids), next(ids)]
        ids.close()  # type: ignore[attr-defined]  # of a generator
        jobs = app.sync.stream_jobs()
        first.append(next(jobs).id)
        del jobs
        return first

    assert await asyncio.to_thread(read) == [1, 2, 3, 4]
    assert sum((await app.count_jobs()).values()) == 4
