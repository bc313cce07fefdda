"""What tests of users ask of an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from staffa.engine import Engine, Producer, Statements
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, claim_one, enqueue, ids, new_job, read

SOON, LATE = "2090-01-01T00:00:00", "2100-01-01T00:00:00"


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RETRYABLE])
async def test_jobs_of_a_queue_become_available_before_they_are_due(
    store: Store, engine: Engine, state: State
) -> None:
    (soon,), (late,) = await enqueue(engine), await enqueue(engine)
    (elsewhere,) = await enqueue(engine, queue="other")
    for job, due in ((soon, SOON), (late, LATE), (elsewhere, SOON)):
        await store.write(job.id, state=state, scheduled_at=due)
    before = await read(engine, soon)

    assert await engine.stage_queue(QUEUE, datetime(2095, 1, 1, tzinfo=UTC)) == 1
    assert changed(before, await read(engine, soon)) == {"state": State.AVAILABLE}
    assert (await read(engine, late)).state is state

    assert await engine.stage_queue(QUEUE, None) == 1
    assert (await read(engine, late)).state is State.AVAILABLE
    assert (await read(engine, elsewhere)).state is state


async def test_only_jobs_that_wait_for_a_time_are_staged(
    store: Store, engine: Engine, producer: Producer
) -> None:
    running = await claim_one(engine, producer)
    for state in set(State) - {State.SCHEDULED, State.RETRYABLE, State.EXECUTING}:
        (job,) = await enqueue(engine)
        await store.write(job.id, state=state)

    assert await engine.stage_queue(QUEUE, None) == 0
    assert (await read(engine, running)).state is State.EXECUTING


async def test_a_reset_leaves_nothing_behind(engine: Engine, producer: Producer) -> None:
    heartbeat = engine.heartbeat()
    await heartbeat.beat(producer)
    await claim_one(engine, producer)
    await enqueue(engine, unique=True)

    await engine.reset()

    assert await engine.count_jobs() == {}
    assert (await enqueue(engine, unique=True))[0].conflict is False
    assert await engine.elect_leader(producer, lease=5)
    await heartbeat.close()


async def test_a_joined_engine_hands_all_its_statements_to_the_user(
    engine: Engine, producer: Producer
) -> None:
    (outside,) = await enqueue(engine)
    handed: list[Any] = []

    async def execute(statements: Statements[Any]) -> Any:
        handed.append(statements)
        return statements.combine([[] for _ in statements.parts])

    joined = engine.joined(execute)

    assert await joined.get_jobs(ids([outside])) == []
    assert await joined.claim_jobs(QUEUE, 1, producer) == []
    await joined.ack_jobs([], producer)
    await joined.enqueue_jobs([new_job()])
    assert len(handed) == 4
    assert all(found.dialect == handed[0].dialect for found in handed)
    assert (await read(engine, outside)).state is State.AVAILABLE
    await joined.close()
    assert await engine.get_jobs(ids([outside])), "the engine itself is still open"
