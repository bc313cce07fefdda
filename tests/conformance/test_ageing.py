"""Jobs that wait are found by queue and priority, and rise if they have not changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from staffa.jobs import Job
from staffa.types import State
from staffa.waiting import Level, Waiting
from tests.conformance.limited import BY_TENANT, at_once
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, ids, outcome, read

HOUR = 3600.0


async def waiting(store: Store, engine: Engine, age: float = HOUR, **options: Any) -> Job:
    """Store a job that has been due for so many seconds."""
    (job,) = await enqueue(engine, **{"priority": 5, **options})
    due = (await store.now() - timedelta(seconds=age)).replace(tzinfo=None)
    await store.write(job.id, scheduled_at=due.isoformat())
    return await read(engine, job)


async def oldest(
    engine: Engine, priority: int = 5, *, age: float = 0.0, after: Waiting | None = None
) -> list[Waiting]:
    level = Level(queue=QUEUE, priority=priority)
    return await engine.find_oldest_waiting(level, age=age, after=after, limit=100)


async def raise_one(engine: Engine, job: Job, priority: int) -> None:
    found = [one for one in await oldest(engine, job.priority) if one.id == job.id]
    assert await engine.raise_jobs(found, [priority]) == {job.id}


async def test_levels_are_found_one_after_the_other_but_for_the_most_urgent(
    store: Store, engine: Engine
) -> None:
    for queue, priority, age in (
        ("b", 2, 50), ("b", 2, 900), ("a", 9, 100), ("a", 0, 7000), ("a", 3, 5), ("c", 0, 1),
        ("ä", 1, 20),
    ):  # fmt: skip
        await waiting(store, engine, age, queue=queue, priority=priority)
    (running,) = await enqueue(engine, queue="d", priority=4)
    await store.write(running.id, state="scheduled", scheduled_at="2100-01-01T00:00:00")
    found = await engine.find_levels(after=None, limit=100)
    told = {(level.queue, level.priority): level.waited for level in found}
    assert {place: round(waited / 5) * 5 for place, waited in told.items()} == {
        ("a", 3): 5, ("a", 9): 100, ("b", 2): 900, ("ä", 1): 20,
    }  # fmt: skip
    paged: list[Level] = []
    while page := await engine.find_levels(after=paged[-1] if paged else None, limit=1):
        paged += page
    assert [(one.queue, one.priority) for one in paged] == list(told)


async def test_nothing_waits_where_there_is_nothing(engine: Engine) -> None:
    assert await engine.find_levels(after=None, limit=10) == []
    assert await oldest(engine) == []
    assert await engine.raise_jobs([], []) == frozenset()


async def test_jobs_of_a_level_are_walked_from_the_one_that_has_waited_longest(
    store: Store, engine: Engine
) -> None:
    young = await waiting(store, engine, 10)
    old = await waiting(store, engine, 500, worker="tests.Other")
    older = await waiting(store, engine, 1000)
    await waiting(store, engine, 1000, priority=4)
    await waiting(store, engine, 1000, queue="other")
    found = await oldest(engine, age=100)
    assert [job.id for job in found] == [older.id, old.id]
    assert [(job.queue, job.worker, round(job.waited, -2)) for job in found] == [
        (QUEUE, "tests.Worker", 1000), (QUEUE, "tests.Other", 500),
    ]  # fmt: skip
    assert [(job.priority, job.own_priority) for job in found] == [(5, 5), (5, 5)]
    assert [job.id for job in await oldest(engine, after=found[0])] == [old.id, young.id]


async def test_pages_have_neither_gap_nor_repetition_at_equal_times(
    store: Store, engine: Engine
) -> None:
    jobs = ids(await enqueue(engine, 5, priority=5))
    for number in jobs:
        await store.write(number, scheduled_at="2001-01-01T00:00:00")
    level, found = Level(queue=QUEUE, priority=5), list[Waiting]()
    while page := await engine.find_oldest_waiting(
        level, age=1.0, after=found[-1] if found else None, limit=2
    ):
        found += page
    assert [job.id for job in found] == jobs


async def test_a_job_rises_and_its_row_tells_its_own_priority(store: Store, engine: Engine) -> None:
    before = await waiting(store, engine, meta={"mine": 2**70})
    found = await oldest(engine)
    assert await engine.raise_jobs(found, [3]) == {before.id}
    after = await read(engine, before)
    meta = {"mine": 2**70, "staffa_aged": {"from": 5, "to": 3}}
    assert changed(before, after) == {"priority": 3, "meta": meta}
    (again,) = await oldest(engine, 3)
    assert (again.priority, again.own_priority) == (3, 5)
    assert await engine.raise_jobs([again], [2]) == {before.id}
    (last,) = await oldest(engine, 2)
    assert (last.priority, last.own_priority) == (2, 5)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "executing"}, {"state": "cancelled"}, {"priority": 7},
        {"scheduled_at": "2001-01-01T00:00:00"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_job_that_has_changed_since_it_was_read_does_not_rise(
    store: Store, engine: Engine, change: dict[str, Any]
) -> None:
    job = await waiting(store, engine)
    found = await oldest(engine)
    await store.write(job.id, **change)
    before = await read(engine, job)
    assert await engine.raise_jobs(found, [3]) == frozenset()
    assert changed(before, await read(engine, job)) == {}


async def test_two_leaders_at_once_raise_a_job_once(
    store: Store, engine: Engine, other_engine: Engine
) -> None:
    job = await waiting(store, engine)
    ours, theirs = await oldest(engine), await oldest(other_engine)
    assert await engine.raise_jobs(ours, [4]) == {job.id}
    assert await other_engine.raise_jobs(theirs, [4]) == frozenset()


async def test_a_raised_job_is_claimed_before_those_that_were_more_urgent(
    store: Store, engine: Engine, producer: Producer
) -> None:
    job = await waiting(store, engine)
    await enqueue(engine, 3, priority=1)
    await raise_one(engine, job, 0)
    (claimed,) = await engine.claim_jobs(QUEUE, 1, producer)
    assert (claimed.id, claimed.priority) == (job.id, 0)


async def test_who_sets_a_priority_has_set_a_new_one_of_the_jobs_own(
    store: Store, engine: Engine
) -> None:
    job = await waiting(store, engine)
    await raise_one(engine, job, 3)
    await engine.update_jobs([job.id or 0], {"priority": 8})
    (found,) = await oldest(engine, 8)
    assert (found.priority, found.own_priority) == (8, 8)


@pytest.mark.parametrize("limited", [False, True], ids=["no limits", "limits"])
@pytest.mark.parametrize("state", [State.RETRYABLE, State.SCHEDULED])
async def test_what_is_scheduled_anew_has_its_own_priority_again(
    store: Store, engine: Engine, producer: Producer, state: State, limited: bool
) -> None:
    if limited:
        await engine.configure_limits({"of others": at_once(1, partition=BY_TENANT)})
    job = await waiting(store, engine, meta={"mine": 1})
    await raise_one(engine, job, 2)
    (claimed,) = await engine.claim_jobs(QUEUE, 1, producer)
    await engine.ack_jobs([outcome(claimed, state, delay=0.0)], producer)
    assert (await read(engine, job)).priority == 2
    assert (await engine.stage_jobs(10, [])).staged == 1
    after = await read(engine, job)
    assert (after.state, after.priority) == (State.AVAILABLE, 5)
    assert after.meta["mine"] == 1
    (found,) = await oldest(engine)
    assert (found.priority, found.own_priority) == (5, 5)


async def test_what_is_retried_by_hand_has_its_own_priority_again(
    store: Store, engine: Engine
) -> None:
    job = await waiting(store, engine, meta={"mine": 1})
    await raise_one(engine, job, 2)
    await engine.cancel_jobs([job.id or 0])
    await engine.retry_jobs([job.id or 0])
    after = await read(engine, job)
    assert (after.state, after.priority) == (State.AVAILABLE, 5)
    assert after.meta["mine"] == 1
    (found,) = await oldest(engine)
    assert (found.priority, found.own_priority) == (5, 5)


async def test_what_is_put_back_keeps_its_priority_as_it_goes_on_waiting(
    store: Store, engine: Engine, producer: Producer
) -> None:
    job = await waiting(store, engine)
    await raise_one(engine, job, 2)
    await engine.claim_jobs(QUEUE, 1, producer)
    await engine.release_jobs(producer)
    (found,) = await oldest(engine, 2)
    assert (found.id, found.own_priority) == (job.id, 5)


HOSTILE: list[Any] = [
    5, "x", [], None, {}, {"from": 7}, {"to": 5}, {"from": "7", "to": "x"}, {"from": -1, "to": 5},
    {"from": 3, "to": 5}, {"from": 1e300, "to": 5}, {"from": 70_000, "to": 5},
    {"from": [7], "to": 5}, {"from": True, "to": 5}, {"from": 7, "to": {"a": 5}},
]  # fmt: skip


@pytest.mark.parametrize("aged", HOSTILE, ids=str)
async def test_whatever_stands_where_the_own_priority_should_the_job_rises_by_the_one_it_has(
    store: Store, engine: Engine, aged: Any
) -> None:
    strange = await waiting(store, engine)
    await store.write(strange.id, meta={"staffa_aged": aged})
    (found,) = await oldest(engine)
    assert (found.priority, found.own_priority) == (5, 5)
    await store.write(strange.id, state="scheduled")
    assert (await engine.stage_jobs(10, [])).staged == 1
    assert (await read(engine, strange)).priority == 5
    await engine.cancel_jobs([strange.id or 0])
    await engine.retry_jobs([strange.id or 0])
    assert (await read(engine, strange)).priority == 5


async def test_times_beyond_what_python_can_tell_stop_no_walk(store: Store, engine: Engine) -> None:
    for at in (*store.past_times, *store.future_times):
        (strange,) = await enqueue(engine, priority=5)
        await store.write(strange.id, scheduled_at=at)
        await engine.find_levels(after=None, limit=10)
        found = await oldest(engine)
        assert [job.id for job in found] == ([strange.id] if at in store.past_times else [])
        if found:
            assert found[0].waited > HOUR
            assert await oldest(engine, after=found[0]) == []
            assert await engine.raise_jobs(found, [1]) == {strange.id}
        await engine.cancel_jobs([strange.id or 0])


async def test_a_job_that_is_claimed_meanwhile_is_left_alone(
    store: Store, engine: Engine, producer: Producer
) -> None:
    await claim_one(engine, producer, priority=5)
    assert await engine.find_levels(after=None, limit=10) == []
    assert await oldest(engine) == []
