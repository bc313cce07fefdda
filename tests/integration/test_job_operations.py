"""Reading and changing jobs that were written before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import Job, JobFilter, Staffa, State, job
from staffa.errors import InvalidArgs, InvalidJob, UnknownOption
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


@pytest.fixture
async def app(make_client: MakeClient) -> AsyncIterator[Staffa]:
    """A client that only sends."""
    async with make_client() as client:
        yield client


def some(count: int, **options: Any) -> list[Job]:
    return [Job(worker="any.worker", args={"n": n}, **options) for n in range(count)]


async def test_jobs_are_written_in_the_order_given(app: Staffa) -> None:
    stored = await app.enqueue_many(*some(2), some(500), (entry for entry in some(3)))
    assert [entry.args["n"] for entry in stored] == [0, 1, *range(500), 0, 1, 2]
    ids = [entry.id for entry in stored if entry.id is not None]
    assert ids == sorted(ids)
    assert len(set(ids)) == 505


async def test_enqueueing_nothing_does_nothing(app: Staffa) -> None:
    assert await app.enqueue_many([]) == []


async def test_of_several_jobs_all_are_written_or_none(app: Staffa, rows: Rows) -> None:
    with pytest.raises(InvalidArgs):
        await app.enqueue_many(Job(worker="a", args={"n": n} if n else {"n": {1}}) for n in (1, 0))
    with pytest.raises(InvalidJob):
        await app.enqueue_many(*some(1), 5)  # type: ignore[call-overload]
    assert await rows.count() == {}


async def test_a_job_is_not_written_twice(app: Staffa) -> None:
    (stored,) = await app.enqueue_many(some(1))
    with pytest.raises(InvalidJob, match="was enqueued before"):
        await app.enqueue(stored)


async def test_a_job_is_read_as_it_was_written(app: Staffa) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    args = {"text": "žluť 😀", "big": 2**80, "deep": [{"a": None}], "float": 0.1}
    made = Job(
        worker="any.worker", args=args, queue="q", priority=4, max_attempts=7, tags=["x", "y"],
        meta={"m": 1}, scheduled_at=at,
    )  # fmt: skip
    stored = await app.enqueue(made)
    found = await app.get_job(stored)
    assert found is not None
    assert (found.args, found.queue, found.priority, found.max_attempts) == (args, "q", 4, 7)
    assert (found.tags, found.meta, found.scheduled_at) == (("x", "y"), {"m": 1}, at)
    assert found.state is State.SCHEDULED
    assert (found.attempt, found.attempted_by, found.errors) == (0, None, [])


async def test_a_job_that_does_not_exist_is_none(app: Staffa) -> None:
    assert await app.get_job(123456) is None
    assert await app.cancel_job(123456) is False
    assert await app.update_job(123456, priority=1) is None


@pytest.mark.parametrize("number", [0, -1, 2**63, True, "1", None])
async def test_what_can_be_no_id_is_refused(app: Staffa, number: Any) -> None:
    with pytest.raises(InvalidJob, match="no id"):
        await app.get_job(number)


async def test_jobs_are_listed_the_newest_first_in_pages(app: Staffa) -> None:
    stored = await app.enqueue_many(some(5, queue="a"), some(2, queue="b"))
    page = await app.list_jobs(JobFilter(queues=["a"], limit=3))
    assert [entry.id for entry in page] == [stored[4].id, stored[3].id, stored[2].id]
    rest = await app.list_jobs(JobFilter(queues=["a"], limit=3, before_id=page[-1].id))
    assert [entry.id for entry in rest] == [stored[1].id, stored[0].id]
    assert len(await app.list_jobs()) == 7
    assert await app.list_jobs(JobFilter(states=[State.COMPLETED])) == []


async def test_jobs_are_counted_by_queue_and_state(app: Staffa) -> None:
    await app.enqueue_many(some(3, queue="a"), some(2, queue="a", scheduled_in=60))
    assert await app.count_jobs() == {("a", State.AVAILABLE): 3, ("a", State.SCHEDULED): 2}


async def test_only_jobs_that_have_not_ended_are_cancelled(app: Staffa, rows: Rows) -> None:
    states = ["available", "scheduled", "retryable", "suspended", "completed", "discarded"]
    ids = [await rows.insert(worker="w", state=state) for state in states]
    assert await app.cancel_many_jobs(ids) == ids[:4]
    assert [(await rows.get(number))["state"] for number in ids] == [
        *["cancelled"] * 4, "completed", "discarded",
    ]  # fmt: skip
    assert (await rows.get(ids[0]))["cancelled_at"] is not None
    assert await app.cancel_job(ids[0]) is False


async def test_a_retried_job_runs_again_with_room_for_one_more_attempt(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    failing = True

    @job(max_attempts=1)
    async def fail() -> None:
        if failing:
            raise ValueError("no")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        await rows.until(stored.id, "discarded")
        failing = False
        assert await app.retry_job(stored) is True
        row = await rows.until(stored.id, "completed")
    assert (row["attempt"], row["max_attempts"], row["discarded_at"]) == (2, 2, None)
    assert len(row["errors"]) == 1


async def test_only_jobs_that_do_not_wait_or_run_are_retried(app: Staffa, rows: Rows) -> None:
    left = ["available", "executing", "suspended"]
    taken = ["scheduled", "retryable", "completed", "cancelled", "discarded"]
    ids = [await rows.insert(worker="w", state=state) for state in left + taken]
    assert await app.retry_many_jobs(ids) == ids[3:]
    assert [(await rows.get(number))["state"] for number in ids] == [*left, *["available"] * 5]


async def test_only_jobs_that_do_not_run_are_deleted(app: Staffa, rows: Rows) -> None:
    ids = [await rows.insert(worker="w", state=state) for state in ("executing", "completed")]
    assert await app.delete_many_jobs(ids) == ids[1:]
    assert await app.delete_job(ids[0]) is False
    assert await rows.get(ids[1]) == {}


async def test_columns_of_jobs_are_changed(app: Staffa, rows: Rows) -> None:
    first, second = await app.enqueue_many(some(2))
    changed = await app.update_many_jobs(
        [first, second], queue="new", args={"a": [1]}, meta={"b": None}, tags=["C"], priority=7,
        max_attempts=3, worker="other",
    )  # fmt: skip
    assert [entry.id for entry in changed] == [first.id, second.id]
    row = await rows.get(second.id)
    assert (row["queue"], row["args"], row["meta"], row["tags"]) == (
        ("new", {"a": [1]}, {"b": None}, ["c"])
    )
    assert (row["priority"], row["max_attempts"], row["worker"]) == (7, 3, "other")


async def test_a_new_time_schedules_a_job_and_a_past_one_makes_it_available(app: Staffa) -> None:
    (stored,) = await app.enqueue_many(some(1))
    later = await app.update_job(stored, scheduled_at=datetime.now(UTC) + timedelta(days=1))
    assert later is not None
    assert later.state is State.SCHEDULED
    now = await app.update_job(stored, scheduled_at=datetime.now(UTC) - timedelta(days=1))
    assert now is not None
    assert now.state is State.AVAILABLE


async def test_what_can_not_be_changed_is_refused(app: Staffa) -> None:
    (stored,) = await app.enqueue_many(some(1))
    with pytest.raises(UnknownOption, match="did you mean 'priority'"):
        await app.update_job(stored, priorty=1)  # type: ignore[call-arg]
    with pytest.raises(UnknownOption):
        await app.update_job(stored, state="completed")  # type: ignore[call-arg]
    with pytest.raises(InvalidJob):
        await app.update_job(stored, priority=10)
