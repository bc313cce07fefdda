"""Many jobs at once: all or none, or chunk by chunk."""

from __future__ import annotations

import asyncio
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from staffa import Job, Staffa
from staffa.deadlines import read_deadline
from staffa.errors import ConfigError, InvalidJob, QueueFull, UnknownOption
from staffa.options import BulkProgress
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows


def some(count: int, **options: Any) -> Iterator[Job]:
    return (Job(worker="any.worker", args={"n": n}, **options) for n in range(count))


async def stream_of(count: int, **options: Any) -> AsyncIterator[Job]:
    for job in some(count, **options):
        yield job


@pytest.fixture
def app(make_client: MakeClient) -> Staffa:
    """A client that only sends."""
    return make_client()


async def test_a_stream_yields_the_ids_in_order_as_they_are_written(
    app: Staffa, rows: Rows
) -> None:
    numbers = []
    async for number in app.enqueue_many(some(25), stream=True, chunk_size=10):
        numbers.append(number)
        written = sum((await rows.count()).values())
        assert written == min(25, (len(numbers) + 9) // 10 * 10), "each chunk is committed alone"
    assert numbers == sorted(set(numbers))
    assert [(await rows.get(number))["args"] for number in numbers] == [{"n": n} for n in range(25)]


async def test_an_async_iterable_is_a_stream_by_itself(app: Staffa, rows: Rows) -> None:
    numbers = [number async for number in app.enqueue_many(stream_of(25), chunk_size=10)]
    assert len(numbers) == 25
    assert await rows.count() == {"available": 25}
    assert [number async for number in app.enqueue_many(stream_of(0))] == []


async def test_a_stream_that_fails_keeps_the_chunks_before(app: Staffa, rows: Rows) -> None:
    def source() -> Iterator[Job]:
        yield from some(15)
        raise RuntimeError("no more")

    stream = app.enqueue_many(source(), stream=True, chunk_size=10)
    for _ in range(10):
        await anext(stream)
    with pytest.raises(RuntimeError, match="no more"):
        await anext(stream)
    assert await rows.count() == {"available": 10}


async def test_who_stops_reading_a_stream_stops_its_writing(app: Staffa, rows: Rows) -> None:
    stream = app.enqueue_many(some(100), stream=True, chunk_size=10)
    async for _ in stream:
        break
    await stream.aclose()
    assert await rows.count() == {"available": 10}


async def test_a_stream_that_is_cancelled_while_it_writes_writes_no_other_chunk(
    app: Staffa, rows: Rows
) -> None:
    stream = app.enqueue_many(some(30), stream=True, chunk_size=10)
    for _ in range(10):
        await anext(stream)
    async with rows.connection.transaction():
        await rows.connection.execute(f"LOCK TABLE {rows.jobs} IN SHARE MODE")
        writing = asyncio.ensure_future(anext(stream))
        await eventually(lambda: _is_held_up(rows), "a write that waits")
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    await eventually(lambda: _is_free(rows), "the end of its statement")
    written = (await rows.count())["available"]
    assert written in {10, 20}, (
        "the server may have gone on: with the chunk that it had, and no more"
    )
    await app.enqueue(next(some(1)))
    assert await rows.count() == {"available": written + 1}


async def _is_held_up(rows: Rows) -> bool:
    sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted)"
    found: bool = await rows.connection.fetchval(sql, rows.jobs)
    return found


async def _is_free(rows: Rows) -> bool:
    """Tell whether nobody else uses the table: what was cut off has then ended at the server."""
    sql = (
        "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE relation = $1::text::regclass"
        " AND pid <> pg_backend_pid())"
    )
    found: bool = await rows.connection.fetchval(sql, rows.jobs)
    return found


async def test_a_stream_reads_one_chunk_ahead_and_writes_none(app: Staffa, rows: Rows) -> None:
    read = 0

    def source() -> Iterator[Job]:
        nonlocal read
        for job in some(10_000):
            read += 1
            yield job

    stream = app.enqueue_many(source(), stream=True, chunk_size=1000)
    await anext(stream)
    assert await rows.count() == {"available": 1000}
    assert 1000 < read <= 2001
    await stream.aclose()


async def test_a_stream_into_a_transaction_of_the_users_reads_nothing_ahead(
    app: Staffa, dsn: str
) -> None:
    own = await asyncpg.connect(dsn)
    read = 0

    def source() -> Iterator[Job]:
        nonlocal read
        for job in some(3000):
            read += 1
            yield job

    async with own.transaction():
        stream = app.enqueue_many(source(), stream=True, chunk_size=1000, conn=own)
        await anext(stream)
        assert read == 1001, "the connection may be what the jobs are read from"
        await stream.aclose()
    await own.close()


