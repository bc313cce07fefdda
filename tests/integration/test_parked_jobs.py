"""Jobs that park while they await a signal, and what deaths in between leave of them."""

from __future__ import annotations

import asyncio
import contextlib
import signal as unix
import threading
from pathlib import Path
from typing import Any

import pytest

from staffa import (
    Snooze,
    await_signal,
    await_signal_sync,
    job,
)
from staffa.errors import SignalTimeout
from tests.conftest import MakeClient
from tests.support import app as support
from tests.support.app import steps, wait_for_signal
from tests.support.events import Recorder, eventually
from tests.support.places import until, until_awaiting
from tests.support.processes import WorkerProcess

SECONDS = 3600.0
PROMPT: dict[str, Any] = support.PROMPT


async def test_a_parked_job_runs_again_from_its_top_and_keeps_its_attempt(
    make: MakeClient, events: Recorder
) -> None:
    runs: list[Any] = []

    @job
    async def work() -> None:
        runs.append("begun")
        runs.append(await await_signal(live=0))

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        parked = await until(app, stored, "scheduled")
        assert (parked.attempt, parked.errors) == (0, [])
        assert "snoozed" not in parked.meta
        assert parked.meta["staffa_parked"] == ["signal"]
        assert await app.signal(stored.id or 0, "go") == [stored.id]
        done = await until(app, stored, "completed")
    assert runs == ["begun", "begun", "go"]
    assert (done.attempt, done.errors) == (1, [])


async def test_several_signals_are_awaited_by_their_names_and_come_again_in_each_run(
    make: MakeClient,
) -> None:
    runs: list[list[Any]] = []

    @job
    async def work() -> None:
        got: list[Any] = []
        runs.append(got)
        got.append(await await_signal(name="first", live=0))
        got.append(await await_signal(name="second", live=0))

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await until(app, stored, "scheduled")
        assert await app.signal(stored, 2, name="second") == [stored.id]
        await until(app, stored, "scheduled")
        assert await app.signal(stored, 1, name="first") == [stored.id]
        await until(app, stored, "completed")
    assert runs == [[], [1, 2]]


async def test_whichever_of_several_signals_comes_first_ends_the_parking(make: MakeClient) -> None:
    @job(recorded=True)
    async def work() -> list[Any]:
        waits = [
            asyncio.create_task(await_signal(name=name, live=0.5)) for name in ("left", "right")
        ]
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for other in pending:
            other.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return [found.result() for found in done]

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        parked = await until(app, stored, "scheduled")
        assert set(parked.meta["staffa_parked"]) == {"left", "right"}
        await app.signal(stored, "r", name="right")
        await until(app, stored, "completed")
        assert await app.fetch_result(stored) == ["r"]


async def test_a_wait_in_a_task_group_parks_the_job(make: MakeClient) -> None:
    @job
    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(await_signal(live=0))
            group.create_task(asyncio.sleep(SECONDS))

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        assert (await until(app, stored, "scheduled")).errors == []
        assert await app.cancel_job(stored)
        assert (await until(app, stored, "cancelled")).attempt == 0


async def test_a_stopping_node_parks_the_jobs_that_wait_live(
    make: MakeClient,
) -> None:
    begun = threading.Event()

    @job
    async def on_the_loop() -> None:
        await await_signal(live=SECONDS)

    @job
    def in_a_thread() -> None:
        begun.set()
        await_signal_sync(live=SECONDS)

    app = make()
    worker = make(queues={"default": 2}, shutdown_grace=SECONDS)
    await worker.start()
    stored = [await app.enqueue(work.new()) for work in (on_the_loop, in_a_thread)]
    for one in stored:
        await until_awaiting(app, one)
    await worker.stop()
    for one in stored:
        row = await until(app, one, "scheduled")
        assert (row.attempt, row.errors) == (0, [])
    assert len(await app.signal(stored)) == 2
    for one in stored:
        await until(app, one, "available")


