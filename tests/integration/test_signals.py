"""Jobs that await signals: early ones, in time, too late, and what is none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from staffa import (
    Job,
    State,
    await_signal,
    await_signal_sync,
    job,
)
from staffa.errors import ConfigError, InvalidArgs, InvalidJob, SignalTimeout
from tests.conftest import MakeClient
from tests.support.app import steps
from tests.support.events import eventually
from tests.support.places import until, until_awaiting

SECONDS = 3600.0


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
        await until_awaiting(app, stored)
        assert (await until(app, stored, "executing")).attempt == 1
        assert await app.signal([stored], [1, 2]) == [stored.id]
        done = await until(worker, stored, "completed")
    assert runs == ["begun", [1, 2]]
    assert done.attempt == 1


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
        await until_awaiting(app, stored)
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


async def test_of_concurrent_signals_one_is_taken_everywhere(make: MakeClient) -> None:
    @job(recorded=True)
    async def work() -> Any:
        return await await_signal(live=SECONDS)

    clients = [make() for _ in range(3)]
    async with make(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await until_awaiting(app, stored)
        taken = await asyncio.gather(
            *(client.signal(stored, number) for number, client in enumerate(clients * 5))
        )
        await until(app, stored, "completed")
        assert sum(map(len, taken)) == 1
        assert await app.fetch_result(stored) == taken.index([stored.id or 0])


async def test_signals_that_are_not_notified_are_found_within_a_second(
    make: MakeClient,
) -> None:
    @job
    async def work() -> None:
        await await_signal(live=SECONDS)

    app = make(notifier="polling")
    async with make(queues={"default": 1}, notifier="polling") as worker:
        stored = await app.enqueue(work.new())
        await until_awaiting(app, stored)
        await app.signal(stored)
        await until(worker, stored, "completed")


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
