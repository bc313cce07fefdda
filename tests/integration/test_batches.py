"""Batches as users have them: enqueued, run on two nodes, looked at, added to, cancelled."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import psycopg
import pytest

from staffa import Batch, Job, JobFilter, MaxDepth, Staffa, State, Workflow, current_job, job
from staffa.errors import ConfigError, FlowExists, LoopRunning, QueueFull, UnknownFlow
from tests.conftest import MakeClient
from tests.support.events import pause_everywhere, resume_everywhere

EVENTS = ("attempted", "completed", "cancelled", "discarded", "retryable", "exhausted")


class Work:
    """Members and callbacks that remember what has run."""

    def __init__(self, app: Staffa) -> None:
        self.told: Counter[str] = Counter()
        self.results: list[Any] = []

        @job(name="tests.batch.member", backoff=0, max_attempts=2, recorded=True)
        async def member(number: int, ends: str = "") -> int:
            attempt = current_job().attempt
            if ends == "fail" or (ends == "once" and attempt == 1):
                raise ValueError("no")
            if ends == "grow":
                batch = app.batch(current_job().batch_id)
                await batch.append(member.new(number * 10 + one) for one in (1, 2))
            return number

        @job(name="tests.batch.callback", queue="default")
        async def callback(note: str = "") -> None:
            running = current_job()
            self.told[running.meta["callback"]] += 1
            if running.meta["callback"] == "exhausted":
                self.results = await app.batch(running.batch_id).results()

        self.member = member
        self.callback = callback

    def callbacks(self) -> Any:
        return {f"on_{event}": self.callback.new(event) for event in EVENTS}


@pytest.fixture
def work(nodes: list[Staffa]) -> Work:
    return Work(nodes[0])


async def all_ended(app: Staffa) -> None:
    """Wait until no job is left that has not ended."""
    live = JobFilter(states=["available", "suspended", "scheduled", "executing", "retryable"])
    async with asyncio.timeout(60):
        while await app.count_jobs(live):  # noqa: ASYNC110  # the database changes
            await asyncio.sleep(0.02)


async def test_each_callback_runs_once_though_many_jobs_end_at_once_on_two_nodes(
    nodes: list[Staffa], work: Work
) -> None:
    jobs = [work.member.new(number, "once" if number % 7 == 0 else "") for number in range(120)]
    batch = await nodes[0].enqueue(Batch(jobs, name="many", **work.callbacks()))
    status = await batch.wait(timeout=60)
    assert (status.state, status.total, status.name) == (State.COMPLETED, 120, "many")
    assert status.counts["completed"] == status.attempted == 120
    await all_ended(nodes[0])
    expected = {"attempted": 1, "completed": 1, "exhausted": 1, "retryable": 1}
    assert work.told == expected
    assert sorted(status.fired) == sorted(expected)
    assert work.results == list(range(120))
    assert await batch.results() == list(range(120))


async def test_jobs_that_do_not_complete_are_told_and_looked_at(
    nodes: list[Staffa], work: Work
) -> None:
    app = nodes[0]
    await pause_everywhere(*nodes)
    batch = await app.enqueue(
        Batch([work.member.new(1), work.member.new(2, "fail"), work.member.new(3)],
              **work.callbacks())
    )  # fmt: skip
    last = (await batch.jobs())[-1]
    await app.cancel_job(last)
    await resume_everywhere(*nodes)
    status = await batch.wait(timeout=60)
    assert status.state is State.DISCARDED
    assert {name: count for name, count in status.counts.items() if count} == {
        "completed": 1, "cancelled": 1, "discarded": 1,
    }  # fmt: skip
    await all_ended(app)
    assert work.told == dict.fromkeys(
        ["attempted", "cancelled", "discarded", "retryable", "exhausted"], 1
    )
    assert [job.args["number"] for job in await batch.jobs(states=["discarded"])] == [2]
    assert await batch.results() == [1, None, None]


async def test_jobs_that_are_added_from_inside_are_waited_for(
    nodes: list[Staffa], work: Work
) -> None:
    batch = await nodes[0].enqueue(
        Batch([work.member.new(1, "grow"), work.member.new(2, "grow")], **work.callbacks())
    )
    status = await batch.wait(timeout=60)
    assert status.total == 6
    await all_ended(nodes[0])
    assert work.told == {"attempted": 1, "completed": 1, "exhausted": 1}
    assert sorted(work.results) == [1, 2, 11, 12, 21, 22]


async def test_a_cancelled_batch_stops_what_runs_and_what_waits(
    nodes: list[Staffa], work: Work
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    @job(name="tests.batch.long")
    async def long() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    order = Workflow("order").add("first", long.new()).add("then", work.member.new(1), deps="first")
    batch = await nodes[0].enqueue(Batch(order, **work.callbacks()))
    async with asyncio.timeout(30):
        await begun.wait()
        await batch.cancel()
        await stopped.wait()
    status = await batch.status()
    assert (status.state, status.counts["cancelled"]) == (State.CANCELLED, 2)
    assert (await nodes[0].workflow(order.id).status()).finished
    await all_ended(nodes[0])
    assert work.told == {"attempted": 1, "cancelled": 1, "exhausted": 1}


async def test_a_batch_is_written_in_the_users_transaction(
    nodes: list[Staffa], work: Work, dsn: str
) -> None:
    connection = await asyncpg.connect(dsn)
    for commits in (False, True):
        transaction = connection.transaction()
        await transaction.start()
        batch = Batch([work.member.new(1)], id=f"theirs-{commits}", **work.callbacks())
        handle = await nodes[0].enqueue(batch, conn=connection)
        added = await handle.append([work.member.new(2)], conn=connection)
        assert len(added) == 1
        with pytest.raises(UnknownFlow, match="there is no batch 'theirs"):
            await handle.status()
        await (transaction.commit if commits else transaction.rollback)()
    await connection.close()
    assert (await nodes[0].batch("theirs-True").wait(timeout=60)).total == 2
    with pytest.raises(UnknownFlow):
        await nodes[0].batch("theirs-False").jobs()
    with pytest.raises(FlowExists, match="'theirs-True' is taken"):
        await nodes[0].enqueue(Batch([], id="theirs-True"))
    await all_ended(nodes[0])


async def test_a_workflow_grows_in_the_transaction_that_has_written_it(
    nodes: list[Staffa], work: Work, dsn: str
) -> None:
    app = nodes[0]
    connection = await asyncpg.connect(dsn)
    async with connection.transaction():
        handle = await app.enqueue(Workflow().add("a", work.member.new(1)), conn=connection)
        for name, dep in (("b", "a"), ("c", "b")):
            more = handle.append().add(name, work.member.new(2), deps=dep)
            await app.enqueue(more, conn=connection)
    await connection.close()
    assert (await handle.wait(timeout=60)).counts["completed"] == 3

    def use() -> None:
        with psycopg.connect(dsn) as user:
            flow = Workflow(id="synchronous").add("a", work.member.new(1))
            stored = app.sync.enqueue(flow, conn=user)
            more = stored.append().add("b", work.member.new(2), deps="a")
            app.sync.enqueue(more, conn=user)

    await asyncio.to_thread(use)
    assert (await app.workflow("synchronous").wait(timeout=60)).counts["completed"] == 2


async def test_streams_of_jobs_meet_the_limit_of_waiting_ones(
    make_client: MakeClient, work: Work
) -> None:
    full = {"full": MaxDepth(5, on_full="raise")}
    app = make_client(name="full", max_depth=full)
    waiting = work.member.options(queue="full")
    for _ in range(2):
        await app.enqueue(Batch(waiting.new(number) for number in range(4)))
    with pytest.raises(QueueFull):
        await app.enqueue(Batch(waiting.new(number) for number in range(4)))
    assert (await app.batches(limit=1))[0].total == 4
    await app.cancel_many_jobs(JobFilter(queues=["full"]))


async def test_an_empty_batch_and_one_among_jobs_and_workflows(
    nodes: list[Staffa], work: Work
) -> None:
    empty = await nodes[0].enqueue(Batch([], **work.callbacks()))
    assert (await empty.wait(timeout=10)).state is State.COMPLETED
    order = Workflow("order").add("only", work.member.new(7))
    found = await nodes[0].enqueue_many(work.member.new(1), Batch([work.member.new(2)]), order)
    loose, batch, workflow = found
    assert isinstance(loose, Job)
    assert not isinstance(batch, Job)
    assert [job.batch_id for job in await batch.jobs()] == [batch.id]
    assert not isinstance(workflow, Job)
    await all_ended(nodes[0])
    assert [status.id for status in await nodes[0].batches(limit=1)] == [batch.id]
    assert work.told == {"attempted": 1, "completed": 1, "exhausted": 1}


async def test_the_same_works_without_an_event_loop(nodes: list[Staffa], work: Work) -> None:
    app = nodes[0]

    def use() -> list[Any]:
        handle = app.sync.enqueue(Batch(work.member.new(number) for number in range(3)))
        assert app.sync.batch(handle.id).append([work.member.new(3)])
        status = handle.wait(timeout=60)
        assert status.total == 4
        assert len(handle.jobs(states=["completed"])) == len(list(handle.stream())) == 4
        handle.cancel()
        assert app.sync.batches(limit=1)[0].id == handle.id
        assert handle.status().state is State.COMPLETED
        return handle.results()

    assert await asyncio.to_thread(use) == [0, 1, 2, 3]
    with pytest.raises(LoopRunning, match=r"await app.batch\(...\).status\(\)"):
        app.sync.batch("b").status()


async def test_a_job_outside_of_batches_has_no_handle(nodes: list[Staffa]) -> None:
    with pytest.raises(ConfigError, match="None is no id of a batch"):
        nodes[0].batch(Job(worker="w").batch_id)
    with pytest.raises(UnknownFlow, match="there is no batch 'nowhere'"):
        await nodes[0].batch("nowhere").append([Job(worker="w")])


async def test_what_a_workflow_of_a_batch_gets_later_belongs_to_the_batch(
    nodes: list[Staffa], work: Work
) -> None:
    @job(name="tests.batch.expand")
    async def expand() -> list[Job]:
        return [work.member.new(10), work.member.new(11)]

    order = Workflow("order").add_graft("more", expand).add("last", work.member.new(2), deps="more")
    batch = await nodes[0].enqueue(Batch(order, **work.callbacks()))
    status = await batch.wait(timeout=60)
    assert (status.total, status.counts["completed"]) == (4, 4)
    added = nodes[0].workflow(order.id).append()
    await nodes[0].enqueue(added.add("late", work.member.new(3), deps="last"))
    assert (await batch.wait(timeout=60)).total == 5
    await all_ended(nodes[0])
    assert work.told == {"attempted": 1, "completed": 1, "exhausted": 1}
