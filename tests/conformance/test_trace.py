"""After a lost reply a row tells whether an outcome had been written."""

from __future__ import annotations

import pytest

from staffa.engine import Checkpoint, Engine, Producer
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.test_ack import OUTCOMES
from tests.conformance.work import QUEUE, claim_one, enqueue, new_producer, outcome


@pytest.mark.parametrize("name", OUTCOMES)
async def test_a_written_outcome_shows_and_an_unwritten_one_does_not(
    engine: Engine, producer: Producer, name: str
) -> None:
    details, _ = OUTCOMES[name]
    job = await claim_one(engine, producer, meta={"kept": 1, "old": 1})
    ack = outcome(job, **details)
    assert await engine.trace_acks([ack], producer) == frozenset()
    await engine.ack_jobs([ack], producer)
    assert await engine.trace_acks([ack], producer) == {job.id}


async def test_a_failure_that_discarded_the_job_shows(engine: Engine, producer: Producer) -> None:
    job = await claim_one(engine, producer, max_attempts=1)
    ack = outcome(job, State.RETRYABLE, error="boom", delay=60)
    await engine.ack_jobs([ack], producer)
    assert await engine.trace_acks([ack], producer) == {job.id}


async def test_a_failure_still_shows_once_it_was_staged(engine: Engine, producer: Producer) -> None:
    job = await claim_one(engine, producer)
    ack = outcome(job, State.RETRYABLE, error="boom", delay=0)
    await engine.ack_jobs([ack], producer)
    await engine.stage_jobs(10, [])
    assert await engine.trace_acks([ack], producer) == {job.id}


async def test_a_job_that_is_gone_counts_as_written(
    store: Store, engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    await store.delete(job.id)
    assert await engine.trace_acks([outcome(job, State.COMPLETED)], producer) == {job.id}


async def test_what_another_run_wrote_does_not_show(engine: Engine, producer: Producer) -> None:
    job = await claim_one(engine, producer)
    ack = outcome(job, State.COMPLETED)
    await engine.ack_jobs([outcome(job, State.AVAILABLE, refund=True)], producer)
    (again,) = await engine.claim_jobs(QUEUE, 1, producer)
    await engine.ack_jobs([outcome(again, State.COMPLETED)], producer)
    assert await engine.trace_acks([ack], producer) == frozenset()
    assert await engine.trace_acks([ack], new_producer()) == frozenset()


async def test_a_cancelled_run_does_not_show_its_completion(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    assert job.id is not None
    await engine.cancel_jobs([job.id])
    failure = outcome(job, State.RETRYABLE, error="boom")
    assert await engine.trace_acks([outcome(job, State.COMPLETED)], producer) == frozenset()
    assert await engine.trace_acks([failure], producer) == frozenset()


async def test_several_outcomes_are_traced_at_once(engine: Engine, producer: Producer) -> None:
    await enqueue(engine, 20)
    jobs = await engine.claim_jobs(QUEUE, 20, producer)
    acks = [outcome(job, State.COMPLETED) for job in jobs]
    await engine.ack_jobs(acks[::2], producer)
    assert await engine.trace_acks(acks, producer) == {ack.lease.id for ack in acks[::2]}
    assert await engine.trace_acks([], producer) == frozenset()


@pytest.mark.parametrize("value", [0.1, 1e-7, 1e23, 1e300, [0.5, (1, 2)]])
@pytest.mark.parametrize("state", [State.COMPLETED, State.SCHEDULED])
async def test_progress_that_was_written_along_shows_nothing_and_hides_nothing(
    engine: Engine, producer: Producer, state: State, value: object
) -> None:
    job = await claim_one(engine, producer)
    progress = {"progress": {"value": value}}
    snoozed = {"snoozed": 1} if state is State.SCHEDULED else {}
    ack = outcome(job, state, delay=0, meta={**progress, **snoozed})
    await engine.checkpoint_jobs([Checkpoint(ack.lease, ack.meta or {})], producer)
    assert await engine.trace_acks([ack], producer) == frozenset()
    await engine.ack_jobs([ack], producer)
    assert await engine.trace_acks([ack], producer) == {job.id}
    await engine.stage_jobs(10, [])
    assert await engine.trace_acks([ack], producer) == {job.id}


@pytest.mark.parametrize(
    "columns",
    [
        {"errors": ["text", 1, None, ["attempt"]]},
        {"meta": ["a list"]},
        {"meta": "text"},
    ],
    ids=str,
)
async def test_a_row_that_another_client_spoilt_does_not_stop_the_trace(
    store: Store, engine: Engine, producer: Producer, columns: dict[str, object]
) -> None:
    job = await claim_one(engine, producer)
    await store.write(job.id, **columns)
    acks = [
        outcome(job, State.RETRYABLE, error="boom"),
        outcome(job, State.COMPLETED, meta={"return": 1}),
    ]
    for ack in acks:
        assert await engine.trace_acks([ack], producer) == frozenset()