async def test_a_stream_joins_a_transaction_of_the_users(app: Staffa, dsn: str, rows: Rows) -> None:
    own = await asyncpg.connect(dsn)
    transaction = own.transaction()
    await transaction.start()
    stream = app.enqueue_many(some(25, unique=True), stream=True, chunk_size=10, conn=own)
    assert len([number async for number in stream]) == 25
    assert await rows.count() == {}
    await transaction.rollback()
    await own.close()
    assert await rows.count() == {}


async def test_many_chunks_without_a_stream_are_all_or_none(app: Staffa, rows: Rows) -> None:
    bad = Job(worker="any.worker")
    bad.queue = "q" * 200
    with pytest.raises(Exception, match="queue_length"):
        await app.enqueue_many(some(12_000), bad)
    assert await rows.count() == {}
    jobs = await app.enqueue_many(some(12_000))
    assert [job.args["n"] for job in jobs] == list(range(12_000))
    assert await rows.count() == {"available": 12_000}


async def test_large_args_are_cut_into_statements_of_bounded_size(app: Staffa, rows: Rows) -> None:
    large = "x" * 1_000_000
    jobs = await app.enqueue_many(
        Job(worker="any.worker", args={"n": n, "text": large}) for n in range(20)
    )
    assert [job.args["n"] for job in jobs] == list(range(20))
    assert await rows.count() == {"available": 20}


@pytest.mark.parametrize("stream", [False, True])
async def test_conflicts_are_returned_or_left_out(app: Staffa, stream: bool) -> None:
    before = await app.enqueue_many(some(5, unique=True))

    async def write(**options: Any) -> list[int | None]:
        if stream:
            many = app.enqueue_many(some(8, unique=True), stream=True, **options)
            return [number async for number in many]
        return [job.id for job in await app.enqueue_many(some(8, unique=True), **options)]

    returned = await write(on_conflict="return")
    assert returned[:5] == [job.id for job in before]
    assert len(returned) == 8
    assert await write(on_conflict="skip") == []


async def test_auto_space_staggers_the_chunks(app: Staffa, rows: Rows) -> None:
    jobs = await app.enqueue_many(some(5), some(2, scheduled_in=100), auto_space=60, chunk_size=2)
    assert [job.state for job in jobs] == ["available"] * 2 + ["scheduled"] * 5
    waits = []
    for job in jobs:
        assert job.scheduled_at is not None
        assert job.inserted_at is not None
        waits.append((job.scheduled_at - job.inserted_at).total_seconds())
    assert waits == [0, 0, 60, 60, 120, 220, 280]


async def test_auto_space_moves_deadlines_along(app: Staffa) -> None:
    at = datetime(2100, 1, 1, tzinfo=UTC)
    jobs = await app.enqueue_many(
        some(2, deadline=10), some(2, deadline=10, scheduled_at=at), auto_space=60, chunk_size=1
    )
    for job in jobs:
        assert job.scheduled_at is not None
        found = read_deadline(job.meta, job.inserted_at)
        assert found == (job.scheduled_at + timedelta(seconds=10), False)


async def test_progress_is_told_after_each_commit(app: Staffa, rows: Rows) -> None:
    await app.enqueue_many(some(5, unique=True))
    told: list[BulkProgress] = []
    async for _ in app.enqueue_many(
        some(25, unique=True), stream=True, chunk_size=10, on_progress=told.append
    ):
        pass
    assert told == [BulkProgress(5, 5), BulkProgress(15, 5), BulkProgress(20, 5)]
    await app.enqueue_many(some(30, unique=True), on_progress=told.append)
    assert told[3:] == [BulkProgress(5, 25)]


async def test_a_callback_that_raises_loses_no_job(
    app: Staffa, rows: Rows, events: Recorder
) -> None:
    def fail(progress: BulkProgress) -> None:
        raise RuntimeError("a bad callback")

    assert len(await app.enqueue_many(some(3), on_progress=fail)) == 3
    assert events.of("staffa.error")


