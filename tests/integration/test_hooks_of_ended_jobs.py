"""Hooks of jobs that others end: by a cancel, a death, an outage, a lost lease, a lost reply."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from staffa import Job, State, current_job, hooks, job
from staffa.errors import DeadlinePassed
from staffa.filters import JobFilter
from tests.conftest import MakeClient
from tests.integration.test_hooks import Keeps
from tests.support.app import die
from tests.support.events import Recorder, eventually
from tests.support.processes import Spawn
from tests.support.proxy import Proxy
from tests.support.rows import Rows

SLOW_BEAT = {"heartbeat": 900, "dead_after": 3600, "poll": 3600}
ACK = "-- Write the outcomes of jobs"


@pytest.fixture(autouse=True)
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_attached", ())


@pytest.fixture
def keeps() -> Keeps:
    return Keeps()


def after(keeps: Keeps) -> list[tuple[object, ...]]:
    """Return what was told after runs."""
    return [told for told in keeps.told if told[1] != "before"]


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_running_job_that_another_client_cancels_is_told_of_by_its_node(
    in_thread: bool, make_client: MakeClient, rows: Rows, events: Recorder, keeps: Keeps
) -> None:
    @job(name="loop", hooks=[keeps])
    async def on_the_loop() -> None:
        await asyncio.Event().wait()

    @job(name="thread", hooks=[keeps])
    def in_a_thread() -> None:
        while not current_job().cancelled():
            threading.Event().wait(0.005)
        current_job().raise_if_cancelled()

    other = make_client()
    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        stored = await app.enqueue(Job(worker="thread" if in_thread else "loop"))
        await events.wait("staffa.job.start")
        assert await other.cancel_job(stored)
        await eventually(lambda: len(after(keeps)) == 2, "the hooks")
    (state, number, result), cancelled = after(keeps)[0][1:], after(keeps)[1]
    assert (state, number) == (State.CANCELLED, stored.id)
    assert f"job {stored.id} was cancelled" in str(result)
    assert cancelled == ("", "on_cancelled", stored.id, "manual")
    names = [event.name for event in events.events if event.name.startswith("staffa.job.")]
    assert names == ["staffa.job.start", "staffa.job.lease_lost", "staffa.job.cancelled"]
    (event,) = events.of("staffa.job.cancelled")
    assert event.instance == app.config.name
    assert event.data["seconds"] >= 0


async def test_a_job_that_ends_before_it_hears_of_its_cancel_is_told_of(
    make_client: MakeClient, rows: Rows, events: Recorder, keeps: Keeps
) -> None:
    go_on = asyncio.Event()

    @job(name="finish", hooks=[keeps])
    async def finish() -> str:
        await go_on.wait()
        return "done"

    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        stored = await app.enqueue(finish.new())
        await events.wait("staffa.job.start")
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'cancelled', cancelled_at = now()"
        )
        go_on.set()
        await eventually(lambda: len(after(keeps)) == 2, "the hooks")
    assert after(keeps)[0][1:3] == (State.CANCELLED, stored.id)
    assert after(keeps)[1] == ("", "on_cancelled", stored.id, "manual")
    assert len(events.of("staffa.job.lease_lost")) == 1
    assert len(events.of("staffa.job.cancelled")) == 1
    assert events.of("staffa.job.completed") == []


async def test_a_lease_that_was_taken_away_has_no_hooks(
    make_client: MakeClient, rows: Rows, events: Recorder, keeps: Keeps
) -> None:
    go_on = asyncio.Event()

    @job(hooks=[keeps])
    async def finish() -> None:
        await go_on.wait()

    async with make_client(queues={"default": 1}, **SLOW_BEAT) as app:
        await app.enqueue(finish.new())
        await events.wait("staffa.job.start")
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET state = 'completed', completed_at = now()"
        )
        go_on.set()
        await events.wait("staffa.job.lease_lost")
    assert after(keeps) == []
    assert events.of("staffa.job.cancelled") == []


async def test_a_run_that_a_stopping_process_broke_off_has_no_hooks(
    make_client: MakeClient, rows: Rows, events: Recorder, keeps: Keeps
) -> None:
    @job(hooks=[keeps])
    async def wait() -> None:
        await asyncio.Event().wait()

    app = make_client(queues={"default": 1})
    await app.start()
    stored = await app.enqueue(wait.new())
    await events.wait("staffa.job.start")
    await app.stop(grace=0)
    assert (await rows.get(stored.id))["state"] == "available"
    assert after(keeps) == []


async def test_a_deadline_that_passed_is_told_as_the_reason(
    make_client: MakeClient, events: Recorder, keeps: Keeps
) -> None:
    @job(hooks=[keeps], deadline=0)
    async def work() -> None: ...

    async with make_client(queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await eventually(lambda: len(keeps.told) == 2, "the hooks")
    assert keeps.told[0][1:3] == (State.CANCELLED, stored.id)
    assert isinstance(keeps.told[0][3], DeadlinePassed)
    assert keeps.told[1] == ("", "on_cancelled", stored.id, "deadline")


async def test_a_job_that_kills_its_process_too_often_is_told_by_the_node_that_finds_it(
    make_client: MakeClient, rows: Rows, events: Recorder, spawn: Spawn, tmp_path: Path
) -> None:
    keeps = Keeps()
    hooks.attach(keeps)
    process = spawn(max_rescues=0)
    await process.running()
    other = {"heartbeat": 0.2, "dead_after": 2.5, "max_rescues": 0}
    async with make_client(queues={"other": 1}, **other) as app:
        stored = await app.enqueue(die.new(str(tmp_path)))
        await process.ended()
        row = await rows.until(stored.id, "discarded")
        await eventually(lambda: keeps.told, "the hook")
    assert keeps.told == [("", "on_discarded", stored.id, "rescues")]
    assert "max_rescues" in row["errors"][0]["error"]


async def test_hooks_wait_for_an_outcome_that_an_outage_holds_up(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder, keeps: Keeps
) -> None:
    go_on = asyncio.Event()
    states: list[str] = []

    class Looks:
        async def after_process(self, state: State, job: Job, result: object) -> None:
            states.append((await rows.get(job.id))["state"])

    @job(hooks=[Looks(), keeps])
    async def work() -> None:
        await go_on.wait()

    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        stored = await app.enqueue(work.new())
        await events.wait("staffa.job.start")
        await proxy.close()
        go_on.set()
        await events.until(
            lambda: any("outcomes wait" in str(event.data.get("what")) for event in events.events),
            "an attempt to write the outcome",
        )
        assert (after(keeps), states) == ([], [])
        await proxy.open()
        await eventually(lambda: after(keeps), "the hook")
        assert states == ["completed"]
    assert after(keeps) == [("", State.COMPLETED, stored.id, None)]


async def test_a_last_failure_whose_reply_was_lost_is_told_as_exhausted(
    make_client: MakeClient, proxy: Proxy, rows: Rows, events: Recorder, keeps: Keeps
) -> None:
    @job(hooks=[keeps], max_attempts=1)
    async def fail() -> None:
        raise ValueError("no")

    async with make_client(dsn=proxy.dsn, queues={"default": 1}) as app:
        proxy.lose_reply(ACK)
        stored = await app.enqueue(fail.new())
        await proxy.caught()
        await eventually(lambda: len(after(keeps)) == 2, "the hooks")
    assert after(keeps)[0][1:3] == (State.DISCARDED, stored.id)
    assert after(keeps)[1] == ("", "on_discarded", stored.id, "exhausted")
    assert events.of("staffa.job.lease_lost") == []


@pytest.mark.parametrize("state", ["available", "scheduled", "retryable", "suspended"])
@pytest.mark.parametrize("node", [False, True])
async def test_a_job_that_is_cancelled_while_it_waits_is_told_of_by_whoever_cancels_it(
    node: bool,
    state: str,
    make_client: MakeClient,
    rows: Rows,
    events: Recorder,
    keeps: Keeps,
) -> None:
    @job(name="work", hooks=[keeps])
    async def work() -> None: ...

    app = make_client(queues={"other": 1} if node else None)
    await app.start()
    number = await rows.insert(worker="work", state=state, scheduled_at="2099-01-01")
    assert await app.cancel_job(number)
    if node:
        await eventually(lambda: keeps.told, "the hook")
    assert keeps.told == [("", "on_cancelled", number, "manual")]
    (event,) = events.of("staffa.job.cancelled")
    assert (event.data["job"].id, event.data["job"].worker) == (number, "work")
    assert event.instance == app.config.name
    assert not await app.cancel_job(number)
    assert len(keeps.told) == len(events.of("staffa.job.cancelled")) == 1


async def test_a_client_that_was_never_started_tells_of_its_cancels(
    make_client: MakeClient, rows: Rows, keeps: Keeps
) -> None:
    threads: list[str] = []

    class Plain:
        def on_cancelled(self, reason: str, job: Job) -> None:
            threads.append(threading.current_thread().name)

    hooks.attach(Plain())
    hooks.attach(keeps)
    number = await rows.insert(worker="unknown.here")
    assert await make_client().cancel_job(number)
    assert keeps.told == [("", "on_cancelled", number, "manual")]
    assert threads == ["staffa-thread"]


async def test_many_cancels_call_the_hooks_of_each_job_once(
    make_client: MakeClient, rows: Rows, keeps: Keeps
) -> None:
    @job(name="kept", hooks=[keeps], queue="kept")
    async def kept() -> None: ...

    @job(name="silent", queue="silent")
    async def silent() -> None: ...

    app = make_client()
    stored = await app.enqueue_many(kept.new() for _ in range(250))
    await app.enqueue_many(silent.new() for _ in range(250))
    assert len(await app.cancel_many_jobs(stored[:120])) == 120
    assert sorted(told[2] for told in keeps.told) == [one.id for one in stored[:120]]
    assert await app.cancel_many_jobs(JobFilter(), everything=True) == 380
    assert sorted(told[2] for told in keeps.told) == [one.id for one in stored]


async def test_a_cancel_without_hooks_reads_nothing(
    make_client: MakeClient, proxy: Proxy, keeps: Keeps
) -> None:
    @job(name="kept", hooks=[keeps])
    async def kept() -> None: ...

    @job(name="silent")
    async def silent() -> None: ...

    app = make_client(dsn=proxy.dsn)
    await app.cancel_job(await app.enqueue(silent.new()))
    assert proxy.ran("-- Read jobs") == 0
    await app.cancel_job(await app.enqueue(kept.new()))
    assert proxy.ran("-- Read jobs") == 1


async def test_hooks_of_a_cancel_that_raise_are_reported_and_the_cancel_stands(
    make_client: MakeClient, rows: Rows, events: Recorder, keeps: Keeps
) -> None:
    class Breaks:
        async def on_cancelled(self, reason: str, job: Job) -> None:
            raise SystemExit(1)

    @job(hooks=[Breaks(), keeps])
    async def work() -> None: ...

    app = make_client()
    stored = await app.enqueue(work.new())
    assert await app.cancel_job(stored)
    assert (await rows.get(stored.id))["state"] == "cancelled"
    assert keeps.told == [("", "on_cancelled", stored.id, "manual")]
    (event,) = events.of("staffa.error")
    assert event.data["what"].endswith("Breaks.on_cancelled raised")
    assert event.instance == app.config.name
