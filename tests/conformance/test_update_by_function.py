"""A function that changes a job sees it as it is, under its lock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from staffa.engine import Engine
from staffa.errors import DatabaseError, DataRefused
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.work import enqueue, read


async def count_up(job: Job) -> Mapping[str, Any]:
    return {"meta": {**job.meta, "count": job.meta.get("count", 0) + 1}}


async def test_the_changes_that_a_function_returns_are_made(engine: Engine) -> None:
    (job,) = await enqueue(engine, meta={"kept": True})
    assert job.id is not None
    before = await read(engine, job)
    updated = await engine.update_job(job.id, count_up, idle=15)
    assert updated is not None
    assert changed(before, updated) == {"meta": {"kept": True, "count": 1}}
    assert changed(updated, await read(engine, job)) == {}


async def test_no_update_is_lost_when_several_clients_count(
    engine: Engine, other_engine: Engine
) -> None:
    (job,) = await enqueue(engine)
    assert job.id is not None

    async def count(with_engine: Engine) -> None:
        for _ in range(50):
            await with_engine.update_job(job.id or 0, count_up, idle=15)

    await asyncio.gather(count(engine), count(other_engine))
    assert (await read(engine, job)).meta == {"count": 100}


async def test_without_changes_nothing_is_written_and_the_job_is_returned(engine: Engine) -> None:
    (job,) = await enqueue(engine)
    assert job.id is not None

    async def look(job: Job) -> Mapping[str, Any]:
        assert job.state is State.AVAILABLE
        return {}

    found = await engine.update_job(job.id, look, idle=15)
    assert found is not None
    assert changed(found, await read(engine, job)) == {}


async def test_a_function_is_not_called_for_a_job_that_does_not_exist(engine: Engine) -> None:
    async def never(job: Job) -> Mapping[str, Any]:
        raise AssertionError(job)

    assert await engine.update_job(2**63 - 1, never, idle=15) is None


@pytest.mark.parametrize("error", [ValueError("no"), OSError("no"), TimeoutError("no")], ids=repr)
async def test_what_a_function_raises_comes_out_as_it_is_and_lets_the_row_go(
    engine: Engine, error: Exception
) -> None:
    (job,) = await enqueue(engine)
    assert job.id is not None

    async def fail(job: Job) -> Mapping[str, Any]:
        raise error

    with pytest.raises(type(error), match="no") as raised:
        await engine.update_job(job.id, fail, idle=15)
    assert raised.value is error
    await engine.update_job(job.id, count_up, idle=15)
    assert (await read(engine, job)).meta == {"count": 1}


async def test_a_cancelled_caller_lets_the_row_go(engine: Engine, other_engine: Engine) -> None:
    (job,) = await enqueue(engine)
    assert job.id is not None
    held = asyncio.Event()

    async def hang(job: Job) -> Mapping[str, Any]:
        held.set()
        await asyncio.Event().wait()
        return {}

    task = asyncio.ensure_future(engine.update_job(job.id, hang, idle=15))
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await other_engine.update_job(job.id, count_up, idle=15)
    assert await engine.update_job(job.id, count_up, idle=15)
    assert (await read(engine, job)).meta == {"count": 2}


async def test_refused_changes_roll_back(engine: Engine) -> None:
    (job,) = await enqueue(engine)
    assert job.id is not None

    async def spoil(job: Job) -> Mapping[str, Any]:
        return {"queue": "", "meta": {"written": True}}

    with pytest.raises(DataRefused):
        await engine.update_job(job.id, spoil, idle=15)
    assert (await read(engine, job)).meta == {}


async def test_a_row_is_let_go_although_the_function_never_returns(
    engine: Engine, other_engine: Engine
) -> None:
    if not engine.capabilities.holds_rows:
        pytest.skip("this engine holds no row")
    (job,) = await enqueue(engine)
    assert job.id is not None
    held, go_on = asyncio.Event(), asyncio.Event()

    async def stall(job: Job) -> Mapping[str, Any]:
        held.set()
        await go_on.wait()
        return {"meta": {"late": True}}

    task = asyncio.ensure_future(engine.update_job(job.id, stall, idle=0.05))
    await held.wait()
    updated = await other_engine.update_job(job.id, count_up, idle=15)  # waits for the lock
    assert updated is not None
    go_on.set()
    with pytest.raises(DatabaseError):
        await task
    assert (await read(engine, job)).meta == {"count": 1}
    assert await engine.update_job(job.id, count_up, idle=15)


async def test_a_function_is_called_again_where_nobody_can_hold_the_row_and_it_has_changed(
    engine: Engine, other_engine: Engine
) -> None:
    if engine.capabilities.holds_rows:
        pytest.skip("this engine holds the row")
    (job,) = await enqueue(engine)
    assert job.id is not None
    seen = []

    async def look(job: Job) -> Mapping[str, Any]:
        seen.append(job.meta)
        if len(seen) == 1:
            await other_engine.update_job(job.id or 0, count_up, idle=15)
        return {"meta": {**job.meta, "looked": len(seen)}}

    updated = await engine.update_job(job.id, look, idle=15)
    assert updated is not None
    assert seen == [{}, {"count": 1}]
    assert updated.meta == {"count": 1, "looked": 2}
    assert changed(updated, await read(engine, job)) == {}


async def test_a_function_that_took_too_long_does_not_overwrite_what_others_have_written(
    engine: Engine, other_engine: Engine
) -> None:
    if engine.capabilities.holds_rows:
        pytest.skip("this engine lets the row go by itself")
    (job,) = await enqueue(engine)
    assert job.id is not None

    async def stall(job: Job) -> Mapping[str, Any]:
        await other_engine.update_job(job.id or 0, count_up, idle=15)
        return {"meta": {"late": True}}

    with pytest.raises(DatabaseError, match="changed by somebody else"):
        await engine.update_job(job.id, stall, idle=0)
    assert (await read(engine, job)).meta == {"count": 1}
