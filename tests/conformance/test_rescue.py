"""The jobs of a dead producer are taken away from it, and from no other."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from staffa.engine import Engine, Producer
from staffa.types import State
from tests.conformance.rows import Since, changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, ids, new_producer, outcome, read


async def beat(engine: Engine, producer: Producer) -> int:
    """Beat once, and return the count that others see."""
    heart, watcher = engine.heartbeat(), engine.heartbeat()
    await heart.beat(producer)
    seen = await watcher.beat(new_producer())
    await heart.close()
    await watcher.close()
    return seen.others[producer.uuid]


async def test_a_rescued_job_gets_its_attempt_back_and_the_rescue_is_counted(
    engine: Engine, producer: Producer
) -> None:
    beats = await beat(engine, producer)
    job = await claim_one(engine, producer, meta={"kept": 1})
    (rescued,) = await engine.rescue_jobs({producer.uuid: beats}, max_rescues=3, limit=10)
    assert (rescued.id, rescued.queue, rescued.worker) == (job.id, QUEUE, job.worker)
    assert rescued.state is State.AVAILABLE
    assert changed(job, await read(engine, job)) == {
        "state": State.AVAILABLE,
        "attempt": 0,
        "meta": {"kept": 1, "rescued": 1},
    }
    assert await engine.ack_jobs([outcome(job, State.COMPLETED)], producer) == {}


async def test_a_producer_that_beat_again_keeps_its_jobs(
    engine: Engine, producer: Producer
) -> None:
    beats = await beat(engine, producer)
    job = await claim_one(engine, producer)
    assert await beat(engine, producer) != beats
    assert await engine.rescue_jobs({producer.uuid: beats}, max_rescues=3, limit=10) == []
    assert changed(job, await read(engine, job)) == {}


async def test_unknown_producers_and_other_producers_are_not_rescued(
    engine: Engine, producer: Producer
) -> None:
    dead = new_producer()
    beats = await beat(engine, dead)
    await beat(engine, producer)
    job = await claim_one(engine, producer)
    found = await engine.rescue_jobs({dead.uuid: beats, uuid4(): 0}, max_rescues=3, limit=10)
    assert found == []
    assert await engine.rescue_jobs({}, max_rescues=3, limit=10) == []
    assert changed(job, await read(engine, job)) == {}


async def test_a_job_that_kills_its_process_every_time_is_discarded_in_the_end(
    store: Store, engine: Engine, producer: Producer
) -> None:
    beats = await beat(engine, producer)
    job = await claim_one(engine, producer)
    for count in (1, 2):
        await engine.rescue_jobs({producer.uuid: beats}, max_rescues=2, limit=10)
        (job,) = await engine.claim_jobs(QUEUE, 1, producer)
        assert (job.attempt, job.meta) == (1, {"rescued": count})
    moment = await store.now()
    before = await read(engine, job)
    (rescued,) = await engine.rescue_jobs({producer.uuid: beats}, max_rescues=2, limit=10)
    assert rescued.state is State.DISCARDED
    found = changed(before, await read(engine, job))
    (element,) = found.pop("errors")
    assert (element["attempt"], element["at"]) == (1, Since(moment))
    assert "max_rescues" in element["error"]
    assert found == {
        "state": State.DISCARDED,
        "discarded_at": Since(moment),
        "meta": {"rescued": 3},
    }


@pytest.mark.parametrize("hostile", ["abc", "2", -5, 0, None, True, [], {"n": 9}, -1e300])
async def test_a_count_that_is_none_counts_as_no_rescue(
    store: Store, engine: Engine, producer: Producer, hostile: Any
) -> None:
    beats = await beat(engine, producer)
    job = await claim_one(engine, producer)
    await store.write(job.id, meta={"rescued": hostile})
    await engine.rescue_jobs({producer.uuid: beats}, max_rescues=3, limit=10)
    after = await read(engine, job)
    assert (after.state, after.meta) == (State.AVAILABLE, {"rescued": 1})


@pytest.mark.parametrize("hostile", [3, 1e300, 10**400, 3.5])
async def test_a_count_beyond_the_limit_is_no_overflow(
    store: Store, engine: Engine, producer: Producer, hostile: float
) -> None:
    beats = await beat(engine, producer)
    job = await claim_one(engine, producer)
    await store.write(job.id, meta={"rescued": hostile})
    await engine.rescue_jobs({producer.uuid: beats}, max_rescues=3, limit=10)
    after = await read(engine, job)
    assert (after.state, after.meta) == (State.DISCARDED, {"rescued": 4})


@pytest.mark.parametrize("meta", [["a list"], "text", 1])
async def test_a_meta_that_is_no_object_does_not_hold_up_the_others(
    store: Store, engine: Engine, producer: Producer, meta: Any
) -> None:
    beats = await beat(engine, producer)
    spoilt = await claim_one(engine, producer)
    await store.write(spoilt.id, meta=meta)
    job = await claim_one(engine, producer)
    rescued = await engine.rescue_jobs({producer.uuid: beats}, max_rescues=3, limit=10)
    assert {found.id for found in rescued} == {spoilt.id, job.id}


async def test_rescues_stop_at_the_limit_and_never_count_twice(
    engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    beats = await beat(engine, producer)
    stored = ids(await enqueue(engine, 50))
    await engine.claim_jobs(QUEUE, 50, producer)
    dead = {producer.uuid: beats}
    assert len(await engine.rescue_jobs(dead, max_rescues=3, limit=10)) == 10
    while True:
        rounds = await asyncio.gather(
            *(one.rescue_jobs(dead, max_rescues=3, limit=7) for one in (engine, other_engine))
        )
        if not any(rounds):
            break
    assert {job.meta["rescued"] for job in await engine.get_jobs(stored)} == {1}
