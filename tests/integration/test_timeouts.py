"""Attempts that take too long."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

from staffa import Job, current_job, job, worker
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows


async def test_an_async_job_that_takes_too_long_fails_with_job_timeout(
    make_client: MakeClient, rows: Rows
) -> None:
    ended: list[str] = []

    @job(timeout=0.05)
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(wait.new())
        row = await rows.until(stored.id, "retryable")
    assert "JobTimeout" in row["errors"][0]["error"]
    assert "0.05 s" in row["errors"][0]["error"]
    assert ended == ["cleaned up"]


async def test_a_thread_is_told_that_its_time_is_over(make_client: MakeClient, rows: Rows) -> None:
    @job(timeout=0.05)
    def wait() -> None:
        while True:
            current_job().raise_if_cancelled()
            threading.Event().wait(0.005)

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(wait.new())
        row = await rows.until(stored.id, "retryable")
    assert "JobTimeout" in row["errors"][0]["error"]


async def test_a_thread_that_ignores_its_timeout_is_stuck_and_its_slot_is_free(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    released = threading.Event()

    @job(timeout=0.05, name="wait")
    def wait() -> None:
        released.wait()

    @job
    def go_on() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(wait.new())
        await app.enqueue(go_on.new())
        row = await rows.until(stored.id, "retryable")
        await events.wait("staffa.job.completed")
        assert len(events.of("staffa.thread.stuck")) == 1
        released.set()
    assert "JobTimeout" in row["errors"][0]["error"]
    assert (await rows.get(stored.id))["state"] == "retryable"


async def test_a_timeout_of_one_job_goes_before_the_workers(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(timeout=3600)
    async def wait() -> None:
        await asyncio.Event().wait()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(wait.options(timeout=timedelta(milliseconds=50)).new())
        row = await rows.until(stored.id, "retryable")
    assert "JobTimeout" in row["errors"][0]["error"]


async def test_a_method_of_the_class_chooses_the_timeout(
    make_client: MakeClient, rows: Rows
) -> None:
    @worker()
    class Wait:
        async def process(self, job: Job) -> None:
            await asyncio.Event().wait()

        def timeout(self, job: Job) -> float:
            return float(job.args["seconds"])

    async with make_client(queues={"default": 1}) as app:
        name = f"{__name__}.{Wait.__qualname__}"
        stored = await app.enqueue(Job(worker=name, args={"seconds": 0.05}))
        row = await rows.until(stored.id, "retryable")
    assert "JobTimeout" in row["errors"][0]["error"]


async def test_a_timeout_error_of_the_jobs_own_is_an_error_like_any_other(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(timeout=3600)
    async def wait() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(wait.new())
        row = await rows.until(stored.id, "retryable")
    assert "JobTimeout" not in row["errors"][0]["error"]
    assert row["errors"][0]["error"].endswith("TimeoutError")
