"""Jobs of every outcome, run by a real client on a real database."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from staffa import Cancel, Discard, Job, Snooze, Staffa, State, current_job, job, worker
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


async def test_an_async_function_runs_and_its_row_ends_completed(
    make_client: MakeClient, events: Recorder
) -> None:
    seen: list[tuple[str, int | None]] = []

    @job(queue="mail")
    async def send(to: str) -> None:
        seen.append((to, current_job().id))

    async with make_client(queues={"mail": 5}) as app:
        stored = await app.enqueue(send.new("ada@example.com"))
        await events.wait("staffa.job.completed")
        row = await app.get_job(stored)
    assert row is not None
    assert seen == [("ada@example.com", stored.id)]
    assert row.state is State.COMPLETED
    assert row.completed_at is not None
    assert row.attempt == 1
    assert row.errors == []


async def test_a_function_runs_in_a_thread_that_knows_its_job(
    make_client: MakeClient, events: Recorder
) -> None:
    seen: list[tuple[bool, int | None]] = []

    @job
    def resize() -> None:
        seen.append((threading.current_thread() is threading.main_thread(), current_job().id))

    async with make_client(queues={"default": 5}) as app:
        stored = await app.enqueue(resize.new())
        await events.wait("staffa.job.completed")
    assert seen == [(False, stored.id)]


@pytest.mark.parametrize("value", [None, 0, "text", {"a": 1}, object(), ValueError("returned")])
async def test_whatever_a_job_returns_completes_it(
    value: Any, make_client: MakeClient, events: Recorder
) -> None:
    @job
    async def compute() -> Any:
        return value

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue(compute.new())
        await events.wait("staffa.job.completed")


@pytest.mark.parametrize("in_thread", [False, True])
async def test_cancel_ends_a_job_as_cancelled_with_the_reason(
    in_thread: bool, make_client: MakeClient, rows: Rows
) -> None:
    @job(name="close")
    async def close() -> Cancel:
        return Cancel("the account is closed")

    @job(name="close thread")
    def close_in_thread() -> Cancel:
        return Cancel("the account is closed")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(close_in_thread.new() if in_thread else close.new())
        row = await rows.until(stored.id, "cancelled")
    assert row["cancelled_at"] is not None
    assert row["completed_at"] is None
    assert [(error["attempt"], error["error"]) for error in row["errors"]] == [
        (1, "Cancel: the account is closed")
    ]


async def test_discard_ends_a_job_that_has_attempts_left(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(max_attempts=5)
    async def send() -> Discard:
        return Discard("no such address")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(send.new())
        row = await rows.until(stored.id, "discarded")
    assert row["discarded_at"] is not None
    assert "no such address" in row["errors"][0]["error"]


@pytest.mark.parametrize("delay", [0.05, timedelta(milliseconds=50)])
async def test_a_snoozed_job_runs_again_without_using_an_attempt(
    delay: Any, make_client: MakeClient, rows: Rows
) -> None:
    attempts: list[int] = []

    @job(max_attempts=1)
    async def poll() -> Snooze | None:
        attempts.append(current_job().attempt)
        return Snooze(delay) if len(attempts) < 4 else None

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(poll.new())
        row = await rows.until(stored.id, "completed")
    assert attempts == [1, 1, 1, 1]
    assert row["attempt"] == 1
    assert row["meta"] == {"snoozed": 3}
    assert row["errors"] == []


async def test_a_long_snooze_leaves_the_job_scheduled_in_the_future(
    make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def poll() -> Snooze:
        return Snooze(timedelta(hours=1))

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(poll.new())
        row = await rows.until(stored.id, "scheduled")
    ahead = row["scheduled_at"] - row["attempted_at"]
    assert timedelta(minutes=59) < ahead < timedelta(minutes=61)
    assert row["attempt"] == 0


async def test_the_example_class_of_python_oban_runs(
    make_client: MakeClient, events: Recorder
) -> None:
    badges: list[dict[str, Any]] = []

    @worker(max_attempts=5, queue="badges")
    class GenerateBadge:
        async def process(self, job: Job) -> None:
            badges.append(job.args)

    name = f"{__name__}.{GenerateBadge.__qualname__}"
    async with make_client(queues={"badges": 2}):
        await Staffa.get_instance().enqueue(Job(worker=name, queue="badges", args={"id": 7}))
        await events.wait("staffa.job.completed")
        await GenerateBadge.enqueue({"id": 8})  # type: ignore[attr-defined]  # added by worker
        await events.wait("staffa.job.completed", 2)
    assert badges == [{"id": 7}, {"id": 8}]


async def test_a_class_with_a_plain_method_runs_in_a_thread_with_an_object_of_its_own(
    make_client: MakeClient, events: Recorder
) -> None:
    seen: list[tuple[object, bool, bool]] = []

    @worker(queue="default")
    class Resize:
        def process(self, job: Job) -> None:
            main = threading.current_thread() is threading.main_thread()
            seen.append((self, main, job is current_job()))

    async with make_client(queues={"default": 1}) as app:
        await app.enqueue_many(Job(worker=f"{__name__}.{Resize.__qualname__}") for _ in range(2))
        await events.wait("staffa.job.completed", 2)
    assert [entry[1:] for entry in seen] == [(False, True), (False, True)]
    assert seen[0][0] is not seen[1][0]


async def test_a_method_of_the_class_chooses_the_backoff(
    make_client: MakeClient, rows: Rows
) -> None:
    @worker()
    class Fail:
        async def process(self, job: Job) -> None:
            raise ValueError("no")

        def backoff(self, job: Job) -> int:
            return 1000 * job.attempt

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(Job(worker=f"{__name__}.{Fail.__qualname__}"))
        row = await rows.until(stored.id, "retryable")
    waits = (row["scheduled_at"] - row["attempted_at"]).total_seconds()
    assert 1000 <= waits < 1060


async def test_options_of_one_call_go_before_those_of_the_decorator(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(queue="mail", priority=5, max_attempts=9, tags=["a"])
    async def send(to: str) -> None: ...

    async with make_client() as app:
        plain = await app.enqueue(send.new("a"))
        chosen = await send.options(queue="fast", priority=1, tags=["B "], meta={"k": 1}).enqueue(
            "a"
        )
    first, second = await rows.get(plain.id), await rows.get(chosen.id)
    assert (first["queue"], first["priority"], first["max_attempts"], first["tags"]) == (
        ("mail", 5, 9, ["a"])
    )
    assert (second["queue"], second["priority"], second["max_attempts"], second["tags"]) == (
        ("fast", 1, 9, ["b"])
    )
    assert second["meta"] == {"k": 1}
