"""An outcome is written under its whole lease or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from staffa.engine import Engine, Lease, Producer
from staffa.errors import DataRefused
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, new_producer, outcome, read

WRONG: dict[str, Callable[[Lease], Lease]] = {
    "attempt": lambda lease: lease._replace(attempt=lease.attempt + 1),
    "time": lambda lease: lease._replace(
        attempted_at=lease.attempted_at + timedelta(microseconds=1)
    ),
    "time zone": lambda lease: lease._replace(
        attempted_at=lease.attempted_at + timedelta(hours=5, minutes=45)
    ),
    "id": lambda lease: lease._replace(id=lease.id + 1),
}


@pytest.mark.parametrize("part", WRONG)
async def test_a_wrong_part_of_the_lease_writes_nothing(
    engine: Engine, producer: Producer, part: str
) -> None:
    job = await claim_one(engine, producer)
    ack = outcome(job, State.COMPLETED, meta={"written": True})
    wrong = replace(ack, lease=WRONG[part](ack.lease))
    assert await engine.ack_jobs([wrong], producer) == {}
    assert await engine.ack_jobs([wrong.lease], producer) == {}
    assert changed(job, await read(engine, job)) == {}


async def test_the_outcome_of_another_producer_writes_nothing(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    assert await engine.ack_jobs([outcome(job, State.COMPLETED)], new_producer()) == {}
    assert changed(job, await read(engine, job)) == {}


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXECUTING])
async def test_a_job_that_no_longer_runs_is_left_as_it_is(
    store: Store, engine: Engine, producer: Producer, state: State
) -> None:
    job = await claim_one(engine, producer)
    await store.write(job.id, state=state)
    before = await read(engine, job)
    ack = outcome(job, State.RETRYABLE, error="late", delay=1, meta={"late": True})
    assert await engine.ack_jobs([ack], producer) == {}
    assert changed(before, await read(engine, job)) == {}


async def test_a_cancelled_job_stays_cancelled_when_its_run_completes(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    assert job.id is not None
    await engine.cancel_jobs([job.id])
    assert await engine.ack_jobs([outcome(job, State.COMPLETED)], producer) == {}
    assert (await read(engine, job)).state is State.CANCELLED


async def test_the_outcome_of_a_deleted_job_writes_nothing(
    store: Store, engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    await store.delete(job.id)
    assert await engine.ack_jobs([outcome(job, State.COMPLETED)], producer) == {}


async def test_the_lease_of_a_second_run_does_not_accept_the_outcome_of_the_first(
    engine: Engine, producer: Producer
) -> None:
    first = await claim_one(engine, producer)
    await engine.ack_jobs([outcome(first, State.AVAILABLE, refund=True)], producer)
    (second,) = await engine.claim_jobs(QUEUE, 1, producer)
    assert second.attempt == first.attempt
    assert await engine.ack_jobs([outcome(first, State.COMPLETED)], producer) == {}
    assert await engine.ack_jobs([outcome(second, State.COMPLETED)], producer) == {
        first.id: State.COMPLETED
    }


async def test_a_repeated_outcome_is_written_once(engine: Engine, producer: Producer) -> None:
    job = await claim_one(engine, producer)
    ack = outcome(job, State.RETRYABLE, error="boom", delay=60)
    assert await engine.ack_jobs([ack, ack], producer) == {job.id: State.RETRYABLE}
    once = await read(engine, job)
    assert await engine.ack_jobs([ack], producer) == {}
    assert changed(once, await read(engine, job)) == {}
    assert len(once.errors) == 1


async def test_valid_outcomes_are_written_beside_invalid_ones(
    store: Store, engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, 3)
    good, stolen, gone = await engine.claim_jobs(QUEUE, 3, producer)
    await store.write(stolen.id, attempted_by=["node.2", "somebody"])
    await store.delete(gone.id)
    acks = [outcome(job, State.COMPLETED) for job in (gone, good, stolen)]
    assert await engine.ack_jobs(acks, producer) == {good.id: State.COMPLETED}


@pytest.mark.parametrize(
    "details",
    [
        {"state": State.SCHEDULED, "delay": 1e300},
        {"state": State.SCHEDULED, "delay": 1e13},
        {"state": State.SCHEDULED, "delay": float("inf")},
        {"state": State.SCHEDULED, "delay": float("nan")},
        {"state": State.RETRYABLE, "error": "a\x00b"},
        {"state": State.RETRYABLE, "error": "a\ud800b"},
        {"state": State.COMPLETED, "meta": {"a": "\x00"}},
        {"state": State.COMPLETED, "meta": {"a": "\ud800"}},
    ],
    ids=str,
)
async def test_refused_data_is_told_and_nothing_of_its_bundle_is_written(
    engine: Engine, producer: Producer, details: dict[str, object]
) -> None:
    await enqueue(engine, 3)
    first, bad, last = await engine.claim_jobs(QUEUE, 3, producer)
    acks = [
        outcome(first, State.COMPLETED),
        outcome(bad, **details),  # type: ignore[arg-type]  # state is among them
        outcome(last, State.COMPLETED),
    ]
    with pytest.raises(DataRefused):
        await engine.ack_jobs(acks, producer)
    assert await engine.count_jobs() == {(QUEUE, State.EXECUTING): 3}
    written = await engine.ack_jobs([acks[0], acks[2]], producer)
    assert set(written) == {first.id, last.id}
