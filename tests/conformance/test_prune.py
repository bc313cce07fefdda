"""Finished jobs are found in the order of their ends, and deleted if they have not changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from staffa.filters import JobFilter
from staffa.maintenance import Finished
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, ids, new_job

COLUMNS = {
    State.COMPLETED: "completed_at",
    State.CANCELLED: "cancelled_at",
    State.DISCARDED: "discarded_at",
}


async def finished(store: Store, engine: Engine, state: State, *ages: float) -> list[int]:
    """Write jobs that ended so many seconds ago."""
    jobs = await engine.enqueue_jobs([new_job() for _ in ages])
    now = await store.now()
    for job, age in zip(jobs, ages, strict=True):
        ended_at: Any = (now - timedelta(seconds=age)).replace(tzinfo=None)
        await store.write(job.id, state=state.value, **{COLUMNS[state]: ended_at.isoformat()})
    return [number for number in ids(jobs) if number is not None]


async def oldest(
    engine: Engine, state: State, age: float = 0.0, limit: int = 100
) -> list[Finished]:
    return await engine.find_oldest_finished(state, age=age, after=None, limit=limit)


@pytest.mark.parametrize("state", COLUMNS)
async def test_jobs_of_a_state_are_walked_from_both_ends(
    store: Store, engine: Engine, state: State
) -> None:
    young, old, older = await finished(store, engine, state, 10, 100, 1000)
    for other in COLUMNS.keys() - {state}:
        await finished(store, engine, other, 500)
    found = await oldest(engine, state, age=50)
    assert [job.id for job in found] == [older, old]
    assert [job.state for job in found] == [state, state]
    assert [(job.queue, round(job.age, -2)) for job in found] == [(QUEUE, 1000), (QUEUE, 100)]
    newest = await engine.find_newest_finished(state, age=0.0, before=None, limit=2)
    assert [job.id for job in newest] == [young, old]


async def test_pages_follow_each_other_without_gap_or_repetition_also_at_equal_times(
    store: Store, engine: Engine
) -> None:
    jobs = ids(await engine.enqueue_jobs([new_job() for _ in range(7)]))
    at = (await store.now() - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    for number in jobs:
        await store.write(number, state="completed", completed_at=at)
    forward: list[int] = []
    last: Finished | None = None
    while page := await engine.find_oldest_finished(State.COMPLETED, age=60.0, after=last, limit=2):
        forward += [job.id for job in page]
        last = page[-1]
    assert forward == jobs
    backward: list[int] = []
    last = None
    while page := await engine.find_newest_finished(State.COMPLETED, age=0.0, before=last, limit=2):
        backward += [job.id for job in page]
        last = page[-1]
    assert backward == jobs[::-1]


async def test_unfinished_jobs_are_never_found(store: Store, engine: Engine) -> None:
    for state in ("available", "scheduled", "executing", "retryable", "suspended"):
        (number,) = ids(await engine.enqueue_jobs([new_job()]))
        at = "2000-01-01T00:00:00"
        await store.write(number, state=state, completed_at=at, cancelled_at=at, discarded_at=at)
    for state in COLUMNS:
        assert await oldest(engine, state) == []


async def test_times_beyond_what_python_can_tell_stop_no_walk(store: Store, engine: Engine) -> None:
    for at in (*store.past_times, *store.future_times):
        await check_walk(store, engine, at, past=at in store.past_times)
        await engine.delete_jobs(JobFilter(states=["completed"]))


async def check_walk(store: Store, engine: Engine, at: str, *, past: bool) -> None:
    (strange,) = ids(await engine.enqueue_jobs([new_job()]))
    await store.write(strange, state="completed", completed_at=at)
    (usual,) = await finished(store, engine, State.COMPLETED, 100)
    first = await oldest(engine, State.COMPLETED, limit=1)
    assert first
    rest = await engine.find_oldest_finished(State.COMPLETED, age=0.0, after=first[0], limit=9)
    assert [job.id for job in first + rest] == ([strange, usual] if past else [usual])
    newest = await engine.find_newest_finished(State.COMPLETED, age=0.0, before=None, limit=9)
    assert usual in [job.id for job in newest]


async def test_a_job_whose_end_nobody_noted_is_judged_by_its_time_of_schedule(
    store: Store, engine: Engine
) -> None:
    (number,) = ids(await engine.enqueue_jobs([new_job()]))
    at = (await store.now() - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    await store.write(number, state="completed", scheduled_at=at)
    assert [job.id for job in await oldest(engine, State.COMPLETED, age=3000)] == [number]


async def test_what_was_found_is_deleted_and_nothing_else(store: Store, engine: Engine) -> None:
    kept, gone = await finished(store, engine, State.COMPLETED, 10, 1000)
    found = await oldest(engine, State.COMPLETED, age=500)
    assert await engine.prune_jobs(found) == {gone}
    assert await engine.prune_jobs(found) == frozenset()
    assert ids(await engine.get_jobs([kept, gone])) == [kept]
    assert await engine.prune_jobs([]) == frozenset()


async def test_a_job_that_has_changed_since_it_was_read_is_left_alone(
    store: Store, engine: Engine
) -> None:
    retried, noted, gone = await finished(store, engine, State.DISCARDED, 30, 20, 10)
    found = await oldest(engine, State.DISCARDED)
    await engine.retry_jobs([retried])
    await engine.update_jobs([noted], {"meta": {"seen": True}})
    assert await engine.prune_jobs(found) == {gone}
    assert ids(await engine.get_jobs([retried, noted])) == [retried, noted]


async def test_two_pruners_delete_each_job_once(store: Store, engine: Engine) -> None:
    await finished(store, engine, State.CANCELLED, *range(1, 20))
    other = store.engine()
    found = await oldest(engine, State.CANCELLED)
    again = await oldest(other, State.CANCELLED)
    deleted = [await engine.prune_jobs(found[:12]), await other.prune_jobs(again)]
    assert sorted(map(len, deleted)) == [7, 12]


async def test_vacuums_are_told_of(engine: Engine) -> None:
    health = await engine.check_vacuum()
    assert (health.live, health.dead) >= (0, 0)


@pytest.mark.parametrize("kind", ["workflow", "batch"])
async def test_a_finished_job_of_a_flow_that_goes_on_is_kept_until_all_of_it_has_ended(
    store: Store, engine: Engine, producer: Producer, kind: str
) -> None:
    flows = Flows(store, engine, producer)
    await flows.add("outer", kind)
    flow, batch = ("outer", None) if kind == "workflow" else (None, "outer")
    first = await flows.job(flow, batch=batch)
    second = await flows.job(flow, first, batch=batch)
    await flows.end(first)
    found = await engine.find_oldest_finished(State.COMPLETED, age=0.0, after=None, limit=10)
    assert [one.id for one in found] == [first]
    assert await engine.find_kept_jobs([first, second, 99]) == {first, second}
    assert await engine.prune_jobs(found) == frozenset()
    await flows.end(second)
    assert await engine.find_kept_jobs([first, second]) == frozenset()
    found = await engine.find_oldest_finished(State.COMPLETED, age=0.0, after=None, limit=10)
    assert await engine.prune_jobs(found) == {first, second}
    assert await store.select("staffa_steps") == []
    assert await store.select("staffa_edges") == []
    assert (await flows.flow("outer"))["completed"] == 2


async def test_a_finished_job_of_a_chain_that_goes_on_is_pruned(
    store: Store, engine: Engine, producer: Producer
) -> None:
    flows = Flows(store, engine, producer)
    await flows.add("c", "chain")
    first = await flows.job(None, chain="c")
    await flows.job(None, first, chain="c")
    await flows.end(first)
    found = await engine.find_oldest_finished(State.COMPLETED, age=0.0, after=None, limit=10)
    assert await engine.prune_jobs(found) == {first}
