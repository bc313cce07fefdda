"""What follows a run: hooks that raise, never end or ignore their end, and looks at rows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from staffa import Cancel, Job, State, hooks
from staffa._internal.backoff import Backoff
from staffa.engine import Ack, Engine, Lease, Rescued
from staffa.errors import DatabaseError, DatabaseUnavailable
from staffa.queues import aftermath as module
from staffa.queues.aftermath import Aftermath
from staffa.queues.outcomes import Outcome
from staffa.queues.pools.thread import ThreadPool
from staffa.types import EndReason
from tests.support.events import Recorder, eventually
from tests.unit.rows import CLAIMED_AT, claimed


class Rows:
    """Stands for the engine: the rows that are read."""

    def __init__(self) -> None:
        self.found: dict[int, Job] = {}
        self.errors: list[Exception] = []
        self.reads = 0

    async def get_jobs(self, ids: Sequence[int]) -> list[Job]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return [self.found[number] for number in ids if number in self.found]


class Audit:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def after_process(self, state: State, job: Job, result: object) -> None:
        self.told.append(("after", state, job.id, result))

    async def on_cancelled(self, reason: EndReason, job: Job) -> None:
        self.told.append(("cancelled", reason, job.id))

    def on_discarded(self, reason: EndReason, job: Job) -> None:
        self.told.append(("discarded", reason, job.id))


@pytest.fixture(autouse=True)
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_attached", ())
    monkeypatch.setattr(module, "Backoff", lambda: Backoff(first_seconds=0.0, cap_seconds=0.0))


@pytest.fixture
def audit(no_hooks: None) -> Audit:
    made = Audit()
    hooks.attach(made)
    return made


@pytest.fixture
async def rows() -> Rows:
    return Rows()


@pytest.fixture
async def aftermath(rows: Rows) -> AsyncIterator[Aftermath]:
    threads = ThreadPool()
    made = Aftermath(cast("Engine", rows), threads)
    await made.start()
    yield made
    await made.stop()
    threads.stop()


def ended(
    state: State, number: int = 1, result: object = None, reason: EndReason | None = None
) -> Outcome:
    job = claimed(id=number)
    return Outcome(job, Ack(lease=Lease.of(job), state=state), result=result, reason=reason)


def row(state: State, number: int = 1, **columns: Any) -> Job:
    job = claimed(id=number, **columns)
    job.state = state
    return job


async def settle(aftermath: Aftermath, outcome: Outcome, state: State | None = None) -> None:
    aftermath.settled(outcome, state or outcome.ack.state)
    await aftermath.flush(30)


@pytest.mark.parametrize(
    "state", [State.COMPLETED, State.RETRYABLE, State.SCHEDULED, State.CANCELLED, State.DISCARDED]
)
async def test_after_process_is_told_the_state_the_job_and_what_was_returned_or_raised(
    aftermath: Aftermath, audit: Audit, state: State
) -> None:
    result = ValueError("boom")
    await settle(aftermath, ended(state, result=result, reason=EndReason.ERROR))
    assert audit.told[0] == ("after", state, 1, result)
    assert audit.told[1:] == {
        State.CANCELLED: [("cancelled", EndReason.ERROR, 1)],
        State.DISCARDED: [("discarded", EndReason.ERROR, 1)],
    }.get(state, [])


async def test_a_last_attempt_that_failed_is_exhausted_whatever_was_asked_for(
    aftermath: Aftermath, audit: Audit
) -> None:
    await settle(aftermath, ended(State.RETRYABLE), State.DISCARDED)
    assert audit.told == [("after", "discarded", 1, None), ("discarded", "exhausted", 1)]


async def test_a_run_that_was_broken_off_or_could_not_begin_has_no_hooks(
    aftermath: Aftermath, audit: Audit
) -> None:
    await settle(aftermath, ended(State.AVAILABLE))
    job = claimed()
    ack = Ack(lease=Lease.of(job), state=State.SCHEDULED)
    await settle(aftermath, Outcome(job, ack, unknown_worker=True))
    assert audit.told == []


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(),
     asyncio.CancelledError(), TimeoutError(), StopAsyncIteration()],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("waits", [False, True])
async def test_whatever_a_hook_raises_is_reported_and_keeps_no_other_from_being_called(
    aftermath: Aftermath, events: Recorder, error: BaseException, waits: bool
) -> None:
    class Raises:
        def after_process(self, *told: object) -> None:
            raise error

    class RaisesLater:
        async def after_process(self, *told: object) -> None:
            await asyncio.sleep(0)
            raise error

    hooks.attach(RaisesLater() if waits else Raises())
    audit = Audit()
    hooks.attach(audit)
    await settle(aftermath, ended(State.DISCARDED, 1))
    await settle(aftermath, ended(State.COMPLETED, 2))
    assert [told[0] for told in audit.told] == ["after", "discarded", "after"]
    reports = events.of("staffa.error")
    assert len(reports) == 2
    known = {type(error), RuntimeError} if isinstance(error, GeneratorExit) else {type(error)}
    assert {type(event.data["error"]) for event in reports} <= known
    assert all("after_process raised" in event.data["what"] for event in reports)
    assert aftermath.running


async def test_hooks_of_one_job_come_one_after_the_other(aftermath: Aftermath) -> None:
    told: list[str] = []
    go_on = threading.Event()

    class Slow:
        def after_process(self, *_: object) -> None:
            go_on.wait(30)
            told.append("slow")

    class Waits:
        async def after_process(self, *_: object) -> None:
            await asyncio.sleep(0)
            told.append("waits")

        async def on_discarded(self, *_: object) -> None:
            told.append("discarded")

    hooks.attach(Slow())
    hooks.attach(Waits())
    aftermath.settled(ended(State.DISCARDED), State.DISCARDED)
    await asyncio.sleep(0.01)
    assert told == []
    go_on.set()
    await aftermath.flush(30)
    assert told == ["slow", "waits", "discarded"]


async def test_a_hook_that_never_ends_holds_up_no_other_job_and_is_given_up(
    aftermath: Aftermath, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hangs:
        async def after_process(self, state: State, job: Job, result: object) -> None:
            if job.id == 1:
                await asyncio.Event().wait()

    hooks.attach(Hangs())
    audit = Audit()
    hooks.attach(audit)
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.2)
    aftermath.settled(ended(State.COMPLETED, 1), State.COMPLETED)
    aftermath.settled(ended(State.COMPLETED, 2), State.COMPLETED)
    await eventually(lambda: audit.told, "the hooks of the other job")
    assert [told[2] for told in audit.told] == [2]
    await aftermath.flush(30)
    assert [told[2] for told in audit.told] == [2, 1]
    (event,) = events.of("staffa.error")
    assert "took longer than 0.2 s" in event.data["what"]


class Stubborn:
    """Hooks that ignore whatever should end them."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()

    async def after_process(self, *_: object) -> None:
        self.begun.set()
        while not self.released.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    def on_discarded(self, *_: object) -> None:
        self.begun.set()
        self.released.wait()


