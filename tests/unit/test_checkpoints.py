"""Notes of running jobs: when they are written, together with which, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from staffa._internal.backoff import Backoff
from staffa.engine import Checkpoint, Engine, Hold, Lease, Producer
from staffa.errors import (
    DatabaseUnavailable,
    DataRefused,
    InvalidJob,
    JobCancelled,
    StatementConflict,
)
from staffa.queues import checkpoints as module
from staffa.queues.checkpoints import Checkpoints
from tests.support.events import Recorder, eventually
from tests.unit.rows import CLAIMED_AT
from tests.unit.scripted import PRODUCER


class SteppedClock:
    """A clock that goes on when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return CLAIMED_AT.astimezone(UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Notes:
    """Stands for the engine: keeps what is noted, and fails where a test says so."""

    def __init__(self) -> None:
        self.bundles: list[dict[int, dict[str, Any]]] = []
        self.stored: dict[int, dict[str, Any]] = {}
        self.gone: set[int] = set()
        self.held: set[int] = set()
        self.errors: list[BaseException] = []
        self.refuses: Callable[[Checkpoint], bool] = lambda checkpoint: False
        self.refusal: Exception = DataRefused("too large", sqlstate="54000")
        self.gate = asyncio.Event()
        self.gate.set()

    async def checkpoint_jobs(
        self, checkpoints: Sequence[Checkpoint], producer: Producer
    ) -> frozenset[Lease]:
        assert producer == PRODUCER
        self.bundles.append({noted.lease.id: dict(noted.meta) for noted in checkpoints})
        assert len(self.bundles[-1]) == len(checkpoints)
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        if any(self.refuses(noted) for noted in checkpoints):
            raise self.refusal
        written = [noted for noted in checkpoints if noted.lease.id not in self.gone | self.held]
        for noted in written:
            self.stored.setdefault(noted.lease.id, {}).update(noted.meta)
        return frozenset(noted.lease for noted in written)

    async def find_holds(self, leases: Sequence[Lease], producer: Producer) -> list[Hold]:
        assert producer == PRODUCER
        return [Hold.HELD if lease.id in self.held else Hold.ENDED for lease in leases]


def lease(number: int) -> Lease:
    return Lease(number, 1, CLAIMED_AT)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "Backoff", lambda **given: Backoff(first_seconds=0.0, cap_seconds=0.0)
    )


@pytest.fixture
async def notes() -> Notes:
    return Notes()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def checkpoints(notes: Notes, clock: SteppedClock) -> AsyncIterator[Checkpoints]:
    made = Checkpoints(cast("Engine", notes), PRODUCER, clock)
    await made.start()
    yield made
    await made.stop()


async def test_a_checkpoint_is_stored_when_its_call_returns(
    checkpoints: Checkpoints, notes: Notes
) -> None:
    await checkpoints.write(lease(1), {"page": 3})
    assert notes.stored == {1: {"page": 3}}
    await checkpoints.write(lease(1), {"page": 4, "more": True})
    assert notes.stored == {1: {"page": 4, "more": True}}


async def test_what_comes_during_a_statement_goes_out_together_in_the_next(
    checkpoints: Checkpoints, notes: Notes
) -> None:
    notes.gate.clear()
    first = asyncio.ensure_future(checkpoints.write(lease(1), {"page": 1}))
    await eventually(lambda: notes.bundles, "the first statement")
    writes = [
        asyncio.ensure_future(checkpoints.write(lease(number), {"page": page}))
        for page in (1, 2)
        for number in range(2, 2002)
    ]
    await asyncio.sleep(0)
    notes.gate.set()
    await asyncio.gather(first, *writes)
    assert [len(bundle) for bundle in notes.bundles] == [1, 1000, 1000]
    assert notes.stored == {1: {"page": 1}, **{number: {"page": 2} for number in range(2, 2002)}}


