"""Whom the acker tells of outcomes, and that what these do harms no other outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from staffa import Discard, Job, State
from staffa._internal.backoff import Backoff
from staffa.engine import Engine
from staffa.errors import DatabaseUnavailable, DataRefused
from staffa.queues import acker as module
from staffa.queues.acker import Acker
from staffa.queues.outcomes import Outcome
from staffa.types import EndReason
from tests.support.events import Recorder
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER, ScriptedEngine, outcome, until

GONE = DatabaseUnavailable("connection lost")


class Told:
    """What the acker tells."""

    def __init__(self) -> None:
        self.settled: list[tuple[Outcome, State]] = []
        self.lost: list[tuple[int | None, float]] = []
        self.error: Exception | None = None

    def on_settled(self, outcome: Outcome, state: State) -> None:
        if self.error is not None:
            raise self.error
        self.settled.append((outcome, state))

    def on_lost(self, job: Job, seconds: float) -> None:
        if self.error is not None:
            raise self.error
        self.lost.append((job.id, seconds))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Backoff", lambda: Backoff(first_seconds=0.0, cap_seconds=0.0))


@pytest.fixture
async def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def acker(engine: ScriptedEngine, told: Told) -> AsyncIterator[Acker]:
    made = Acker(cast("Engine", engine), PRODUCER, told.on_settled, told.on_lost)
    await made.start()
    yield made
    await made.stop()


async def flush(acker: Acker) -> None:
    await until(acker, asyncio.ensure_future(acker.flush()))


async def test_hooks_are_told_after_the_commit_alone(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    engine.before = [GONE] * 20
    engine.gate.clear()
    acker.submit(outcome(1))
    await engine.waiting.wait()
    assert told.settled == []
    engine.gate.set()
    await flush(acker)
    assert [(found.job.id, state) for found, state in told.settled] == [(1, State.COMPLETED)]


async def test_a_lease_that_was_lost_is_told_as_lost_and_nothing_else(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    engine.gone = {1}
    acker.submit(outcome(1))
    acker.submit(outcome(2))
    await flush(acker)
    assert told.lost == [(1, 0.5)]
    assert [found.job.id for found, _ in told.settled] == [2]


async def test_what_is_told_may_raise_and_no_outcome_is_written_again(
    acker: Acker, engine: ScriptedEngine, told: Told, events: Recorder
) -> None:
    told.error = RuntimeError("a hook that can't be asked")
    engine.gone = {3}
    for number in (1, 2, 3):
        acker.submit(outcome(number))
    await flush(acker)
    assert engine.bundles == [[1, 2, 3]]
    assert len(events.of("staffa.job.completed")) == 2
    assert [event.data["job"].id for event in events.of("staffa.job.lease_lost")] == [3]
    assert len(events.of("staffa.error")) == 3
    told.error = None
    acker.submit(outcome(4))
    await flush(acker)
    assert [found.job.id for found, _ in told.settled] == [4]


@pytest.mark.parametrize(("attempt", "state"), [(19, State.RETRYABLE), (20, State.DISCARDED)])
async def test_a_failure_whose_reply_was_lost_is_told_with_the_state_that_it_led_to(
    acker: Acker,
    engine: ScriptedEngine,
    told: Told,
    events: Recorder,
    attempt: int,
    state: State,
) -> None:
    engine.after = [GONE]
    failed = outcome(1, State.RETRYABLE, "boom")
    acker.submit(replace(failed, job=claimed(id=1, attempt=attempt, max_attempts=20)))
    await flush(acker)
    assert [found for _, found in told.settled] == [state]
    assert len(events.of(f"staffa.job.{state}")) == 1


async def test_an_outcome_that_stands_for_a_refused_one_has_neither_its_result_nor_its_reason(
    acker: Acker, engine: ScriptedEngine, told: Told, events: Recorder
) -> None:
    engine.refuses = lambda ack: ack.state is State.DISCARDED
    refused = replace(
        outcome(1, State.DISCARDED, "Discard: no"),
        result=Discard("no"),
        reason=EndReason.RESULT,
    )
    acker.submit(refused)
    await flush(acker)
    ((found, state),) = told.settled
    assert state is State.RETRYABLE
    assert found.reason is None
    assert isinstance(found.result, DataRefused)
    assert isinstance(events.of("staffa.job.retryable")[0].data["exception"], DataRefused)
