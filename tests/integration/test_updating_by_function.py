"""`update_job` with a function that sees the job under its lock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from staffa import Job, job
from staffa.client import changes
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from tests.conftest import MakeClient
from tests.support.rows import Rows


async def test_two_clients_that_count_at_the_same_time_lose_nothing(
    make_client: MakeClient, rows: Rows
) -> None:
    one, two = make_client(), make_client()
    stored = await one.enqueue(Job(worker="w"))

    def count(entry: Job) -> dict[str, Any]:
        return {"meta": {"count": entry.meta.get("count", 0) + 1}}

    async def count_later(entry: Job) -> dict[str, Any]:
        await asyncio.sleep(0)
        return count(entry)

    await asyncio.gather(
        *(one.update_job(stored, count) for _ in range(50)),
        *(two.update_job(stored, count_later) for _ in range(50)),
    )
    assert (await rows.get(stored.id))["meta"] == {"count": 100}


async def test_a_function_may_leave_the_job_alone_or_raise(
    make_client: MakeClient, rows: Rows
) -> None:
    app = make_client()
    stored = await app.enqueue(Job(worker="w", meta={"a": 1}))
    found = await app.update_job(stored, lambda entry: None)
    assert found is not None
    assert found.meta == {"a": 1}
    assert await app.update_job(123456, lambda entry: {"priority": 1}) is None

    def refuse(entry: Job) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await app.update_job(stored, refuse)
    with pytest.raises(UnknownOption, match="did you mean 'priority'"):
        await app.update_job(stored, lambda entry: {"priorty": 1})
    with pytest.raises(InvalidJob, match="no changes"):
        await app.update_job(stored, lambda entry: 5)  # type: ignore[arg-type, return-value]
    with pytest.raises(InvalidJob):
        await app.update_job(stored, lambda entry: {"meta": {"a": {1}}})
    with pytest.raises(ConfigError, match="one of them"):
        await app.update_job(stored, lambda entry: None, priority=1)
    assert (await rows.get(stored.id))["priority"] == 0
    updated = await app.update_job(stored, lambda entry: {"priority": entry.priority + 1})
    assert updated is not None
    assert updated.priority == 1


async def test_a_function_that_takes_too_long_is_ended_and_lets_the_row_go(
    make_client: MakeClient, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_client()
    stored = await app.enqueue(Job(worker="w"))

    async def hang(entry: Job) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(changes, "UPDATE_SECONDS", 0.01)
    with pytest.raises(ConfigError, match="took longer"):
        await app.update_job(stored, hang)
    monkeypatch.undo()
    updated = await app.update_job(stored, priority=2)
    assert updated is not None

    async def time_out(entry: Job) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await app.update_job(stored, time_out)


async def test_a_job_that_a_function_makes_available_runs_at_once(
    make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def succeed() -> None: ...

    slow = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}  # only the wake-up can be in time
    sender = make_client()
    async with make_client(queues={"default": 1}, **slow):
        stored = await sender.enqueue(succeed.options(scheduled_in=3600).new())
        await sender.update_job(stored, lambda entry: {"scheduled_at": entry.inserted_at})
        await rows.until(stored.id, "completed")


async def test_a_lost_connection_in_the_function_changes_nothing(
    make_client: MakeClient, rows: Rows
) -> None:
    app = make_client()
    stored = await app.enqueue(Job(worker="w"))

    async def lose(entry: Job) -> dict[str, Any]:
        await rows.terminate()
        return {"priority": 5}

    with pytest.raises(Exception, match=r"terminat|closed|reached"):
        await app.update_job(stored, lose)
    assert (await rows.get(stored.id))["priority"] == 0
    assert await app.update_job(stored, priority=3)
