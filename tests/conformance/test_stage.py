"""Staging makes due jobs available, and tells which queues have work."""

from __future__ import annotations

import asyncio

import pytest

from staffa.engine import Engine, Producer, Staged
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, read

PAST, FUTURE = "2001-01-01T00:00:00", "2100-01-01T00:00:00"


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RETRYABLE])
async def test_due_jobs_become_available_and_keep_their_other_columns(
    store: Store, engine: Engine, state: State
) -> None:
    (job,) = await enqueue(engine, args={"n": 1})
    await store.write(job.id, state=state, scheduled_at=PAST)
    before = await read(engine, job)
    staged = await engine.stage_jobs(10, [])
    assert staged == Staged(1, frozenset({QUEUE}))
    assert changed(before, await read(engine, job)) == {"state": State.AVAILABLE}


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RETRYABLE])
async def test_what_is_not_due_stays(store: Store, engine: Engine, state: State) -> None:
    (job,) = await enqueue(engine)
    await store.write(job.id, state=state, scheduled_at=FUTURE)
    staged = await engine.stage_jobs(10, [QUEUE])
    assert staged == Staged(0, frozenset())
    assert (await read(engine, job)).state is state


async def test_the_clock_of_the_database_decides_in_every_time_zone(
    store: Store, engine: Engine
) -> None:
    (soon,) = await enqueue(engine, scheduled_in=3600)
    (late,) = await enqueue(engine, scheduled_in=3600)
    moment = (await store.now()).replace(tzinfo=None)
    await store.write(late.id, scheduled_at=moment.isoformat())
    assert (await engine.stage_jobs(10, [])).staged == 1
    assert (await read(engine, soon)).state is State.SCHEDULED


@pytest.mark.parametrize("state", sorted(set(State) - {State.SCHEDULED, State.RETRYABLE}))
async def test_other_states_are_left_alone(store: Store, engine: Engine, state: State) -> None:
    (job,) = await enqueue(engine)
    await store.write(job.id, state=state, scheduled_at=PAST)
    assert (await engine.stage_jobs(10, [])).staged == 0
    assert (await read(engine, job)).state is state


async def test_the_longest_due_come_first_up_to_the_limit(store: Store, engine: Engine) -> None:
    jobs = await enqueue(engine, 5, scheduled_in=60)
    for year, job in enumerate(reversed(jobs), 2001):
        await store.write(job.id, scheduled_at=f"{year}-01-01T00:00:00")
    assert (await engine.stage_jobs(2, [])).staged == 2
    states = [(await read(engine, job)).state for job in jobs]
    assert states == [State.SCHEDULED] * 3 + [State.AVAILABLE] * 2


async def test_queues_with_work_are_told_of_those_that_were_asked_for(
    store: Store, engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, 3, queue="full")
    await enqueue(engine, queue="not asked for")
    await claim_one(engine, producer, queue="running")
    await enqueue(engine, queue="later", scheduled_in=3600)
    (due,) = await enqueue(engine, queue="due", scheduled_in=60)
    await store.write(due.id, scheduled_at=PAST)
    asked = ["full", "running", "later", "empty", "full"]
    staged = await engine.stage_jobs(10, asked)
    assert staged == Staged(1, frozenset({"full", "due"}))


async def test_concurrent_stagers_count_each_job_once(
    store: Store, engine: Engine, other_engine: Engine
) -> None:
    jobs = await enqueue(engine, 60, scheduled_in=60)
    for job in jobs:
        await store.write(job.id, scheduled_at=PAST)
    total = 0
    while True:
        rounds = await asyncio.gather(
            *(one.stage_jobs(7, []) for one in [engine, other_engine] * 3)
        )
        found = sum(staged.staged for staged in rounds)
        total += found
        if not found:
            break
    assert total == len(jobs)
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): len(jobs)}
