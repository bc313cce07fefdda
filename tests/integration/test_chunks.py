"""Chunks on real nodes and processes, on PostgreSQL and on a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staffa import Cancel, Chunk, GlobalLimit, Job, Queue, RateLimit, Staffa, State, job
from staffa.jobs import current_job
from staffa.queues.producer import QueueProducer
from tests.conftest import MakeClient
from tests.support.app import PROMPT, release, steps
from tests.support.chunk_work import hold, load
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn, WorkerProcess

SELDOM: dict[str, Any] = {"poll": 30.0, "heartbeat": 5.0, "dead_after": 20.0}
WORK = "tests.support.chunk_work"
SOON, NEVER = 0.2, 3600.0

calls: list[list[int]] = []


@pytest.fixture(autouse=True)
def forget_calls() -> None:
    calls.clear()


@pytest.fixture
def spawn(place: dict[str, Any], tmp_path: Path) -> Iterator[Spawn]:
    """Starts worker processes, each ended with the test."""
    made: list[WorkerProcess] = []

    def start(**options: Any) -> WorkerProcess:
        log = tmp_path / f"process-{len(made)}.log"
        options = {"module": WORK, "queues": "chunks:5", **PROMPT, **options}
        made.append(WorkerProcess(place["dsn"], place.get("prefix", "public"), log, **options))
        return made[-1]

    yield start
    for process in made:
        process.kill()


async def until_all(app: Staffa, state: str, count: int) -> None:
    """Wait until so many jobs are in a state, and none in others."""

    async def there() -> bool:
        found = await app.count_jobs()
        return {kind: number for (_, kind), number in found.items()} == {state: count}

    await eventually(there, f"{count} jobs {state}")


def note(jobs: list[Job]) -> None:
    """Note which jobs came together."""
    calls.append([one.args["n"] for one in jobs])


async def test_a_full_chunk_runs_at_once_and_the_rest_when_it_is_due(make: MakeClient) -> None:
    @job(chunk=Chunk(size=3, timeout=SOON))
    async def collect(jobs: list[Job]) -> None:
        note(jobs)

    async with make(queues={"default": 5}, **SELDOM) as app:
        await app.enqueue_many([collect.new(n=n) for n in range(7)])
        await until_all(app, "completed", 7)
    assert sorted(calls) == [[0, 1, 2], [3, 4, 5], [6]]


async def test_jobs_that_come_one_by_one_run_together_once_there_are_enough(
    make: MakeClient,
) -> None:
    @job(chunk=Chunk(size=3, timeout=NEVER))
    def collect(jobs: list[Job]) -> None:
        note(jobs)

    async with make(queues={"default": 5}, **SELDOM) as app:
        stored = [await app.enqueue(collect.new(n=n)) for n in range(2)]
        row = await app.get_job(stored[0])
        assert row is not None
        assert row.state is State.AVAILABLE
        await app.enqueue(collect.new(n=2))
        await until_all(app, "completed", 3)
    assert calls == [[0, 1, 2]]


async def test_each_key_has_chunks_of_its_own(make: MakeClient) -> None:
    @job(chunk=Chunk(size=2, timeout=NEVER, by=["args.account", "meta.kind"]))
    async def collect(jobs: list[Job]) -> None:
        note(jobs)

    async with make(queues={"default": 5}) as app:
        made = [collect.new(account=n % 2, n=n) for n in range(4)]
        await app.enqueue_many([*made, collect.options(meta={"kind": "x"}).new(account=0, n=9)])
        await eventually(lambda: len(calls) == 2, "two chunks")
        assert sorted(calls) == [[0, 2], [1, 3]]
        assert sum((await app.count_jobs()).values()) == 5


async def test_a_chunk_takes_one_slot_and_plain_jobs_go_on_beside_jobs_that_wait(
    make: MakeClient,
) -> None:
    together: list[int] = []

    @job(chunk=Chunk(size=2, timeout=NEVER))
    async def collect(jobs: list[Job]) -> None:
        together.append(len(jobs))
        note(jobs)
        await asyncio.sleep(0)
        together.clear()

    @job
    async def plain(n: int) -> None:
        calls.append([n])

    async with make(queues={"default": 1}) as app:
        await app.enqueue(collect.new(n=0))
        await app.enqueue_many([plain.new(n) for n in range(10, 15)])
        await eventually(lambda: len(calls) == 5, "the plain jobs")
        await app.enqueue(collect.new(n=1))
        await until_all(app, "completed", 7)
    assert sorted(calls) == [[0, 1], *([n] for n in range(10, 15))]


async def test_a_job_that_is_cancelled_while_its_chunk_runs_ends_and_the_others_go_on(
    make: MakeClient, events: Recorder
) -> None:
    going, stopped = asyncio.Event(), asyncio.Event()

    @job(chunk=Chunk(size=3, timeout=NEVER))
    async def collect(jobs: list[Job]) -> dict[Job, Cancel]:
        note(jobs)
        going.set()
        await eventually(jobs[1].cancelled, "the cancellation")
        assert not jobs[0].cancelled()
        await stopped.wait()
        return {jobs[1]: Cancel("too late"), jobs[2]: Cancel("in time")}

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue_many([collect.new(n=n) for n in range(3)])
        await going.wait()
        await app.cancel_job(stored[1])
        stopped.set()
        await events.wait("staffa.job.lease_lost")
        await eventually(lambda: len(events.of("staffa.job.cancelled")) == 2, "two ends")
        rows = [await app.get_job(one) for one in stored]
    assert [row.state for row in rows if row] == ["completed", "cancelled", "cancelled"]
    cancelled = rows[1]
    assert cancelled is not None
    (error,) = cancelled.errors
    assert "cancelled while it ran" in error["error"]


async def test_a_chunk_all_of_whose_jobs_are_cancelled_is_stopped(make: MakeClient) -> None:
    ended: list[BaseException] = []
    going = asyncio.Event()

    @job(chunk=Chunk(size=2, timeout=NEVER))
    async def collect(jobs: list[Job]) -> None:
        going.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ended.append(error)
            raise

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue_many([collect.new(n=n) for n in range(2)])
        await going.wait()
        await app.cancel_many_jobs([one.id or 0 for one in stored])
        await eventually(lambda: bool(ended), "the end of the call")
        await until_all(app, "cancelled", 2)


async def test_a_chunk_that_is_stopped_with_its_process_is_put_back_whole(make: MakeClient) -> None:
    going = asyncio.Event()

    @job(chunk=Chunk(size=2, timeout=NEVER))
    async def collect(jobs: list[Job]) -> None:
        going.set()
        await asyncio.Event().wait()

    app = make(queues={"default": 1})
    await app.start()
    stored = await app.enqueue_many([collect.new(n=n) for n in range(2)])
    await going.wait()
    await app.stop(grace=0)
    looking = make()
    rows = [await looking.get_job(one) for one in stored]
    assert [(row.state, row.attempt) for row in rows if row] == [("available", 0)] * 2


async def test_failed_jobs_are_tried_again_each_by_its_own_attempts(
    make: MakeClient, events: Recorder
) -> None:
    @job(chunk=Chunk(size=2, timeout=SOON), backoff=lambda *_: 0.01, max_attempts=3)
    async def collect(jobs: list[Job]) -> dict[int, Exception]:
        note(jobs)
        return {one.id or 0: ValueError("it") for one in jobs if one.attempt <= one.args["n"]}

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue_many([collect.new(n=n) for n in (1, 3)])
        await events.wait("staffa.job.discarded")
        await events.wait("staffa.job.completed")
        rows = [await app.get_job(one) for one in stored]
    assert [(row.state, row.attempt, len(row.errors)) for row in rows if row] == [
        ("completed", 2, 1),
        ("discarded", 3, 3),
    ]


async def test_each_job_notes_in_its_own_row_and_the_first_is_the_current_one(
    make: MakeClient,
) -> None:
    @job(chunk=Chunk(size=2, timeout=NEVER))
    async def collect(jobs: list[Job]) -> None:
        await jobs[1].update_meta(seen=True)
        await jobs[0].progress(0.5)
        assert current_job() is jobs[0]

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue_many([collect.new(n=n) for n in range(2)])
        await until_all(app, "completed", 2)
        rows = [await app.get_job(one) for one in stored]
    assert [set(row.meta) for row in rows if row] == [{"progress"}, {"seen"}]


async def test_jobs_in_a_queue_that_their_worker_does_not_name_run_together_as_well(
    make: MakeClient,
) -> None:
    @job(queue="named", chunk=Chunk(size=4, timeout=SOON))
    async def collect(jobs: list[Job]) -> None:
        note(jobs)

    async with make(queues={"default": 5}, **SELDOM) as app:
        await app.enqueue_many([collect.options(queue="default").new(n=n) for n in range(8)])
        await until_all(app, "completed", 8)
    assert sorted(calls) == [[0, 1, 2, 3], [4, 5, 6, 7]]


async def test_a_queue_whose_jobs_wait_for_others_is_not_looked_at_again_and_again(
    make: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    claim = QueueProducer._claim

    async def counted(self: QueueProducer, demand: int) -> Any:
        looks.append(demand)
        return await claim(self, demand)

    monkeypatch.setattr(QueueProducer, "_claim", counted)

    @job(chunk=Chunk(size=2, timeout=SOON))
    async def collect(jobs: list[Job]) -> None:
        note(jobs)

    async with make(queues={"default": 5}, **SELDOM) as app:
        await app.enqueue(collect.new(n=0))
        await until_all(app, "completed", 1)
    assert len(looks) <= 5


async def test_two_nodes_run_each_job_once_in_whole_chunks(
    spawn: Spawn, make: MakeClient, tmp_path: Path
) -> None:
    first, second = spawn(), spawn()
    await first.running()
    await second.running()
    app = make()
    for _ in range(8):
        await app.enqueue_many([load.new(folder=str(tmp_path)) for _ in range(25)])
    await until_all(app, "completed", 200)
    runs = Counter(step.id for step in steps(tmp_path, "loaded"))
    assert len(runs) == 200
    assert set(runs.values()) == {1}


async def test_the_chunk_of_a_killed_process_runs_elsewhere_without_using_attempts(
    spawn: Spawn, make: MakeClient, tmp_path: Path
) -> None:
    first = spawn()
    app = make()
    stored = await app.enqueue_many([hold.new(folder=str(tmp_path)) for _ in range(3)])
    await eventually(lambda: len(steps(tmp_path, "begun")) == 3, "the chunk in the first process")
    second = spawn()
    await second.running()
    first.kill()
    await eventually(lambda: len(steps(tmp_path, "begun")) == 6, "the chunk in the second process")
    release(tmp_path)
    await until_all(app, "completed", 3)
    assert {step.pid for step in steps(tmp_path, "ended")} == {second.pid}
    rows = [await app.get_job(one) for one in stored]
    assert [(row.attempt, row.meta) for row in rows if row] == [(1, {"rescued": 1})] * 3


@pytest.mark.parametrize("partition", [None, "args.tenant"])
async def test_chunks_count_as_one_under_limits(make: MakeClient, partition: str | None) -> None:
    running: list[int] = []
    most: list[int] = []

    @job(chunk=Chunk(size=4, timeout=SOON))
    async def collect(jobs: list[Job]) -> None:
        running.append(len(jobs))
        most.append(len(running))
        note(jobs)
        await asyncio.sleep(0.01)
        running.pop()

    limit = GlobalLimit(2, partition=partition)
    queue = Queue(limit=10, global_limit=limit)
    async with make(queues={"default": queue}) as app, make(queues={"default": queue}):
        await app.enqueue_many([collect.new(n=n, tenant="t") for n in range(26)])
        await until_all(app, "completed", 26)
    assert max(most) <= 2
    assert Counter(map(len, calls)) == {4: 6, 2: 1}


async def test_a_rate_limit_counts_chunks(make: MakeClient) -> None:
    @job(chunk=Chunk(size=5, timeout=NEVER))
    async def collect(jobs: list[Job]) -> None:
        note(jobs)

    queue = Queue(limit=10, rate_limit=RateLimit(3, period=3600))
    async with make(queues={"default": queue}) as app:
        await app.enqueue_many([collect.new(n=n) for n in range(40)])
        await eventually(lambda: len(calls) == 3, "three chunks")
        await app.enqueue_many([collect.new(n=n) for n in range(10)])
        found = await app.count_jobs()
    assert found[("default", State.AVAILABLE)] == 35
    assert list(map(len, calls)) == [5, 5, 5]
