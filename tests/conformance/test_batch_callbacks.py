"""Callbacks of batches are written once each, when what they stand for has happened."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from staffa.engine import Engine
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.stores import Store
from tests.conformance.work import new_job

EVENTS = ("attempted", "completed", "cancelled", "discarded", "retryable", "exhausted")


def callbacks() -> dict[str, Job]:
    """Return a callback for each event."""
    return {event: new_job(queue="callbacks", args={"event": event}) for event in EVENTS}


async def fired(store: Store) -> list[str]:
    """Return the callbacks that were written, in the order of their names."""
    rows = await store.rows()
    return sorted(row["args"]["event"] for row in rows if row["queue"] == "callbacks")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (State.COMPLETED, ["attempted", "completed", "exhausted"]),
        (State.CANCELLED, ["attempted", "cancelled", "exhausted"]),
        (State.DISCARDED, ["attempted", "discarded", "exhausted"]),
    ],
)
async def test_the_end_of_the_last_job_writes_the_callbacks_for_it(
    flows: Flows, store: Store, end: State, expected: list[str]
) -> None:
    await flows.add("b", "batch", callbacks=callbacks())
    first, second = await flows.job(None, batch="b"), await flows.job(None, batch="b")
    await flows.end(first)
    assert await fired(store) == []
    ended = await flows.end(second, state=end)
    assert await fired(store) == expected
    assert ended.followed.woken == {"callbacks": len(expected)}
    assert sorted((await flows.flow("b"))["fired"]) == expected
    await flows.check_counts("b")


async def test_a_callback_is_written_as_it_was_given_and_tells_what_it_is_of(
    flows: Flows, store: Store
) -> None:
    given = new_job(
        queue="other", args={"a": [1, "ä"]}, meta={"kept": 1}, tags=["x"], priority=3,
        max_attempts=4, scheduled_in=60,
    )  # fmt: skip
    await flows.add("b", "batch", callbacks={"completed": given})
    ended = await flows.end(await flows.job(None, batch="b"))
    (row,) = [row for row in await store.rows() if row["queue"] == "other"]
    assert row["meta"] == {"kept": 1, "batch_id": "b", "callback": "completed"}
    columns = ("worker", "args", "tags", "priority", "max_attempts", "state", "attempt")
    assert {name: row[name] for name in columns} == {
        "worker": given.worker,
        "args": {"a": [1, "ä"]},
        "tags": ["x"],
        "priority": 3,
        "max_attempts": 4,
        "state": "scheduled",
        "attempt": 0,
    }
    assert ended.followed.woken == {}


async def test_a_failed_attempt_and_its_retry_are_told_once(
    flows: Flows, store: Store, engine: Engine
) -> None:
    await flows.add("b", "batch", callbacks=callbacks())
    first, second = await flows.job(None, batch="b"), await flows.job(None, batch="b")
    await flows.end(first, state=State.RETRYABLE, error="no", delay=0.0)
    assert await fired(store) == ["retryable"]
    await engine.retry_jobs([first])
    await flows.end(first, state=State.RETRYABLE, error="no", delay=0.0)
    assert await fired(store) == ["retryable"]
    await flows.end(second)
    assert await fired(store) == ["attempted", "retryable"]
    await engine.retry_jobs([first])
    await flows.end(first)
    assert await fired(store) == ["attempted", "completed", "exhausted", "retryable"]
    await flows.check_counts("b")


async def test_a_batch_that_was_opened_again_does_not_tell_its_end_twice(
    flows: Flows, store: Store, engine: Engine
) -> None:
    await flows.add("b", "batch", callbacks=callbacks())
    first = await flows.job(None, batch="b")
    await flows.end(first, state=State.DISCARDED)
    before = await fired(store)
    assert before == ["attempted", "discarded", "exhausted"]
    await engine.retry_jobs([first])
    assert await flows.is_open("b")
    await flows.end(first, state=State.DISCARDED)
    assert await fired(store) == before
    await engine.retry_jobs([first])
    await flows.end(first)
    assert await fired(store) == ["attempted", "completed", "discarded", "exhausted"]


@pytest.mark.parametrize("how", ["cancel", "delete"])
async def test_jobs_that_are_cancelled_or_deleted_end_their_batch(
    flows: Flows, store: Store, engine: Engine, how: str
) -> None:
    await flows.add("b", "batch", callbacks=callbacks())
    numbers = [await flows.job(None, batch="b") for _ in range(2)]
    change = engine.cancel_jobs if how == "cancel" else engine.delete_jobs
    changed = await change(numbers)
    expected = ["attempted", *(["cancelled"] if how == "cancel" else []), "exhausted"]
    assert await fired(store) == expected
    assert changed.followed.woken == {"callbacks": len(expected)}
    assert changed.followed.ended == ("b",)


async def test_the_last_jobs_of_a_batch_that_end_at_once_write_each_callback_once(
    flows: Flows, store: Store, engine: Engine, other_engine: Engine
) -> None:
    batches = [f"b{number}" for number in range(10)]
    pairs: list[tuple[int, int]] = []
    for batch in batches:
        await flows.add(batch, "batch", callbacks=callbacks())
        pairs.append((await flows.job(None, batch=batch), await flows.job(None, batch=batch)))
    for left, right in pairs:
        one, other = await flows.claim(left, right)
        await asyncio.gather(flows.ack(one, engine=engine), flows.ack(other, engine=other_engine))
    assert Counter(await fired(store)) == dict.fromkeys(
        ("attempted", "completed", "exhausted"), len(batches)
    )
    await flows.check_counts(*batches)


async def test_a_batch_around_a_workflow_counts_what_is_cancelled_in_it(
    flows: Flows, store: Store
) -> None:
    await flows.add("b", "batch", callbacks=callbacks())
    await flows.add("w", root="b")
    first = await flows.job("w", batch="b")
    await flows.job("w", first, batch="b")
    ended = await flows.end(first, state=State.DISCARDED)
    assert await fired(store) == ["attempted", "cancelled", "discarded", "exhausted"]
    assert sorted(ended.followed.ended) == ["b", "w"]
    await flows.check_counts("b", "w")


async def test_a_callback_is_no_member_of_its_batch(flows: Flows, store: Store) -> None:
    await flows.add("b", "batch", callbacks={"completed": new_job(args={"event": "completed"})})
    await flows.end(await flows.job(None, batch="b"))
    before = await flows.flow("b")
    (callback,) = [row for row in await store.rows() if "callback" in row["meta"]]
    ended = await flows.end(callback["id"])
    assert (ended.followed.woken, ended.followed.ended) == ({}, ())
    assert await flows.flow("b") == before
