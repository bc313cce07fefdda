"""A producer puts back what it holds but does not run."""

from __future__ import annotations

import pytest

from staffa.engine import Engine, Producer
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import claim_one, ids, new_producer, read


async def test_a_released_job_is_as_it_was_before_its_claim_but_for_who_held_it(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer, meta={"kept": 1})
    assert await engine.release_jobs(producer) == {job.queue}
    after = await read(engine, job)
    assert changed(job, after) == {"state": State.AVAILABLE, "attempt": 0}
    (again,) = await engine.claim_jobs(job.queue, 1, producer)
    assert (again.id, again.attempt) == (job.id, 1)


async def test_everything_is_released_but_what_runs(engine: Engine, producer: Producer) -> None:
    jobs = [await claim_one(engine, producer, queue=queue) for queue in ("a", "a", "b", "c")]
    running = ids([jobs[0], jobs[3]])
    assert await engine.release_jobs(producer, running=running) == {"a", "b"}
    states = [(await read(engine, job)).state is State.EXECUTING for job in jobs]
    assert states == [True, False, False, True]


async def test_one_queue_is_released_alone(engine: Engine, producer: Producer) -> None:
    kept = await claim_one(engine, producer, queue="a")
    job = await claim_one(engine, producer, queue="b")
    assert await engine.release_jobs(producer, queue="b") == {"b"}
    assert await engine.release_jobs(producer, queue="b") == frozenset()
    assert (await read(engine, kept)).state is State.EXECUTING
    assert (await read(engine, job)).state is State.AVAILABLE


async def test_the_jobs_of_other_producers_are_not_touched(
    engine: Engine, producer: Producer
) -> None:
    job = await claim_one(engine, producer)
    assert await engine.release_jobs(new_producer()) == frozenset()
    assert changed(job, await read(engine, job)) == {}


@pytest.mark.parametrize("state", sorted(set(State) - {State.EXECUTING}))
async def test_what_does_not_run_is_not_released(
    store: Store, engine: Engine, producer: Producer, state: State
) -> None:
    job = await claim_one(engine, producer)
    await store.write(job.id, state=state)
    before = await read(engine, job)
    assert await engine.release_jobs(producer) == frozenset()
    assert changed(before, await read(engine, job)) == {}
