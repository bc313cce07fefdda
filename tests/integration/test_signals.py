"""Jobs that await signals: early ones, live, parked, too late, and what deaths in between leave."""

from __future__ import annotations

import asyncio
import contextlib
import signal as unix
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from staffa import (
    Job,
    Snooze,
    Staffa,
    State,
    await_signal,
    await_signal_sync,
    job,
)
from staffa.errors import ConfigError, InvalidArgs, InvalidJob, SignalTimeout
from tests.conftest import MakeClient
from tests.support import app as support
from tests.support.app import steps, wait_for_signal
from tests.support.events import Recorder, eventually
from tests.support.places import KINDS, Clients, make_place, until
from tests.support.processes import WorkerProcess

SECONDS = 3600.0
PROMPT: dict[str, Any] = support.PROMPT


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A migrated database of either kind, as a client takes it."""
    return make_place(request.param, request, tmp_path)


@pytest.fixture
async def make(place: dict[str, Any]) -> AsyncIterator[MakeClient]:
    """Makes clients on it, each stopped at the end."""
    clients = Clients(place)
    yield clients
    await clients.stop()


async def waiting(app: Staffa, stored: Job, name: str = "signal") -> None:
    """Return once a running job has noted that it waits."""

    async def noted() -> bool:
        found = await app.get_job(stored)
        return found is not None and name in found.meta.get("staffa_awaits", {})

    await eventually(noted, f"job {stored.id} to wait")


async def test_an_early_signal_is_kept_until_it_is_awaited(make: MakeClient) -> None:
    got: list[Any] = []

    @job
    async def work() -> None:
        got.append(await await_signal())

    app = make()
    stored = await app.enqueue(work.new())
    assert await app.signal(stored, {"approved": True}) == [stored.id]
    assert await app.signal(stored, {"approved": False}) == []
    async with make(queues={"default": 1}) as worker:
        await until(worker, stored, "completed")
    assert got == [{"approved": True}]


async def test_a_live_wait_gets_its_signal_without_ending_its_run(make: MakeClient) -> None:
    runs: list[Any] = []

    @job
    async def work() -> None:
        runs.append("begun")
        runs.append(await await_signal(live=SECONDS))

    app = make()
    async with make(queues={"default": 1}) as worker:
        stored = await app.enqueue(work.new())
        await waiting(app, stored)
        assert (await until(app, stored, "executing")).attempt == 1
        assert await app.signal([stored], [1, 2]) == [stored.id]
        done = await until(worker, stored, "completed")
    assert runs == ["begun", [1, 2]]
    assert done.attempt == 1


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


@pytest.mark.parametrize("live", [0.0, SECONDS])
async def test_a_signal_that_has_not_come_in_time_times_out_and_is_refused_then(
    make: MakeClient, live: float
) -> None:
    ended: list[str] = []

    @job
    async def work() -> None:
        try:
            await await_signal(wait_for=0.3, live=live)
        except SignalTimeout as error:
            ended.append(str(error))
        await await_signal(name="after", live=0)

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())

        async def late() -> bool:
            found = await app.get_job(stored)
            return found is not None and "after" in found.meta.get("staffa_parked", [])

        await eventually(late, "the job to be parked after its time-out")
        await until(app, stored, "scheduled")
        assert await app.signal(stored, 1) == []
        await app.signal(stored, 2, name="after")
        await until(app, stored, "completed")
    assert ended == [f"signal 'signal' of job {stored.id} has not come in time"] * 2


async def test_a_time_out_that_nobody_catches_fails_the_attempt(make: MakeClient) -> None:
    @job(max_attempts=1)
    async def work() -> None:
        await await_signal(wait_for=0)

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        row = await until(app, stored, "discarded")
    assert "SignalTimeout" in row.errors[0]["error"]


@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_plain_functions_wait_and_park_as_well(
    make: MakeClient, executor: str, tmp_path: Path
) -> None:
    from tests.support.app import wait_in_process, wait_in_thread  # noqa: PLC0415

    work = wait_in_thread if executor == "thread" else wait_in_process
    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new(str(tmp_path), SECONDS))
        await waiting(app, stored)
        await app.signal(stored, {"n": 1})
        await until(app, stored, "completed")
        assert await app.fetch_result(stored) == {"n": 1}
        other = await app.enqueue(work.new(str(tmp_path), 0.0))
        assert (await until(app, other, "scheduled")).errors == []
        await app.signal(other, {"n": 2})
        await until(app, other, "completed")
        assert await app.fetch_result(other) == {"n": 2}
    runs = [step.id for step in steps(tmp_path, "waits")]
    assert (runs.count(stored.id or 0), runs.count(other.id or 0)) == (1, 2)


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
        await waiting(app, one)
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


async def test_of_concurrent_signals_one_is_taken_everywhere(make: MakeClient) -> None:
    @job(recorded=True)
    async def work() -> Any:
        return await await_signal(live=SECONDS)

    clients = [make() for _ in range(3)]
    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await waiting(app, stored)
        taken = await asyncio.gather(
            *(client.signal(stored, number) for number, client in enumerate(clients * 5))
        )
        await until(app, stored, "completed")
        assert sum(map(len, taken)) == 1
        assert await app.fetch_result(stored) == taken.index([stored.id or 0])


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


async def test_signals_that_are_not_notified_are_found_within_a_second(
    make: MakeClient,
) -> None:
    @job
    async def work() -> None:
        await await_signal(live=SECONDS)

    app = make(notifier="polling")
    async with make(queues={"default": 1}, notifier="polling") as worker:
        stored = await app.enqueue(work.new())
        await waiting(app, stored)
        await app.signal(stored)
        await until(worker, stored, "completed")


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
        await waiting(app, stored)
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


async def test_what_is_no_signal_is_refused(make: MakeClient) -> None:
    app = make()
    stored = await app.enqueue(Job(worker="tests.Work"))
    with pytest.raises(InvalidArgs, match=r"signal\.payload"):
        await app.signal(stored, object())
    with pytest.raises(InvalidArgs, match="more than 65536"):
        await app.signal(stored, "x" * 65_536)
    with pytest.raises(ConfigError, match="signal name ''"):
        await app.signal(stored, name="")
    with pytest.raises(InvalidJob, match="no id"):
        await app.signal(0)
    with pytest.raises(InvalidJob, match="no job is running"):
        await await_signal()
    assert await app.signal([]) == []
    assert (await until(app, stored, State.AVAILABLE)).meta == {}


async def test_a_blocking_wait_on_the_loop_is_refused(make: MakeClient) -> None:
    @job(max_attempts=1)
    async def work() -> None:
        await_signal_sync()

    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        row = await until(app, stored, "discarded")
    assert "await await_signal" in row.errors[0]["error"]


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
