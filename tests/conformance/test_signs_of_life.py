"""Heartbeats, lost leases, and producers that are forgotten when nothing names them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from staffa.engine import Engine, Heartbeat, Lease, Producer
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, ids, new_producer, outcome


@pytest.fixture
async def heart(engine: Engine) -> AsyncIterator[Heartbeat]:
    """A heartbeat."""
    made = engine.heartbeat()
    yield made
    await made.close()


async def test_a_beat_shows_all_others_and_not_itself(heart: Heartbeat, producer: Producer) -> None:
    other = new_producer()
    assert (await heart.beat(producer)).others == {}
    first = (await heart.beat(other)).others
    assert first.keys() == {producer.uuid}
    again = (await heart.beat(producer)).others
    assert again.keys() == {other.uuid}


async def test_every_beat_changes_what_others_see(heart: Heartbeat, producer: Producer) -> None:
    watcher = new_producer()
    seen = []
    for _ in range(3):
        await heart.beat(producer)
        seen.append((await heart.beat(watcher)).others[producer.uuid])
    assert len(set(seen)) == 3
    assert (await heart.beat(watcher)).others[producer.uuid] == seen[-1]


async def test_leases_that_hold_are_not_lost(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    await enqueue(engine, 20)
    jobs = await engine.claim_jobs(QUEUE, 20, producer)
    assert await heart.find_lost_leases(producer, [Lease.of(job) for job in jobs]) == []
    assert await heart.find_lost_leases(producer, []) == []


async def test_leases_that_ended_otherwise_are_lost(
    store: Store, engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    jobs = {
        name: await claim_one(engine, producer)
        for name in ("held", "cancelled", "deleted", "stolen", "claimed again", "put back")
    }
    leases = {name: Lease.of(job) for name, job in jobs.items()}
    await engine.cancel_jobs(ids([jobs["cancelled"]]))
    await store.delete(jobs["deleted"].id)
    await store.write(jobs["stolen"].id, attempted_by=["node.1", "another"])
    again = outcome(jobs["claimed again"], State.AVAILABLE, refund=True)
    await engine.ack_jobs([again], producer)
    await engine.claim_jobs(QUEUE, 1, producer)
    await engine.ack_jobs([outcome(jobs["put back"], State.AVAILABLE, refund=True)], producer)
    held = leases.pop("held")
    leases["another time"] = held._replace(
        attempted_at=held.attempted_at + timedelta(microseconds=1)
    )
    lost = await heart.find_lost_leases(producer, [held, *leases.values()])
    assert len(lost) == len(leases)
    assert set(lost) == set(leases.values())


async def test_the_leases_of_another_producer_are_not_ours(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    assert await heart.find_lost_leases(new_producer(), [Lease.of(job)]) == [Lease.of(job)]


async def test_a_stopped_producer_is_forgotten_unless_a_running_job_names_it(
    store: Store, engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    await heart.beat(producer)
    job = await claim_one(engine, producer)
    await engine.remove_producer(producer)
    assert await store.producers() == {str(producer.uuid)}
    await engine.ack_jobs([outcome(job, State.COMPLETED)], producer)
    await engine.remove_producer(producer)
    assert await store.producers() == set()
    await engine.remove_producer(producer)


async def test_long_dead_producers_are_forgotten_unless_a_running_job_names_them(
    store: Store, engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    idle, busy = new_producer(), new_producer()
    for one in (idle, busy):
        await heart.beat(one)
    job = await claim_one(engine, busy)
    assert await engine.reap_producers(age=3600) == 0
    assert await engine.reap_producers(age=0) == 1
    assert await store.producers() == {str(busy.uuid)}
    await engine.ack_jobs([outcome(job, State.COMPLETED)], busy)
    assert await engine.reap_producers(age=0) == 1
    assert await store.producers() == set()


async def test_a_beat_after_it_was_forgotten_starts_anew(
    store: Store, engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    await heart.beat(producer)
    await engine.remove_producer(producer)
    await heart.beat(producer)
    assert await store.producers() == {str(producer.uuid)}
