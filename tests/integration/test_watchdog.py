"""A job that blocks the event loop of a node is named; a node whose jobs wait is left in peace."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from staffa import current_job, job
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

SOON = {"loop_blocked_after": 0.2}


def careless_sleep(events: Recorder, count: int = 1) -> None:
    """Block the loop until the watchdog has told of it."""
    give_up = time.monotonic() + 30
    while len(events.of("staffa.loop.blocked")) < count and time.monotonic() < give_up:
        time.sleep(0.01)


async def test_a_job_that_sleeps_on_the_loop_is_named_once_with_its_stack(
    make_client: MakeClient,
    rows: Rows,
    events: Recorder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @job(name="careless")
    async def careless() -> None:
        careless_sleep(events)
        time.sleep(0.5)  # noqa: ASYNC251  # several times as long as it takes to be noticed

    async with make_client(queues={"default": 1}, **SOON) as app:
        stored = await app.enqueue(careless.new())
        (freed,) = await events.wait("staffa.loop.freed")
        (blocked,) = events.of("staffa.loop.blocked")
    for event in (blocked, freed):
        assert event.instance == app.config.name
        assert event.data["job"].id == stored.id
    assert freed.data["seconds"] > blocked.data["seconds"] >= 0.2
    assert "careless_sleep" in blocked.data["stack"]
    lines = [record.message for record in caplog.records if "is blocked by" in record.message]
    assert len(lines) == 1
    assert f"job {stored.id} careless" in lines[0]
    assert "careless_sleep" in lines[0]


async def test_what_a_job_started_beside_itself_is_named_as_far_as_python_tells(
    make_client: MakeClient, events: Recorder
) -> None:
    @job(name="careless")
    async def careless() -> None:
        async def block() -> None:
            assert current_job().worker == "careless"
            careless_sleep(events)

        await asyncio.get_running_loop().create_task(block())

    async with make_client(queues={"default": 1}, **SOON) as app:
        stored = await app.enqueue(careless.new())
        await events.wait("staffa.loop.freed")
    (blocked,) = events.of("staffa.loop.blocked")
    assert "careless_sleep" in blocked.data["stack"]
    if sys.version_info >= (3, 12):
        assert blocked.data["job"].id == stored.id
    else:
        assert blocked.data["job"] is None


async def test_jobs_that_wait_or_run_in_threads_block_nothing(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    @job(name="waits")
    async def waits() -> None:
        await asyncio.sleep(0.5)

    @job(name="thread")
    def thread() -> None:
        time.sleep(0.5)

    async with make_client(queues={"default": 10}, loop_blocked_after=5) as app:
        await app.enqueue_many([waits.new(), thread.new()] * 3)
        await rows.until_count(completed=6)
    assert events.of("staffa.loop.blocked") == []


async def test_each_of_two_clients_in_a_process_is_told_of_the_block(
    make_client: MakeClient, events: Recorder
) -> None:
    @job(name="careless")
    async def careless() -> None:
        careless_sleep(events, 2)

    async with (
        make_client(queues={"default": 1}, **SOON) as one,
        make_client(queues={"other": 1}, **SOON) as other,
    ):
        both = {one.config.name, other.config.name}
        await one.enqueue(careless.new())
        await eventually(
            lambda: {event.instance for event in events.of("staffa.loop.freed")} >= both,
            "the end of the block, told to both",
        )
    told = [(event.instance, event.data["job"]) for event in events.of("staffa.loop.blocked")]
    assert {name for name, _ in told} == both
    assert [job.worker for name, job in told if name == one.config.name and job] == ["careless"]
