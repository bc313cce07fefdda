"""Wake-ups of single jobs: the statement that writes a job tells of it, where it can."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from staffa import Job, Staffa, State, telemetry
from staffa.engines.postgres import PostgresEngine
from staffa.errors import DatabaseError, DataRefused
from staffa.testing.clock import VirtualClock
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Heard, Rows

SENT = "staffa.notifier.notify.start"


@pytest.fixture
async def sent() -> Any:
    """The notifications that were sent by statements of their own."""
    recorder = Recorder()
    telemetry.attach(recorder, events="staffa.notifier.notify")
    yield recorder
    telemetry.detach(recorder)


@pytest.fixture
async def app(make_client: MakeClient) -> Staffa:
    return make_client()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """The clock by which the pauses between wake-ups are measured."""
    clock = VirtualClock()
    monkeypatch.setattr("staffa.client.wakeups.SYSTEM_CLOCK", clock)
    return clock


async def test_the_statement_that_writes_a_job_tells_of_it(
    app: Staffa, heard: Heard, sent: Recorder
) -> None:
    await app.enqueue(Job(worker="a.b", queue="mail"))
    await eventually(lambda: heard, "the notification")
    assert heard == ["mail"]
    assert sent.of(SENT) == []


async def test_nobody_is_told_of_a_job_that_is_scheduled(app: Staffa, heard: Heard) -> None:
    stored = await app.enqueue(Job(worker="a.b", queue="later", scheduled_in=60))
    assert stored.state is State.SCHEDULED
    await asyncio.sleep(0.02)  # past the pause of the client
    await app.enqueue(Job(worker="a.b", queue="mail"))
    await eventually(lambda: heard, "a later notification")
    assert heard == ["mail"]


async def test_jobs_that_follow_at_once_are_told_of_together(app: Staffa, heard: Heard) -> None:
    for queue in ("first", "a", "b", "a"):
        await app.enqueue(Job(worker="a.b", queue=queue))
    await eventually(lambda: {"a", "b"} <= set(heard), "the notifications")
    assert heard[0] == "first"


async def test_jobs_one_after_the_other_tell_of_those_before_them(
    app: Staffa, heard: Heard, sent: Recorder, clock: VirtualClock
) -> None:
    for _ in range(10):
        await app.enqueue(Job(worker="a.b", queue="mail"))
        clock.advance(milliseconds=2)
    await eventually(lambda: len(heard) == 5, "the notifications")
    assert sent.of(SENT) == []
    clock.advance(milliseconds=5)
    await eventually(lambda: len(heard) == 6, "the one of the last job")


async def test_a_job_that_is_scheduled_leaves_those_before_it_to_others(
    app: Staffa, heard: Heard, clock: VirtualClock
) -> None:
    await app.enqueue(Job(worker="a.b", queue="mail"))
    await app.enqueue(Job(worker="a.b", queue="mail"))
    clock.advance(milliseconds=4)
    await app.enqueue(Job(worker="a.b", queue="mail", scheduled_in=60))
    clock.advance(milliseconds=1)
    await eventually(lambda: len(heard) == 2, "the second")


async def test_jobs_before_one_that_is_refused_are_told_of(
    app: Staffa, heard: Heard, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.enqueue(Job(worker="a.b", queue="mail"))
    await app.enqueue(Job(worker="a.b", queue="mail"))
    _refuse(monkeypatch, DataRefused("no such value", sqlstate="22P02"))
    clock.advance(milliseconds=4)
    with pytest.raises(DataRefused):
        await app.enqueue(Job(worker="a.b", queue="mail"))
    clock.advance(milliseconds=5)
    await eventually(lambda: len(heard) == 2, "the second")


async def test_nobody_is_told_of_a_job_that_is_refused(
    app: Staffa, heard: Heard, sent: Recorder, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = _refuse(monkeypatch, DataRefused("no such value", sqlstate="22P02"))
    with pytest.raises(DataRefused):
        await app.enqueue(Job(worker="a.b", queue="mail"))
    assert len(tries) == 1
    await app.stop()  # which sends what waits
    assert sent.of(SENT) == []
    assert heard == []


async def test_unique_jobs_are_told_of_by_a_statement_of_its_own(
    app: Staffa, heard: Heard, sent: Recorder
) -> None:
    await app.enqueue(Job(worker="a.b", queue="mail", unique=True))
    await eventually(lambda: heard, "the notification")
    assert heard == ["mail"]
    assert len(sent.of(SENT)) == 1


@pytest.mark.parametrize("started", [False, True])
async def test_a_worker_elsewhere_takes_it(
    make_client: MakeClient, rows: Rows, started: bool
) -> None:
    working = make_client(queues={"mail": 1}, poll=60)
    await working.start()
    sending = make_client(queues={"other": 1}, poll=60) if started else make_client()
    if started:
        await sending.start()
    job = await sending.enqueue(Job(worker="nobody.knows", queue="mail"))
    await rows.until(job.id, "scheduled")  # it was claimed, and put back, as no code has its name


async def test_a_job_is_written_though_no_more_can_be_notified_of(
    app: Staffa, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = _refuse(monkeypatch, DatabaseError("too many notifications", sqlstate="54000"))
    stored = await app.enqueue(Job(worker="a.b", queue="mail"))
    assert tries == [True, False]
    assert stored.id is not None
    found = await app.get_job(stored.id)
    assert found is not None
    assert found.state is State.AVAILABLE


async def test_what_is_refused_for_other_reasons_is_not_tried_again(
    app: Staffa, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = _refuse(monkeypatch, DataRefused("no such value", sqlstate="22P02"))
    with pytest.raises(DataRefused):
        await app.enqueue(Job(worker="a.b", queue="mail"))
    assert tries == [True]


def _refuse(monkeypatch: pytest.MonkeyPatch, error: DatabaseError) -> list[bool]:
    """Have the database refuse statements that notify; return whether each of them was to."""
    tries: list[bool] = []
    enqueue: Any = PostgresEngine.enqueue_jobs

    async def refuse(self: PostgresEngine, jobs: Any, *, wake: bool = False, **more: Any) -> Any:
        tries.append(wake)
        if wake:
            raise error
        return await enqueue(self, jobs, **more)

    monkeypatch.setattr(PostgresEngine, "enqueue_jobs", refuse)
    return tries