@pytest.mark.parametrize("kind", ["after_process", "on_discarded"])
async def test_a_hook_that_ignores_its_end_is_left_behind_when_the_process_stops(
    aftermath: Aftermath, events: Recorder, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    stubborn = Stubborn()
    monkeypatch.delattr(Stubborn, "after_process" if kind == "on_discarded" else "on_discarded")
    hooks.attach(stubborn)
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.1)
    aftermath.settled(ended(State.DISCARDED), State.DISCARDED)
    await eventually(stubborn.begun.is_set, "the hook")
    await aftermath.flush(0.05)
    assert "1 jobs had not ended" in events.of("staffa.error")[0].data["what"]
    left = list(aftermath._tasks)
    async with asyncio.timeout(30):
        await aftermath.stop()
    stubborn.released.set()
    await asyncio.wait(left)


async def test_a_hook_that_can_not_be_asked_for_its_methods_harms_no_service(
    aftermath: Aftermath, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    monkeypatch.setattr(hooks, "_attached", (Odd(),))
    with pytest.raises(RuntimeError):  # the acker reports it
        aftermath.settled(ended(State.COMPLETED), State.COMPLETED)
    aftermath.lost(claimed(), 1.0)
    await aftermath.flush(30)
    assert aftermath.running


async def test_a_lost_lease_is_a_manual_cancel_if_the_row_says_so(
    aftermath: Aftermath, rows: Rows, audit: Audit, events: Recorder
) -> None:
    rows.found[1] = row(State.CANCELLED)
    aftermath.lost(claimed(), 2.5)
    await aftermath.flush(30)
    (event,) = events.of("staffa.job.cancelled")
    assert (event.data["job"].id, event.data["seconds"]) == (1, 2.5)
    after, cancelled = audit.told
    assert after[:3] == ("after", State.CANCELLED, 1)
    assert str(after[3]) == "job 1 was cancelled while it ran"
    assert cancelled == ("cancelled", EndReason.MANUAL, 1)


@pytest.mark.parametrize(
    "found",
    [
        None,
        row(State.AVAILABLE),
        row(State.EXECUTING),
        row(State.COMPLETED),
        row(State.CANCELLED, attempted_at=CLAIMED_AT + timedelta(seconds=1)),
        row(State.CANCELLED, attempted_at=None),
    ],
    ids=repr,
)
async def test_a_lost_lease_of_a_job_that_was_not_cancelled_has_no_hooks(
    aftermath: Aftermath, rows: Rows, audit: Audit, events: Recorder, found: Job | None
) -> None:
    if found is not None:
        rows.found[1] = found
    aftermath.lost(claimed(), 2.5)
    await aftermath.flush(30)
    assert rows.reads == 1
    assert audit.told == []
    assert events.of("staffa.job.cancelled") == []


async def test_an_outage_puts_the_look_at_rows_off(
    aftermath: Aftermath, rows: Rows, audit: Audit
) -> None:
    rows.errors = [DatabaseUnavailable("gone")] * 50
    rows.found[1] = row(State.DISCARDED)
    aftermath.rescued(Rescued(1, "default", "myapp.send", State.DISCARDED), EndReason.RESCUES)
    await aftermath.flush(30)
    assert rows.reads == 51
    assert audit.told == [("discarded", EndReason.RESCUES, 1)]


async def test_a_row_that_can_not_be_read_is_reported(
    aftermath: Aftermath, rows: Rows, audit: Audit, events: Recorder
) -> None:
    rows.errors = [DatabaseError("no such column")]
    aftermath.cancelled([1])
    await aftermath.flush(30)
    assert "what follows a run failed" in events.of("staffa.error")[0].data["what"]
    rows.found[2] = row(State.CANCELLED, 2)
    aftermath.cancelled([2])
    await aftermath.flush(30)
    assert audit.told == [("cancelled", EndReason.MANUAL, 2)]


async def test_rescued_jobs_are_not_read_where_nobody_asks(
    aftermath: Aftermath, rows: Rows
) -> None:
    aftermath.rescued(Rescued(1, "default", "myapp.send", State.DISCARDED), EndReason.RESCUES)
    await settle(aftermath, ended(State.COMPLETED))
    assert rows.reads == 0


async def test_jobs_that_were_changed_since_have_no_hooks(
    aftermath: Aftermath, rows: Rows, audit: Audit
) -> None:
    rows.found = {1: row(State.AVAILABLE, 1), 2: row(State.CANCELLED, 2)}
    aftermath.cancelled([1, 2, 3])
    await aftermath.flush(30)
    assert audit.told == [("cancelled", EndReason.MANUAL, 2)]


async def test_an_outcome_tells_reporters_of_cancel_and_discard_without_asking_the_reason() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    job = claimed()
    ack = Ack(lease=Lease.of(job), state=State.CANCELLED, error="Cancel: enough")
    assert str(Outcome(job, ack, result=Cancel(Odd())).exception) == "Cancel: enough"
