"""The callbacks of a batch are written once, however its last job ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from staffa.errors import FlowExists
from staffa.filters import JobFilter
from staffa.flows import Batch, Workflow
from staffa.flows.batch import graph_of
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.test_rescue import beat
from tests.conformance.work import QUEUE, new_job, new_producer, outcome

EVENTS = ("attempted", "completed", "cancelled", "discarded", "retryable", "exhausted")
CALLBACKS: Any = {f"on_{event}": Job(worker="tests.Callback", queue="after") for event in EVENTS}


async def insert(engine: Engine, count: int = 2, **options: Any) -> list[Job]:
    """Store a batch named "bunch", and return its jobs."""
    batch = Batch([new_job(**options) for _ in range(count)], id="bunch", **CALLBACKS)
    found = await engine.insert_graph(batch.graph())
    return await engine.get_jobs(list(found.ids))


async def fired(engine: Engine) -> dict[str, int]:
    """Return how many callbacks there are, by event."""
    jobs = await engine.list_jobs(JobFilter(queues=["after"], limit=100))
    assert all(job.batch_id == "bunch" for job in jobs)
    return dict(Counter(job.meta["callback"] for job in jobs))


async def end(engine: Engine, producer: Producer, job: Job, state: State, **details: Any) -> None:
    """Run a job to an outcome."""
    claimed = await engine.claim_jobs(QUEUE, 100, producer)
    acks = [outcome(one, state, **details) for one in claimed if one.id == job.id]
    assert len(acks) == 1
    await engine.ack_linked_jobs(acks, producer)
    await engine.release_jobs(producer, queue=QUEUE)


async def test_when_all_have_completed_what_waits_for_all_is_written(
    engine: Engine, producer: Producer
) -> None:
    first, second = await insert(engine)
    await end(engine, producer, first, State.COMPLETED)
    assert await fired(engine) == {}
    await end(engine, producer, second, State.COMPLETED)
    assert await fired(engine) == {"attempted": 1, "completed": 1, "exhausted": 1}
    (row,) = await engine.read_flows(["bunch"])
    assert row.finished_at is not None
    assert sorted(row.fired) == ["attempted", "completed", "exhausted"]
    assert row.total == 2


async def test_a_failed_attempt_is_told_once_and_counts_as_attempted(
    engine: Engine, producer: Producer
) -> None:
    first, second = await insert(engine)
    for _ in range(2):
        await end(engine, producer, first, State.RETRYABLE, error="no")
        await engine.retry_jobs([first.id or 0])
    assert await fired(engine) == {"retryable": 1}
    await end(engine, producer, second, State.COMPLETED)
    assert await fired(engine) == {"retryable": 1, "attempted": 1}
    await end(engine, producer, first, State.COMPLETED)
    expected = {"retryable": 1, "attempted": 1, "completed": 1, "exhausted": 1}
    assert await fired(engine) == expected


async def test_a_snooze_is_neither_an_attempt_nor_an_end(
    engine: Engine, producer: Producer
) -> None:
    (only,) = await insert(engine, 1)
    await end(engine, producer, only, State.SCHEDULED, delay=60.0, refund=True)
    assert await fired(engine) == {}


async def by_result(engine: Engine, producer: Producer, job: Job) -> None:
    await end(engine, producer, job, State.CANCELLED, error="no need")


async def by_cancel(engine: Engine, producer: Producer, job: Job) -> None:
    await engine.cancel_jobs([job.id or 0])


async def by_filter(engine: Engine, producer: Producer, job: Job) -> None:
    await engine.cancel_jobs(JobFilter(ids=[job.id or 0], queues=[QUEUE]))


async def by_delete(engine: Engine, producer: Producer, job: Job) -> None:
    await engine.delete_jobs([job.id or 0])


async def by_error(engine: Engine, producer: Producer, job: Job) -> None:
    await end(engine, producer, job, State.DISCARDED, error="no")


async def by_rescue(engine: Engine, producer: Producer, job: Job) -> None:
    dead = new_producer("dead")
    beats = await beat(engine, dead)
    await engine.claim_jobs(QUEUE, 1, dead)
    (rescued,) = await engine.rescue_jobs({dead.uuid: beats}, max_rescues=0, limit=10)
    assert rescued.state is State.DISCARDED


WAYS: dict[str, tuple[Callable[[Engine, Producer, Job], Awaitable[None]], dict[str, int]]] = {
    "result": (by_result, {"attempted": 1, "cancelled": 1, "exhausted": 1}),
    "cancel": (by_cancel, {"attempted": 1, "cancelled": 1, "exhausted": 1}),
    "filter": (by_filter, {"attempted": 1, "cancelled": 1, "exhausted": 1}),
    "delete": (by_delete, {"attempted": 1, "exhausted": 1}),
    "rescue": (by_rescue, {"attempted": 1, "discarded": 1, "exhausted": 1}),
    "error": (by_error, {"attempted": 1, "discarded": 1, "exhausted": 1}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_callbacks_are_written_once_however_the_last_job_ends(
    engine: Engine, producer: Producer, way: str
) -> None:
    first, last = await insert(engine)
    await end(engine, producer, first, State.COMPLETED)
    finish, expected = WAYS[way]
    await finish(engine, producer, last)
    assert await fired(engine) == expected
    await engine.delete_jobs([first.id or 0, last.id or 0])
    await engine.repair_links(limit=100)
    assert await fired(engine) == expected
    (row,) = await engine.read_flows(["bunch"])
    assert row.finished_at is not None


async def prune(engine: Engine) -> frozenset[int]:
    """Delete all completed jobs that may go."""
    found = await engine.find_oldest_finished(State.COMPLETED, age=0.0, after=None, limit=10)
    return await engine.prune_jobs(found)


async def test_a_pruner_beside_it_neither_writes_callbacks_nor_keeps_them_from_being_written(
    engine: Engine, producer: Producer
) -> None:
    first, last = await insert(engine)
    await end(engine, producer, first, State.COMPLETED)
    assert await prune(engine) == frozenset()
    assert await fired(engine) == {}
    await end(engine, producer, last, State.COMPLETED)
    written = {"attempted": 1, "completed": 1, "exhausted": 1}
    assert await fired(engine) == written
    assert await prune(engine) == {first.id, last.id}
    await engine.repair_links(limit=100)
    assert await fired(engine) == written


async def test_an_end_that_a_peer_wrote_is_followed_by_the_sweep(
    store: Store, engine: Engine, producer: Producer
) -> None:
    (only,) = await insert(engine, 1)
    await store.write(only.id, state="completed", attempt=1, attempted_by=["peer", "a"])
    for _ in range(2):
        await store.age_flows(await store.now() - timedelta(minutes=5))
        await engine.repair_links(limit=100)
    assert await fired(engine) == {"attempted": 1, "completed": 1, "exhausted": 1}


async def test_a_batch_without_jobs_is_at_its_end_at_once(engine: Engine) -> None:
    found = await engine.insert_graph(Batch([], id="bunch", **CALLBACKS).graph())
    assert dict(found.woken) == {"after": 3}
    assert await fired(engine) == {"attempted": 1, "completed": 1, "exhausted": 1}
    (row,) = await engine.read_flows(["bunch"])
    assert (row.total, row.finished_at is not None) == (0, True)


async def test_an_id_that_is_taken_is_refused_and_nothing_is_written(engine: Engine) -> None:
    await insert(engine)
    with pytest.raises(FlowExists, match="'bunch' is taken"):
        await insert(engine)
    assert sum((await engine.count_jobs()).values()) == 2


async def test_what_is_added_is_waited_for_as_well(engine: Engine, producer: Producer) -> None:
    (first,) = await insert(engine, 1)
    found = await engine.insert_graph(graph_of([new_job()], "bunch"))
    (added,) = await engine.get_jobs(list(found.ids))
    await end(engine, producer, first, State.COMPLETED)
    assert await fired(engine) == {}
    await end(engine, producer, added, State.COMPLETED)
    assert await fired(engine) == {"attempted": 1, "completed": 1, "exhausted": 1}
    again = await engine.insert_graph(graph_of([new_job()], "bunch"))
    (row,) = await engine.read_flows(["bunch"])
    assert row.finished_at is None
    (late,) = await engine.get_jobs(list(again.ids))
    await end(engine, producer, late, State.COMPLETED)
    assert await fired(engine) == {"attempted": 1, "completed": 1, "exhausted": 1}


async def test_an_event_may_have_several_callbacks_with_options_of_their_own(
    engine: Engine, producer: Producer
) -> None:
    callbacks = [
        Job(
            worker="tests.A", queue="after", priority=3, tags=["a"], meta={"own": 1}, args={"x": 1}
        ),
        Job(worker="tests.B", queue="after", scheduled_in=3600, max_attempts=7),
    ]
    batch = Batch([new_job()], id="bunch", on_completed=callbacks)
    found = await engine.insert_graph(batch.graph())
    (only,) = await engine.get_jobs(list(found.ids))
    await end(engine, producer, only, State.COMPLETED)
    jobs = await engine.list_jobs(JobFilter(queues=["after"], limit=10))
    first, second = sorted(jobs, key=lambda job: job.worker)
    assert (first.priority, first.tags, first.args) == (3, ("a",), {"x": 1})
    assert first.meta == {"own": 1, "batch_id": "bunch", "callback": "completed"}
    assert (second.state, second.max_attempts) == (State.SCHEDULED, 7)
    members = await engine.list_linked_jobs("bunch")
    assert [job.id for job in members] == [only.id]


async def test_a_batch_around_a_workflow_counts_its_jobs(
    engine: Engine, producer: Producer
) -> None:
    order = Workflow("order").add("a", new_job()).add("b", new_job(), deps="a")
    batch = Batch([order, new_job()], id="bunch", **CALLBACKS)
    found = await engine.insert_graph(batch.graph())
    first, second, loose = await engine.get_jobs(list(found.ids))
    (row,) = await engine.read_flows(["bunch"])
    assert (row.total, row.suspended) == (3, 1)
    await end(engine, producer, first, State.COMPLETED)
    await end(engine, producer, loose, State.COMPLETED)
    assert await fired(engine) == {}
    await end(engine, producer, second, State.COMPLETED)
    assert await fired(engine) == {"attempted": 1, "completed": 1, "exhausted": 1}
    (inner,) = await engine.read_flows([order.id])
    assert inner.finished_at is not None


async def test_the_cancellation_of_a_step_cancels_what_waits_for_it_and_is_counted(
    engine: Engine, producer: Producer
) -> None:
    order = Workflow("order").add("a", new_job()).add("b", new_job(), deps="a")
    found = await engine.insert_graph(Batch(order, id="bunch", **CALLBACKS).graph())
    first, _ = await engine.get_jobs(list(found.ids))
    await end(engine, producer, first, State.DISCARDED, error="no")
    assert await fired(engine) == {
        "attempted": 1, "cancelled": 1, "discarded": 1, "exhausted": 1,
    }  # fmt: skip


async def test_many_jobs_of_a_stream_are_one_batch(engine: Engine, producer: Producer) -> None:
    batch = Batch((new_job(args={"n": number}) for number in range(2_500)), id="bunch", **CALLBACKS)
    found = await engine.insert_graph(batch.graph())
    assert len(found.ids) == 2_500
    (row,) = await engine.read_flows(["bunch"])
    assert (row.total, row.active) == (2_500, 2_500)
    numbers = list(found.ids)
    for start in range(0, 2_500, 1_000):
        await engine.cancel_jobs(numbers[start : start + 1_000])
    assert await fired(engine) == {"attempted": 1, "cancelled": 1, "exhausted": 1}
