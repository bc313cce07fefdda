"""A claim leases the most urgent jobs of one queue, each of them to one producer."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from staffa.engine import Engine, Producer
from staffa.types import State
from tests.conformance.rows import Since, changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, ids, new_job, new_producer, read


async def test_a_claim_writes_the_lease_and_nothing_else(
    store: Store, engine: Engine, producer: Producer
) -> None:
    (job,) = await enqueue(engine, args={"n": 1}, meta={"m": 2}, tags=["t"], priority=3)
    before = await read(engine, job)
    moment = await store.now()
    (claimed,) = await engine.claim_jobs(QUEUE, 1, producer)
    expected = {
        "state": State.EXECUTING,
        "attempt": 1,
        "attempted_at": Since(moment),
        "attempted_by": ("node.1", str(producer.uuid)),
    }
    assert changed(before, claimed) == expected
    assert changed(claimed, await read(engine, job)) == {}


async def test_jobs_come_by_priority_then_time_then_id(engine: Engine, producer: Producer) -> None:
    early, late = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
    given = [(5, late), (0, late), (5, early), (0, early), (0, late), (9, early), (5, late)]
    jobs = await engine.enqueue_jobs(
        [new_job(priority=priority, scheduled_at=at) for priority, at in given]
    )
    order = [jobs[number].id for number in (3, 1, 4, 2, 0, 6, 5)]
    first = await engine.claim_jobs(QUEUE, 3, producer)
    rest = await engine.claim_jobs(QUEUE, 10, producer)
    assert [job.id for job in first] == order[:3]
    assert [job.id for job in rest] == order[3:]


@pytest.mark.parametrize("limit", [1, 7, 500])
async def test_a_claim_takes_no_more_than_its_limit(
    engine: Engine, producer: Producer, limit: int
) -> None:
    await enqueue(engine, 600)
    claimed = await engine.claim_jobs(QUEUE, limit, producer)
    assert len(set(ids(claimed))) == limit
    assert await engine.count_jobs() == {
        (QUEUE, State.AVAILABLE): 600 - limit,
        (QUEUE, State.EXECUTING): limit,
    }


async def test_an_empty_queue_yields_nothing(engine: Engine, producer: Producer) -> None:
    assert await engine.claim_jobs(QUEUE, 10, producer) == []


async def test_only_the_queue_that_was_asked_for_is_claimed(
    engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, queue="other")
    (job,) = await enqueue(engine)
    assert ids(await engine.claim_jobs(QUEUE, 10, producer)) == [job.id]


@pytest.mark.parametrize("state", [state for state in State if state is not State.AVAILABLE])
async def test_only_available_jobs_are_claimed(
    store: Store, engine: Engine, producer: Producer, state: State
) -> None:
    (job,) = await enqueue(engine)
    await store.write(job.id, state=state)
    assert await engine.claim_jobs(QUEUE, 10, producer) == []


async def test_a_job_without_attempts_left_is_never_claimed(
    store: Store, engine: Engine, producer: Producer
) -> None:
    exhausted, left = await enqueue(engine, 2, max_attempts=3)
    await store.write(exhausted.id, attempt=3)
    await store.write(left.id, attempt=2)
    (claimed,) = await engine.claim_jobs(QUEUE, 10, producer)
    assert (claimed.id, claimed.attempt) == (left.id, 3)


async def test_a_repeated_attempt_brings_the_errors_of_the_earlier_ones(
    store: Store, engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    errors = [{"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "boom"}]
    await store.write(job.id, state="available", errors=errors)
    (again,) = await engine.claim_jobs(QUEUE, 1, producer)
    assert (again.attempt, again.errors) == (2, errors)
    assert again.attempted_at is not None
    assert job.attempted_at is not None
    assert again.attempted_at > job.attempted_at


async def test_concurrent_claimers_never_share_a_job(engine: Engine, other_engine: Engine) -> None:
    count = 1500
    stored = await enqueue(engine, count)
    claimers = [
        (one, new_producer(f"node.{n}")) for n, one in enumerate([engine, other_engine] * 3)
    ]
    taken: list[int] = []
    while True:
        rounds = await asyncio.gather(
            *(one.claim_jobs(QUEUE, 7 + n, owner) for n, (one, owner) in enumerate(claimers))
        )
        if not any(rounds):
            break
        for (_, owner), jobs in zip(claimers, rounds, strict=True):
            assert {job.attempted_by for job in jobs} <= {(owner.node, str(owner.uuid))}
            taken += ids(jobs)
    assert Counter(taken) == Counter(ids(stored))
    assert await engine.count_jobs() == {(QUEUE, State.EXECUTING): count}
