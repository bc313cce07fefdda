"""Jobs that nobody here runs: those of other implementations, and those without attempts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from staffa.types import State
from tests.conformance.rows import Since, changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, new_producer, read

HOUR = 3600.0


async def foreign_job(store: Store, engine: Engine, *, age: float, **columns: Any) -> Any:
    """Store a job that another implementation has been running for so many seconds."""
    job = await claim_one(engine, new_producer("web.1"), **columns)
    await store.write(job.id, attempted_at=await store.now() - timedelta(seconds=age))
    return await read(engine, job)


async def test_an_old_job_of_another_implementation_is_available_again(
    store: Store, engine: Engine
) -> None:
    job = await foreign_job(store, engine, age=2 * HOUR)
    (rescued,) = await engine.rescue_foreign_jobs(age=HOUR, limit=10)
    assert (rescued.id, rescued.state) == (job.id, State.AVAILABLE)
    assert changed(job, await read(engine, job)) == {"state": State.AVAILABLE}


async def test_an_exhausted_one_is_discarded_with_an_error(store: Store, engine: Engine) -> None:
    job = await foreign_job(store, engine, age=2 * HOUR, max_attempts=1)
    moment = await store.now()
    (rescued,) = await engine.rescue_foreign_jobs(age=HOUR, limit=10)
    assert rescued.state is State.DISCARDED
    found = changed(job, await read(engine, job))
    (element,) = found.pop("errors")
    assert (element["attempt"], element["at"]) == (1, Since(moment))
    assert found == {"state": State.DISCARDED, "discarded_at": Since(moment)}


async def test_a_young_one_is_left_alone_in_every_time_zone(store: Store, engine: Engine) -> None:
    job = await foreign_job(store, engine, age=HOUR / 2)
    assert await engine.rescue_foreign_jobs(age=HOUR, limit=10) == []
    assert changed(job, await read(engine, job)) == {}


async def test_a_job_of_a_producer_of_ours_is_never_foreign(
    store: Store, engine: Engine, producer: Producer
) -> None:
    heart = engine.heartbeat()
    await heart.beat(producer)
    await heart.close()
    job = await claim_one(engine, producer)
    await store.write(job.id, attempted_at=await store.now() - timedelta(days=30))
    assert await engine.rescue_foreign_jobs(age=HOUR, limit=10) == []


@pytest.mark.parametrize("owner", [None, [], ["web.1"], ["web.1", "no uuid at all"]], ids=str)
async def test_a_row_that_names_no_producer_is_foreign(
    store: Store, engine: Engine, owner: list[str] | None
) -> None:
    job = await foreign_job(store, engine, age=2 * HOUR)
    await store.write(job.id, attempted_by=owner)
    assert [found.id for found in await engine.rescue_foreign_jobs(age=HOUR, limit=10)] == [job.id]


async def test_foreign_jobs_are_rescued_up_to_the_limit(store: Store, engine: Engine) -> None:
    for _ in range(5):
        await foreign_job(store, engine, age=2 * HOUR)
    assert len(await engine.rescue_foreign_jobs(age=HOUR, limit=3)) == 3
    assert len(await engine.rescue_foreign_jobs(age=HOUR, limit=3)) == 2


async def test_an_available_job_without_attempts_is_discarded_with_the_reason(
    store: Store, engine: Engine
) -> None:
    exhausted, fresh = await enqueue(engine, 2, max_attempts=3)
    await store.write(exhausted.id, attempt=3)
    before = await read(engine, exhausted)
    moment = await store.now()
    (discarded,) = await engine.discard_exhausted_jobs(limit=10)
    assert (discarded.id, discarded.queue) == (exhausted.id, QUEUE)
    assert discarded.state is State.DISCARDED
    found = changed(before, await read(engine, exhausted))
    (element,) = found.pop("errors")
    assert (element["attempt"], element["at"]) == (3, Since(moment))
    assert found == {"state": State.DISCARDED, "discarded_at": Since(moment)}
    assert changed(fresh, await read(engine, fresh)) == {}


@pytest.mark.parametrize("state", sorted(set(State) - {State.AVAILABLE}))
async def test_only_available_ones_are_discarded(
    store: Store, engine: Engine, state: State
) -> None:
    (job,) = await enqueue(engine, max_attempts=3)
    await store.write(job.id, attempt=3, state=state)
    assert await engine.discard_exhausted_jobs(limit=10) == []


async def test_exhausted_jobs_are_discarded_up_to_the_limit(store: Store, engine: Engine) -> None:
    for job in await enqueue(engine, 5, max_attempts=1):
        await store.write(job.id, attempt=1)
    assert len(await engine.discard_exhausted_jobs(limit=3)) == 3
    assert len(await engine.discard_exhausted_jobs(limit=3)) == 2
