"""Writing outcomes back: when the database refuses, goes away, or loses its reply."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import State, service
from staffa._internal.backoff import Backoff
from staffa.engine import Ack
from staffa.errors import DatabaseError, DatabaseUnavailable, StatementConflict
from staffa.queues import acker as module
from staffa.queues.acker import Acker
from tests.support.events import Recorder
from tests.unit.scripted import ScriptedEngine, make_acker, outcome, until

GONE = DatabaseUnavailable("connection lost")
TOO_LONG = StatementConflict("canceled", sqlstate="57014")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the acker try again without a delay."""
    monkeypatch.setattr(module, "Backoff", lambda: Backoff(first_seconds=0.0, cap_seconds=0.0))


@pytest.fixture
async def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
async def acker(engine: ScriptedEngine) -> AsyncIterator[Acker]:
    made = make_acker(engine)
    await made.start()
    yield made
    await made.stop()


async def flush(acker: Acker) -> None:
    """Wait until all is written."""
    await until(acker, asyncio.ensure_future(acker.flush()))
    assert acker.unwritten() == []


def told(events: Recorder, name: str) -> list[int | None]:
    """Return the jobs of which something was told."""
    return [event.data["job"].id for event in events.of(f"staffa.job.{name}")]


async def test_an_outcome_is_told_with_its_job_time_and_error(
    acker: Acker, events: Recorder
) -> None:
    acker.submit(outcome(1, State.RETRYABLE, "boom"))
    await flush(acker)
    (event,) = events.of("staffa.job.retryable")
    assert (event.data["job"].id, event.data["seconds"], event.data["error"]) == (1, 0.5, "boom")