async def test_each_chunk_wakes_its_queues_once_and_conflicts_wake_nobody(
    app: Staffa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staffa.client.wakeups._PAUSE_SECONDS", 0.0)
    backend = await app._open()
    sent: list[Any] = []
    notify = backend.notifier.notify

    async def record(payloads: Any) -> None:
        sent.append(payloads)
        await notify(payloads)

    monkeypatch.setattr(backend.notifier, "notify", record)
    async for _ in app.enqueue_many(some(25, unique=True), stream=True, chunk_size=10):
        pass
    assert sent == [[("insert", {"queue": "default"})]] * 3
    sent.clear()
    await app.enqueue_many(some(25, unique=True))
    await app.enqueue_many(some(5, scheduled_in=60))
    assert sent == []
    await app.enqueue_many(
        some(1, unique=True, queue="other", scheduled_in=60),
        some(1, unique=True, queue="other", replace={"scheduled": ["scheduled_at"]}),
    )
    assert sent == [[("insert", {"queue": "other"})]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on_conflict": "ignore"}, "'return' or 'skip'"),
        ({"chunk_size": 0}, "whole number"),
        ({"chunk_size": 10_001}, "whole number"),
        ({"chunk_size": True}, "whole number"),
        ({"auto_space": -1}, "below 0"),
        ({"auto_space": "1"}, "seconds"),
    ],
)
async def test_a_bad_option_is_refused(app: Staffa, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        await app.enqueue_many(some(1), **options)


async def test_an_unknown_option_names_the_nearest(app: Staffa) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'stream'"):
        await app.enqueue_many(some(1), strem=True)  # type: ignore[call-overload]  # misspelt


async def test_what_is_no_job_is_refused_in_a_stream_too(app: Staffa, rows: Rows) -> None:
    with pytest.raises(InvalidJob, match="is no job"):
        async for _ in app.enqueue_many([*some(3), 5], stream=True):  # type: ignore[call-overload]
            pass
    assert await rows.count() == {}


async def test_a_stream_needs_no_more_memory_for_more_jobs(app: Staffa) -> None:
    async def peak(count: int) -> int:
        tracemalloc.start()
        try:
            async for _ in app.enqueue_many(some(count), stream=True, chunk_size=1000):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    await peak(2_000)
    assert await peak(40_000) < 2 * await peak(8_000)


async def test_a_full_queue_refuses_and_has_room_again_once_its_jobs_run(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    app = make_client(max_depth={"default": 10})
    await app.enqueue_many(some(10))
    with pytest.raises(QueueFull, match="'default' is full: 10 jobs wait"):
        await app.enqueue(next(some(1)))
    assert events.of("staffa.queue.full")
    await app.enqueue(Job(worker="any.worker", queue="other"))
    await app.enqueue(Job(worker="any.worker", scheduled_in=60))
    await rows.connection.execute(f"UPDATE {rows.jobs} SET state = 'completed'")
    fresh = make_client(max_depth={"default": 10})
    assert not (await fresh.enqueue(next(some(1)))).conflict


async def test_a_delayed_stream_goes_on_as_its_jobs_are_taken(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    app = make_client(max_depth={"default": {"limit": 10, "on_full": "delay"}})

    async def write() -> int:
        return len([n async for n in app.enqueue_many(some(30), stream=True, chunk_size=10)])

    writing = asyncio.create_task(write())
    while not writing.done():
        full = events.wait("staffa.queue.full", len(events.of("staffa.queue.full")) + 1)
        waiting = asyncio.ensure_future(full)
        await asyncio.wait([writing, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert (await rows.count())["available"] <= 10
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'completed' WHERE state = 'available'"
        )
    assert await writing == 30


async def test_a_transaction_of_the_users_never_waits_for_room(
    make_client: MakeClient, dsn: str
) -> None:
    app = make_client(max_depth={"default": {"limit": 1, "on_full": "delay"}})
    await app.enqueue(next(some(1)))
    own = await asyncpg.connect(dsn)
    async with own.transaction():
        with pytest.raises(QueueFull):
            await app.enqueue(next(some(1)), conn=own)
    await own.close()


@pytest.mark.long
async def test_a_million_jobs_are_streamed_within_a_hundred_megabytes(
    app: Staffa, dsn: str, prefix: str, rows: Rows
) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STREAMING, dsn, prefix, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await program.communicate()
    assert program.returncode == 0
    assert int(out) < 100_000, "kilobytes of memory at the most"
    assert sum((await rows.count()).values()) == 1_000_000


STREAMING = """
import asyncio, resource, sys
from staffa import Job, Staffa


async def main():
    jobs = (Job(worker="any.worker", args={"n": n}) for n in range(1_000_000))
    async with Staffa(sys.argv[1], prefix=sys.argv[2]) as app:
        async for _ in app.enqueue_many(jobs, stream=True, chunk_size=5000):
            pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


asyncio.run(main())
"""
