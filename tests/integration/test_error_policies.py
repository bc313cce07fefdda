"""Error policies and aliases of jobs that really run."""

from __future__ import annotations

from datetime import datetime

import pytest

from staffa import Job, current_job, job, worker
from staffa.definitions import WorkerOptions
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


class Down(Exception): ...


class Gone(Down): ...


@pytest.mark.parametrize(
    ("options", "state", "delay"),
    [
        ({}, "retryable", None),
        ({"discard_on": Down}, "discarded", None),
        ({"cancel_on": [LookupError, Down]}, "cancelled", None),
        ({"retry_on": {Down: 3600}, "backoff": 5}, "retryable", 3600),
        ({"retry_on": {Down: lambda job, error: 60 * len(str(error))}}, "retryable", 240),
        ({"retry_on": {LookupError: 5}, "backoff": 600}, "retryable", 600),
        ({"discard_on": Down, "retry_on": {Gone: 3600}}, "retryable", 3600),
        ({"discard_on": Gone, "retry_on": {Down: 3600}}, "discarded", None),
    ],
    ids=[
        "default", "discard_on", "cancel_on", "retry_on", "retry_on a function", "backoff",
        "retry_on a subclass", "discard_on a subclass",
    ],
)  # fmt: skip
@pytest.mark.parametrize("in_thread", [False, True])
async def test_an_error_ends_a_job_or_waits_as_its_class_says(
    in_thread: bool,
    options: WorkerOptions,
    state: str,
    delay: float | None,
    make_client: MakeClient,
    rows: Rows,
    events: Recorder,
) -> None:
    error = Gone("away")

    async def fail_later() -> None:
        raise error

    def fail() -> None:
        raise error

    made = job(**options)(fail if in_thread else fail_later)
    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(made.new())
        (event,) = await events.wait(f"staffa.job.{state}")
    row = await rows.get(stored.id)
    assert row["state"] == state
    assert event.data["exception"] is error
    assert (row["attempt"], len(row["errors"])) == (1, 1)
    assert row["errors"][0]["error"].endswith("Gone: away")
    if delay is not None:
        failed_at = datetime.fromisoformat(row["errors"][0]["at"]).replace(tzinfo=None)
        assert (row["scheduled_at"] - failed_at).total_seconds() == pytest.approx(delay)


async def test_the_last_attempt_is_discarded_whatever_retry_on_says(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(retry_on={Down: 3600}, max_attempts=1)
    async def fail() -> None:
        raise Down

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        await rows.until(stored.id, "discarded")


async def test_a_retry_on_that_raises_leaves_the_default(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    def broken(job: Job) -> float:
        raise RuntimeError("no idea")

    @job(retry_on={Down: broken})
    async def fail() -> None:
        raise Down

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        await rows.until(stored.id, "retryable")
    assert "backoff of" in events.of("staffa.error")[0].data["what"]


async def test_rows_under_an_old_name_run_the_new_code_and_keep_their_name(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    seen: list[str] = []

    @job(name="new.send", aliases=["old.send"])
    async def send(to: str) -> None:
        seen.append(f"{current_job().worker} {to}")

    @worker(name="new.Badge", aliases=["old.Badge", "older.Badge"])
    class Badge:
        def process(self, job: Job) -> None:
            seen.append(job.worker)

    async with make_client(queues={"default": 1}) as app:
        old = await rows.insert(worker="old.send", args='{"to": "ada"}')
        oldest = await rows.insert(worker="older.Badge")
        new = await app.enqueue(send.new("bob"))
        await events.wait("staffa.job.completed", 3)
    assert sorted(seen) == ["new.send bob", "old.send ada", "older.Badge"]
    assert [(await rows.get(number))["worker"] for number in (old, oldest, new.id)] == [
        "old.send", "older.Badge", "new.send",
    ]  # fmt: skip


async def test_policies_and_hooks_are_those_of_the_code_whatever_the_rows_name(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    told: list[str] = []

    class Keeps:
        def on_discarded(self, reason: str, job: Job) -> None:
            told.append(job.worker)

    @job(name="new.fail", aliases=["old.fail"], discard_on=Down, hooks=[Keeps()])
    async def fail() -> None:
        raise Down

    async with make_client(queues={"default": 1}):
        number = await rows.insert(worker="old.fail")
        await rows.until(number, "discarded")
    assert told == ["old.fail"]