async def test_nothing_is_told_before_the_commit(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.gate.clear()
    acker.submit(outcome(1))
    await engine.waiting.wait()
    assert events.events == []
    assert [one.job.id for one in acker.unwritten()] == [1]
    engine.gate.set()
    await flush(acker)
    assert told(events, "completed") == [1]


async def test_what_comes_during_a_write_goes_into_the_next_bundle(
    acker: Acker, engine: ScriptedEngine
) -> None:
    engine.gate.clear()
    acker.submit(outcome(1))
    await engine.waiting.wait()
    for number in range(2, 8):
        acker.submit(outcome(number))
    assert len(acker.unwritten()) == 7
    engine.gate.set()
    await flush(acker)
    assert engine.bundles == [[1], [2, 3, 4, 5, 6, 7]]


async def test_a_bundle_has_a_limit(acker: Acker, engine: ScriptedEngine) -> None:
    for number in range(1, 5002):
        acker.submit(outcome(number))
    await flush(acker)
    assert [len(bundle) for bundle in engine.bundles] == [5000, 1]


async def test_the_state_that_the_database_chose_is_the_one_that_is_told(
    acker: Acker, engine: ScriptedEngine, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ack_jobs(acks: list[Ack], producer: object, *, wait: bool) -> dict[int, State]:
        return {ack.lease.id: State.DISCARDED for ack in acks}

    monkeypatch.setattr(engine, "ack_jobs", ack_jobs)
    acker.submit(outcome(1, State.RETRYABLE, "the last attempt"))
    await flush(acker)
    assert told(events, "discarded") == [1]


async def test_an_outage_of_any_length_loses_nothing(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.before = [GONE] * 500
    acker.submit(outcome(1))
    await flush(acker)
    assert told(events, "completed") == [1]
    assert len(events.of("staffa.error")) == 500


async def test_an_outcome_whose_reply_was_lost_is_looked_up_and_told_as_written(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.after = [GONE]
    for number in (1, 2):
        acker.submit(outcome(number))
    await flush(acker)
    assert engine.traced == [[1, 2]]
    assert told(events, "completed") == [1, 2]
    assert told(events, "lease_lost") == []


async def test_one_that_left_no_trace_after_a_lost_reply_has_lost_its_lease(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.before, engine.gone = [GONE], {2}
    for number in (1, 2):
        acker.submit(outcome(number))
    await flush(acker)
    assert engine.traced == [[2]]
    assert (told(events, "completed"), told(events, "lease_lost")) == ([1], [2])


async def test_a_look_up_that_fails_is_repeated(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.after, engine.trace_errors = [GONE], [GONE, StatementConflict("deadlock"), GONE]
    acker.submit(outcome(1))
    await flush(acker)
    assert len(engine.traced) == 4
    assert told(events, "completed") == [1]


@pytest.mark.parametrize("error", [None, StatementConflict("deadlock"), DatabaseError("odd")])
async def test_a_lease_that_was_lost_is_told_and_not_looked_up_when_every_reply_came(
    acker: Acker, engine: ScriptedEngine, events: Recorder, error: DatabaseError | None
) -> None:
    engine.before, engine.gone = [error] if error else [], {1}
    acker.submit(outcome(1))
    await flush(acker)
    assert (engine.traced, told(events, "lease_lost")) == ([], [1])


async def test_a_row_that_somebody_holds_is_handed_over_and_holds_up_no_other(
    engine: ScriptedEngine, events: Recorder
) -> None:
    handed: list[int | None] = []
    acker = make_acker(engine, on_held=lambda outcome: handed.append(outcome.job.id))
    await acker.start()
    engine.held = {2}
    for number in (1, 2, 3):
        acker.submit(outcome(number))
    await flush(acker)
    await acker.stop()
    assert (told(events, "completed"), told(events, "lease_lost")) == ([1, 3], [])
    assert handed == [2]


async def test_what_is_written_stays_so_when_the_rest_of_its_bundle_is_refused_later(
    engine: ScriptedEngine, events: Recorder
) -> None:
    """The refused one was held at the first try, so that the others were written then."""
    engine.held, engine.look_errors = {2}, [GONE]
    engine.refuses = lambda ack: (
        len(engine.bundles) > 1 and ack.lease.id == 2 and ack.state is State.COMPLETED
    )
    acker = make_acker(engine)
    acker.submit(outcome(1))
    acker.submit(outcome(2))
    await acker.start()
    await flush(acker)
    await acker.stop()
    assert told(events, "completed") == [1]
    assert told(events, "lease_lost") == []
    assert engine.bundles == [[1, 2], [2], [2]]


async def test_what_was_written_is_known_though_the_look_at_the_others_failed(
    engine: ScriptedEngine, events: Recorder
) -> None:
    acker = make_acker(engine)
    await acker.start()
    engine.held, engine.look_errors = {2}, [GONE, StatementConflict("55P03")]
    for number in (1, 2):
        acker.submit(outcome(number))
    await flush(acker)
    await acker.stop()
    assert (told(events, "completed"), told(events, "lease_lost")) == ([1], [])


@pytest.mark.parametrize("bad", [{1}, {37}, {64}, {1, 2, 63}, set(range(1, 65))])
async def test_a_refused_bundle_is_halved_until_the_bad_outcomes_stand_alone(
    acker: Acker, engine: ScriptedEngine, events: Recorder, bad: set[int]
) -> None:
    engine.refuses = lambda ack: ack.lease.id in bad and ack.error == "poison"
    for number in range(1, 65):
        acker.submit(outcome(number, State.CANCELLED, "poison"))
    await flush(acker)
    assert set(told(events, "cancelled")) == set(range(1, 65)) - bad
    assert set(told(events, "retryable")) == bad
    assert len(engine.bundles) <= 1 + len(bad) * (2 * 6 + 1)
    for number in bad:
        ack = engine.stored[number]
        assert (ack.refund, ack.meta) == (False, None)
        assert ack.error == "the outcome could not be stored: SQLSTATE 22P05"
        assert ack.delay is not None


async def test_a_bundle_that_takes_too_long_is_halved_and_its_outcomes_stay_as_they_are(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.before = [TOO_LONG] * 3
    for number in range(1, 9):
        acker.submit(outcome(number))
    await flush(acker)
    assert [len(bundle) for bundle in engine.bundles] == [8, 4, 2, 1, 1, 2, 4]
    assert told(events, "completed") == list(range(1, 9))


async def test_what_was_committed_before_a_bundle_took_too_long_is_known_as_written(
    acker: Acker, engine: ScriptedEngine, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, tries = engine.ack_jobs, itertools.count(1)

    async def ack_jobs(*given: Any, **more: Any) -> dict[int, State]:
        if next(tries) == 2:
            raise TOO_LONG
        return await write(*given, **more)

    monkeypatch.setattr(engine, "ack_jobs", ack_jobs)
    engine.after = [GONE]
    for number in (1, 2):
        acker.submit(outcome(number))
    await flush(acker)
    assert (told(events, "completed"), told(events, "lease_lost")) == ([1, 2], [])


async def test_an_outage_amid_the_halving_loses_nothing(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.refuses = lambda ack: ack.lease.id == 3 and ack.error is None
    engine.after = [GONE, GONE]
    for number in range(1, 9):
        acker.submit(outcome(number))
    await flush(acker)
    assert sorted(told(events, "completed")) == [1, 2, 4, 5, 6, 7, 8]  # type: ignore[type-var]  # all have ids
    assert told(events, "retryable") == [3]


@pytest.mark.parametrize("error", [None, ValueError("4300 digits")], ids=["refused", "unforeseen"])
async def test_an_outcome_that_can_not_be_written_in_any_form_stops_no_other(
    acker: Acker,
    engine: ScriptedEngine,
    events: Recorder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="staffa")
    monkeypatch.setattr(service, "Backoff", lambda: Backoff(first_seconds=0.0, cap_seconds=0.0))
    engine.refuses, engine.refusal = lambda ack: ack.lease.id == 1, error
    for number in (1, 2):
        acker.submit(outcome(number))
    await until(acker, asyncio.ensure_future(events.wait("staffa.job.completed")))
    acker.submit(outcome(3))
    await until(acker, asyncio.ensure_future(events.wait("staffa.job.completed", 2)))
    assert set(told(events, "completed")) == {2, 3}


async def test_an_error_that_nobody_foresaw_loses_no_outcome(
    acker: Acker, engine: ScriptedEngine, events: Recorder
) -> None:
    engine.before = [ZeroDivisionError("a defect")]
    for number in (1, 2):
        acker.submit(outcome(number))
    await until(acker, asyncio.ensure_future(events.wait("staffa.job.completed", 2)))
    assert told(events, "completed") == [1, 2]


async def test_an_outcome_that_is_being_written_when_it_stops_is_known_as_unwritten(
    engine: ScriptedEngine,
) -> None:
    acker = make_acker(engine)
    await acker.start()
    engine.gate.clear()
    acker.submit(outcome(1))
    await engine.waiting.wait()
    acker.submit(outcome(2))
    await acker.stop()
    assert [one.job.id for one in acker.unwritten()] == [1, 2]


async def test_one_that_is_started_again_writes_what_was_left(
    engine: ScriptedEngine, events: Recorder
) -> None:
    acker = make_acker(engine)
    await acker.start()
    engine.gate.clear()
    acker.submit(outcome(1))
    await engine.waiting.wait()
    await acker.stop()
    engine.gate.set()
    await acker.start()
    await flush(acker)
    await acker.stop()
    assert told(events, "completed") == [1]
