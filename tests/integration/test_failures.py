"""Failed attempts: whatever a job raises ends that attempt, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from staffa import Job, job
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


class HostileText(Exception):
    """Its text can't be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class HostileTextThatExits(Exception):
    """Making its text asks the process to end."""

    def __str__(self) -> str:
        raise SystemExit(3)


class HostileAttributes(Exception):
    """It answers every question with an error, as a careless `__getattr__` does."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


HostileModule = type("HostileModule", (Exception,), {"__module__": 5})


def _without_offset() -> BaseException:
    error = SyntaxError("bad", ("file", 1, 1, "text"))
    error.offset = "none"  # type: ignore[assignment]  # as a parser of templates may do
    return error


def _cyclic() -> BaseException:
    error, other = ValueError("one"), ValueError("two")
    error.__cause__, other.__cause__ = other, error
    return error


HOSTILE: list[Callable[[], BaseException]] = [
    lambda: SystemExit(0),
    KeyboardInterrupt,
    GeneratorExit,
    lambda: BaseException("base"),
    asyncio.CancelledError,
    lambda: StopIteration(5),
    StopAsyncIteration,
    lambda: TimeoutError("not ours"),
    lambda: BaseExceptionGroup("many", [KeyboardInterrupt(), ValueError("x")]),
    lambda: HostileText("x"),
    lambda: HostileTextThatExits("x"),
    lambda: HostileAttributes("x"),
    lambda: HostileModule("x"),
    _without_offset,
    lambda: ValueError("nul \x00, surrogate \ud800, escape \x1b[31m"),
    lambda: ValueError("x" * 1_000_000),
    _cyclic,
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("in_thread", [False, True])
async def test_whatever_is_raised_fails_that_attempt_only(
    number: int, in_thread: bool, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(name="fail")
    async def fail() -> None:
        error = HOSTILE[number]()
        raise error

    @job(name="fail thread")
    def fail_in_thread() -> None:
        error = HOSTILE[number]()
        raise error

    @job
    async def go_on() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail_in_thread.new() if in_thread else fail.new())
        row = await rows.until(stored.id, "retryable")
        await app.enqueue(go_on.new())
        await events.wait("staffa.job.completed")
        assert app.check_queue("default").running == ()
    assert row["attempt"] == 1
    assert [error["attempt"] for error in row["errors"]] == [1]
    assert len(row["errors"][0]["error"]) < 70_000


async def test_the_error_holds_the_traceback_of_the_users_code_alone(
    make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def divide() -> float:
        return 1 / int("0")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(divide.new())
        row = await rows.until(stored.id, "retryable")
    text = row["errors"][0]["error"]
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ZeroDivisionError: division by zero")
    assert "return 1 / int" in text
    assert "staffa/queues" not in text
    assert row["errors"][0]["at"].endswith("Z")


async def test_the_first_retry_comes_after_the_default_backoff(
    make_client: MakeClient, rows: Rows
) -> None:
    @job
    async def fail() -> None:
        raise ValueError("no")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        row = await rows.until(stored.id, "retryable")
    waits = (row["scheduled_at"] - row["attempted_at"]).total_seconds()
    assert 17 <= waits < 60  # 15 + 2^1 and at most a tenth more, from the end of the run


async def test_a_backoff_that_raises_is_replaced_by_the_default(
    make_client: MakeClient, rows: Rows
) -> None:
    def broken(job: Job) -> float:
        raise RuntimeError("no idea")

    @job(backoff=broken)
    async def fail() -> None:
        raise ValueError("no")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        row = await rows.until(stored.id, "retryable")
    assert "ValueError: no" in row["errors"][0]["error"]


async def test_a_failed_job_runs_again_until_its_attempts_are_used_up(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(max_attempts=3, backoff=lambda job, error: 0.01 if "again" in str(error) else 60)
    async def fail() -> None:
        raise ValueError("again")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(fail.new())
        row = await rows.until(stored.id, "discarded")
    assert [error["attempt"] for error in row["errors"]] == [1, 2, 3]
    assert row["attempt"] == 3
    assert row["discarded_at"] is not None


async def test_a_job_that_fails_once_completes_at_its_second_attempt(
    make_client: MakeClient, rows: Rows
) -> None:
    seen: list[list[dict[str, Any]]] = []

    @job(backoff=0.01)
    async def flaky() -> None:
        from_row = (await app.get_job(stored)) if seen else None
        seen.append([] if from_row is None else from_row.errors)
        if len(seen) == 1:
            raise ValueError("once")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(flaky.new())
        row = await rows.until(stored.id, "completed")
    assert row["attempt"] == 2
    assert len(row["errors"]) == 1
    assert len(seen[1]) == 1
