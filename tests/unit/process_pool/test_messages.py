"""What a running job asks of the parent, which has the database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from staffa.errors import InvalidJob, JobCancelled, ProcessJobError
from staffa.queues.pools.process import ProcessPool, messages
from staffa.queues.pools.process.messages import META, PROGRESS
from tests.support import process_jobs as jobs
from tests.support.events import Recorder
from tests.unit.process_pool.calls import run


async def double(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "twice": payload["n"] * 2}


@pytest.mark.parametrize("function", [jobs.send, jobs.send_later])
async def test_a_message_is_answered(pool: ProcessPool, function: Any) -> None:
    for n in (1, 2**70, "ä"):
        answer = await run(pool, function, on_message=double, kind="meta", payload={"n": n})
        assert answer == {"kind": "meta", "twice": n * 2}


@pytest.mark.parametrize("function", [jobs.send, jobs.send_later])
async def test_a_message_that_fails_fails_where_it_was_sent(
    pool: ProcessPool, function: Any
) -> None:
    with pytest.raises(ProcessJobError, match="JobError: KeyError: 'n'"):
        await run(pool, function, on_message=double, kind="meta", payload={})
    with pytest.raises(ProcessJobError, match="nobody serves messages"):
        await run(pool, function, kind="meta", payload={})
    assert await run(pool, jobs.echo) == {}


async def test_an_answer_that_is_no_json_fails_the_message(pool: ProcessPool) -> None:
    async def answer(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"kind": object()}

    with pytest.raises(ProcessJobError, match="JobError: TypeError: Object of type"):
        await run(pool, jobs.send, on_message=answer, kind="meta", payload={})


@pytest.mark.parametrize("function", [jobs.note, jobs.note_later])
async def test_progress_and_checkpoints_reach_the_parent(pool: ProcessPool, function: Any) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    async def take(kind: str, payload: dict[str, Any]) -> None:
        seen.append((kind, payload))

    assert await run(pool, function, on_message=take) == {"page": 7, "progress": {"value": 0.5}}
    assert seen == [(PROGRESS, {"progress": {"value": 0.5}}), (META, {"page": 7})]


@pytest.mark.parametrize("function", [jobs.note, jobs.note_later])
@pytest.mark.parametrize("error", [JobCancelled, InvalidJob])
async def test_a_checkpoint_that_is_refused_raises_what_it_raises_elsewhere(
    pool: ProcessPool, function: Any, error: type[Exception]
) -> None:
    async def refuse(kind: str, payload: dict[str, Any]) -> None:
        if kind == META:
            raise error("not so")

    with pytest.raises(ProcessJobError, match="not so") as caught:
        await run(pool, function, on_message=refuse)
    assert caught.value.original_type is error


async def test_messages_that_nobody_waits_for_come_in_their_order_before_the_result(
    pool: ProcessPool,
) -> None:
    seen: list[int] = []

    async def note(kind: str, payload: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        seen.append(payload["number"])

    await run(pool, jobs.post, on_message=note, count=20)
    assert seen == list(range(20))


async def test_messages_that_nobody_waits_for_do_not_pile_up(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    goes_on = asyncio.Event()

    async def note(kind: str, payload: dict[str, Any]) -> None:
        await goes_on.wait()
        seen.append(payload["number"])

    task = asyncio.create_task(run(pool, jobs.post, on_message=note, count=2000))
    child = await _running(pool)
    await asyncio.wait([child._run.outcome])
    goes_on.set()
    await task
    assert len(seen) == messages._MOST_WAITING + 1
    assert seen[1:] == list(range(2000 - messages._MOST_WAITING, 2000))  # the last ones count


async def test_one_that_fails_is_reported(pool: ProcessPool, events: Recorder) -> None:
    async def fail(kind: str, payload: dict[str, Any]) -> None:
        raise ValueError("no")

    await run(pool, jobs.post, on_message=fail, count=2)
    assert [str(event.data["error"]) for event in events.of("staffa.error")] == ["no", "no"]


async def test_a_message_that_is_not_served_does_not_hold_up_a_cancellation(
    pool: ProcessPool,
) -> None:
    asked = asyncio.Event()

    async def hang(kind: str, payload: dict[str, Any]) -> None:
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run(pool, jobs.send, on_message=hang, kind="meta", payload={}))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_message_that_is_not_served_does_not_hide_a_death(
    pool: ProcessPool, tmp_path: Path
) -> None:
    async def kill(kind: str, payload: dict[str, Any]) -> None:
        for child in pool._children:
            child.kill("by the test")
        await asyncio.Event().wait()

    with pytest.raises(Exception, match="was ended: by the test"):
        await run(pool, jobs.send, on_message=kill, kind="meta", payload={})


async def test_what_is_sent_after_the_end_is_refused_and_not_taken_for_the_next_job(
    pool: ProcessPool,
) -> None:
    seen: list[str] = []

    async def note(kind: str, payload: dict[str, Any]) -> None:
        seen.append(kind)

    await run(pool, jobs.send_too_late, on_message=note)
    assert "the job has ended" in await run(pool, jobs.what_came_of_it, on_message=note)
    assert seen == []


async def _running(pool: ProcessPool) -> Any:
    while not any(child._run for child in pool._children):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return next(child for child in pool._children if child._run)