async def test_large_checkpoints_do_not_all_go_into_one_statement(
    checkpoints: Checkpoints, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGEST_CHARACTERS", 1000)
    texts = {number: "x" * (5000 if number == 3 else 300) for number in range(1, 8)}
    await asyncio.gather(
        *(checkpoints.write(lease(number), {"text": text}) for number, text in texts.items())
    )
    assert [list(bundle) for bundle in notes.bundles] == [[1, 2], [3], [4, 5, 6], [7]]


async def test_of_the_progress_of_a_second_the_last_is_written(
    checkpoints: Checkpoints, notes: Notes, clock: SteppedClock
) -> None:
    checkpoints.note(lease(1), {"progress": 0})
    await eventually(lambda: notes.stored, "the first progress, at once")
    for value in range(1, 100):
        checkpoints.note(lease(1), {"progress": value})
    await checkpoints.write(lease(2), {})
    clock.seconds += 0.99
    await checkpoints.write(lease(2), {})
    assert notes.stored[1] == {"progress": 0}
    clock.seconds += 0.01
    await checkpoints.write(lease(2), {})
    assert notes.stored[1] == {"progress": 99}
    assert sum(1 in bundle for bundle in notes.bundles) == 2


async def test_progress_goes_out_by_itself_when_its_second_is_over(
    checkpoints: Checkpoints, notes: Notes, clock: SteppedClock
) -> None:
    checkpoints.note(lease(1), {"progress": 0})
    await eventually(lambda: notes.stored, "the first progress")
    clock.seconds += 0.999
    checkpoints.note(lease(1), {"progress": 1})
    clock.seconds += 0.001
    await eventually(lambda: notes.stored[1] == {"progress": 1}, "the second progress")


async def test_thousands_of_jobs_that_tell_progress_all_the_time_make_few_statements(
    checkpoints: Checkpoints, notes: Notes, clock: SteppedClock
) -> None:
    for turn in range(5):
        for value in range(20):
            for number in range(1, 3001):
                checkpoints.note(lease(number), {"progress": (turn, value)})
            await asyncio.sleep(0)
        clock.seconds += 1
        await checkpoints.write(lease(9999), {})
    assert len(notes.stored) == 3001
    await eventually(
        lambda: {notes.stored[number]["progress"] for number in range(1, 3001)} == {(4, 19)},
        "the last progress of all",
    )
    assert len(notes.bundles) <= 30


async def test_progress_that_is_not_written_is_taken_along_by_the_outcome(
    checkpoints: Checkpoints, notes: Notes, clock: SteppedClock
) -> None:
    checkpoints.note(lease(1), {"progress": 0})
    await eventually(lambda: notes.stored, "the first progress")
    assert checkpoints.take(lease(1)) is None
    checkpoints.note(lease(1), {"progress": 1})
    checkpoints.note(lease(1), {"progress": 2})
    assert checkpoints.take(lease(1)) == {"progress": 2}
    assert checkpoints.take(lease(1)) is None
    clock.seconds += 5
    await checkpoints.write(lease(2), {})
    assert notes.stored[1] == {"progress": 0}


async def test_progress_that_comes_while_its_predecessor_is_written_is_not_lost(
    checkpoints: Checkpoints, notes: Notes, clock: SteppedClock
) -> None:
    notes.gate.clear()
    checkpoints.note(lease(1), {"progress": 1})
    await eventually(lambda: notes.bundles, "the statement")
    checkpoints.note(lease(1), {"progress": 2})
    notes.gate.set()
    clock.seconds += 1
    await checkpoints.write(lease(2), {})
    await eventually(lambda: notes.stored[1] == {"progress": 2}, "the newer progress")


async def test_a_checkpoint_of_a_lease_that_has_ended_is_a_cancellation(
    checkpoints: Checkpoints, notes: Notes
) -> None:
    notes.gone = {1}
    writes = [asyncio.ensure_future(checkpoints.write(lease(number), {})) for number in (1, 2)]
    with pytest.raises(JobCancelled, match="job 1 is not ours any more"):
        await writes[0]
    await writes[1]


async def test_a_row_that_somebody_holds_holds_up_its_own_job_alone(
    checkpoints: Checkpoints, notes: Notes
) -> None:
    notes.held = {1}
    held = asyncio.ensure_future(checkpoints.write(lease(1), {"page": 1}))
    checkpoints.note(lease(1), {"progress": 7})
    await checkpoints.write(lease(2), {"page": 2})
    await eventually(lambda: len(notes.bundles) > 3, "further tries")
    assert not held.done()
    assert checkpoints.take(lease(1)) == {"progress": 7}
    notes.held = set()
    await held
    assert notes.stored == {1: {"page": 1}, 2: {"page": 2}}


async def test_progress_of_a_lease_that_has_ended_is_forgotten(
    checkpoints: Checkpoints, notes: Notes
) -> None:
    notes.gone = {1}
    checkpoints.note(lease(1), {"progress": 1})
    await eventually(lambda: notes.bundles, "the statement")
    await eventually(lambda: not checkpoints._progress, "its end")
    assert checkpoints.take(lease(1)) is None


@pytest.mark.parametrize("refusal", [DataRefused("no", sqlstate="54000"), TypeError("no JSON")])
async def test_what_is_refused_fails_its_own_job_alone(
    checkpoints: Checkpoints, notes: Notes, events: Recorder, refusal: Exception
) -> None:
    notes.refuses = lambda checkpoint: "bad" in checkpoint.meta
    notes.refusal = refusal
    notes.gate.clear()
    held = asyncio.ensure_future(checkpoints.write(lease(1), {}))
    await eventually(lambda: notes.bundles, "the first statement")
    writes = [
        asyncio.ensure_future(checkpoints.write(lease(number), {"bad" if number == 77 else "a": 1}))
        for number in range(2, 102)
    ]
    await asyncio.sleep(0)
    notes.gate.set()
    found = await asyncio.gather(held, *writes, return_exceptions=True)
    failed = [error for error in found if error is not None]
    assert [type(error) for error in failed] == [InvalidJob]
    assert len(notes.stored) == 100
    assert len(notes.bundles) < 20
    assert "job 77" in events.of("staffa.error")[0].data["what"]
    await checkpoints.write(lease(77), {"good": 1})


async def test_progress_that_is_refused_is_reported_and_dropped(
    checkpoints: Checkpoints, notes: Notes, events: Recorder
) -> None:
    notes.refuses = lambda checkpoint: "progress" in checkpoint.meta
    checkpoints.note(lease(1), {"progress": 1})
    await events.wait("staffa.error")
    assert checkpoints.take(lease(1)) is None
    await checkpoints.write(lease(2), {})


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), StatementConflict("40001")])
async def test_an_outage_of_any_length_loses_nothing(
    checkpoints: Checkpoints, notes: Notes, events: Recorder, error: Exception
) -> None:
    notes.errors = [error] * 100
    checkpoints.note(lease(1), {"progress": 1})
    await checkpoints.write(lease(2), {"page": 2})
    assert notes.stored == {1: {"progress": 1}, 2: {"page": 2}}
    assert len(events.of("staffa.error")) == 100


async def test_a_job_that_is_cancelled_while_it_waits_writes_nothing_more(
    checkpoints: Checkpoints, notes: Notes
) -> None:
    notes.gate.clear()
    held = asyncio.ensure_future(checkpoints.write(lease(1), {}))
    await eventually(lambda: notes.bundles, "the first statement")
    waiting = asyncio.ensure_future(checkpoints.write(lease(2), {"page": 1}))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    notes.gate.set()
    await held
    await checkpoints.write(lease(3), {})
    assert 2 not in notes.stored


async def test_a_job_that_is_left_behind_waits_for_nothing(
    checkpoints: Checkpoints, notes: Notes
) -> None:
    notes.gate.clear()
    waiting = asyncio.ensure_future(checkpoints.write(lease(1), {}))
    await eventually(lambda: notes.bundles, "the statement")
    await checkpoints.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(JobCancelled, match="left behind"):
        await checkpoints.write(lease(1), {})
    notes.gate.set()
    await checkpoints.start()
    await checkpoints.write(lease(1), {"page": 1})
    assert notes.stored == {1: {"page": 1}}