async def test_a_signal_that_comes_while_the_job_parks_is_not_lost(make: MakeClient) -> None:
    parking = asyncio.Event()
    go_on = asyncio.Event()

    @job
    async def work() -> None:
        try:
            await await_signal(live=0)
        finally:
            parking.set()
            await go_on.wait()

    async with make(queues={"default": 1}, poll=SECONDS) as app:
        stored = await app.enqueue(work.new())
        await parking.wait()
        assert await app.signal(stored) == [stored.id]
        go_on.set()
        await until(app, stored, "completed")


async def test_a_job_parked_by_one_node_runs_on_another(make: MakeClient) -> None:
    @job(recorded=True)
    async def work() -> Any:
        return await await_signal(live=0)

    first = make(queues={"default": 1})
    await first.start()
    stored = await first.enqueue(work.new())
    await until(first, stored, "scheduled")
    await first.stop()
    app = make()
    async with make(queues={"default": 1}) as second:
        assert await app.signal(stored, "there") == [stored.id]
        row = await until(app, stored, "completed")
        assert row.attempted_by is not None
        assert await second.fetch_result(stored) == "there"


async def test_a_snooze_after_a_wait_is_no_parking(make: MakeClient) -> None:
    @job
    async def work() -> Snooze:
        with contextlib.suppress(SignalTimeout):
            await await_signal(wait_for=0.1, live=0)
        return Snooze(SECONDS)

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())

        async def snoozed() -> bool:
            found = await app.get_job(stored)
            return found is not None and found.meta.get("snoozed") == 1

        await eventually(snoozed, "the snooze")
        assert await app.signal(stored) == []
        row = await until(app, stored, "scheduled")
        assert row.meta["staffa_parked"] == []


async def test_the_deadline_of_a_job_ends_its_parking(make: MakeClient) -> None:
    @job(deadline=0.5)
    async def work() -> None:
        await await_signal(live=0)

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        row = await until(app, stored, "cancelled")
    assert "deadline" in row.errors[-1]["error"]


async def test_a_job_rescued_from_a_dead_process_waits_until_the_same_time(
    place: dict[str, Any], make: MakeClient, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    process = WorkerProcess(place["dsn"], place.get("prefix", "public"), log, **PROMPT)
    try:
        app = make()
        stored = await app.enqueue(wait_for_signal.new(str(tmp_path), SECONDS))
        await until_awaiting(app, stored)
        before = await app.get_job(stored)
        process.kill()
        assert await app.signal(stored, "kept") == [stored.id]
        async with make(queues={"default": 1}):
            after = await until(app, stored, "completed")
        assert await app.fetch_result(stored) == "kept"
    finally:
        process.kill()
    assert before is not None
    assert after.meta["staffa_awaits"] == before.meta["staffa_awaits"]
    assert len(steps(tmp_path, "waits")) == 2


@pytest.mark.parametrize(
    ("point", "live"),
    [
        ("checkpoint_jobs.before", SECONDS),
        ("checkpoint_jobs.after", 0.0),
        ("find_signals.after:2", SECONDS),
        ("ack_jobs.before", 0.0),
        ("ack_jobs.after", 0.0),
    ],
)
async def test_a_process_killed_at_any_step_of_a_wait_loses_nothing(
    place: dict[str, Any], make: MakeClient, tmp_path: Path, point: str, live: float
) -> None:
    app = make()
    stored = await app.enqueue(wait_for_signal.new(str(tmp_path), live))
    process = WorkerProcess(
        place["dsn"],
        place.get("prefix", "public"),
        tmp_path / "worker.log",
        environment={"STAFFA_KILL_POINT": point},
        **PROMPT,
    )
    try:
        assert await process.ended() == -unix.SIGKILL
    finally:
        process.kill()
    assert await app.signal(stored, "kept") == [stored.id]
    async with make(queues={"default": 1}):
        await until(app, stored, "completed")
        assert await app.fetch_result(stored) == "kept"
