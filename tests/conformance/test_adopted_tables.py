"""Tables of other implementations hold nulls where ours has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from staffa.engine import Engine, Producer
from staffa.types import State
from tests.conformance.stores import PostgresStore
from tests.conformance.work import QUEUE, enqueue, ids, new_producer, outcome, read
from tests.support.foreign_schemas import ELIXIR


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[PostgresStore]:
    """The table of Elixir Oban, in which meta and tags may be null."""
    made = PostgresStore(dsn, f'Elixir "{uuid4().hex[:8]}"', ELIXIR)
    await made.open()
    yield made
    await made.close()


async def test_a_job_with_nulls_goes_through_its_whole_life(
    store: PostgresStore, engine: Engine, producer: Producer
) -> None:
    (job,) = await enqueue(engine)
    await store.write(job.id, meta=None, tags=None)
    (listed,) = await engine.get_jobs(ids([job]))
    assert (listed.meta, listed.tags) == ({}, ())
    (claimed,) = await engine.claim_jobs(QUEUE, 1, producer)
    assert (claimed.meta, claimed.tags) == ({}, ())
    failure = outcome(claimed, State.RETRYABLE, error="boom", delay=0)
    await engine.ack_jobs([failure], producer)
    assert (await store.row(job.id))["meta"] is None
    await engine.stage_jobs(10, [])
    (again,) = await engine.claim_jobs(QUEUE, 1, producer)
    await engine.ack_jobs([outcome(again, State.COMPLETED, meta={"n": 1})], producer)
    done = await read(engine, job)
    assert (done.state, done.meta, done.attempt) == (State.COMPLETED, {"n": 1}, 2)


async def test_the_rescue_of_a_job_without_meta_is_counted(
    store: PostgresStore, engine: Engine, producer: Producer
) -> None:
    heart = engine.heartbeat()
    await heart.beat(producer)
    beats = (await heart.beat(new_producer())).others
    await heart.close()
    (job,) = await enqueue(engine)
    await store.write(job.id, meta=None)
    await engine.claim_jobs(QUEUE, 1, producer)
    await engine.rescue_jobs(beats, max_rescues=3, limit=10)
    assert (await read(engine, job)).meta == {"rescued": 1}
