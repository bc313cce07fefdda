"""Plain completions: written by their leases alone, and told of together where that is enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from staffa import State, telemetry
from staffa._internal.backoff import Backoff
from staffa.engine import Engine
from staffa.errors import DatabaseUnavailable
from staffa.queues import acker as module
from staffa.queues.acker import Acker
from staffa.queues.outcomes import Completion, Outcome
from tests.support.events import Recorder
from tests.unit.scripted import PRODUCER, ScriptedEngine, completion, outcome, until

GONE = DatabaseUnavailable("connection lost")


class Told:
    """What the acker tells, and whether completions are taken note of together."""

    def __init__(self) -> None:
        self.together: list[list[int | None]] = []
        self.settled: list[tuple[int | None, State]] = []
        self.lost: list[int | None] = []
        self.held: list[int | None] = []
        self.takes = True
        self.error: Exception | None = None

    def on_completed(self, completions: Sequence[Completion]) -> bool:
        if self.error is not None:
            raise self.error
        if self.takes:
            self.together.append([one.job.id for one in completions])
        return self.takes

    def on_settled(self, outcome: Outcome, state: State) -> None:
        self.settled.append((outcome.job.id, state))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Backoff", lambda: Backoff(first_seconds=0.0, cap_seconds=0.0))


@pytest.fixture(autouse=True)
def no_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry.events, "_audience", telemetry.events._Audience(()))


@pytest.fixture
async def engine(no_listeners: None) -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def acker(engine: ScriptedEngine, told: Told) -> AsyncIterator[Acker]:
    made = Acker(
        cast("Engine", engine),
        PRODUCER,
        told.on_settled,
        lambda job, seconds: told.lost.append(job.id),
        on_held=lambda held: told.held.append(held.job.id),
        on_completed=told.on_completed,
    )
    await made.start()
    yield made
    await made.stop()


async def write(acker: Acker, *numbers: int) -> None:
    for number in numbers:
        acker.submit(completion(number))
    await until(acker, asyncio.ensure_future(acker.flush()))


async def test_completions_are_told_of_together(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    await write(acker, 1, 2)
    assert sorted(engine.stored) == [1, 2]
    assert (told.together, told.settled) == ([[1, 2]], [])


async def test_each_is_told_of_where_there_is_more_to_do(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    told.takes = False
    await write(acker, 1, 2)
    assert told.settled == [(1, State.COMPLETED), (2, State.COMPLETED)]
    assert engine.bundles == [[1, 2]]


async def test_each_is_told_of_where_that_fails(acker: Acker, told: Told) -> None:
    told.error = RuntimeError("a hook that can't be looked at")
    await write(acker, 1)
    assert told.settled == [(1, State.COMPLETED)]


async def test_each_is_told_of_where_somebody_listens(
    acker: Acker, told: Told, events: Recorder
) -> None:
    await write(acker, 1, 2)
    ended = events.of("staffa.job.completed")
    assert [event.data["job"].id for event in ended] == [1, 2]
    assert (told.together, told.settled) == ([], [(1, State.COMPLETED), (2, State.COMPLETED)])


async def test_one_whose_lease_has_ended_is_told_as_lost(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    engine.gone = {2}
    await write(acker, 1, 2, 3)
    assert told.settled == [(1, State.COMPLETED), (3, State.COMPLETED)]
    assert (told.lost, told.together) == ([2], [])


async def test_one_whose_row_is_held_is_handed_on(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    engine.held = {1}
    await write(acker, 1, 2)
    assert (told.held, told.settled) == ([1], [(2, State.COMPLETED)])


@pytest.mark.parametrize("errors", [1, 5])
async def test_they_are_written_again_after_an_outage(
    acker: Acker, engine: ScriptedEngine, told: Told, errors: int
) -> None:
    engine.before = [GONE] * errors
    await write(acker, 1, 2)
    assert sorted(engine.stored) == [1, 2]
    assert told.settled == [(1, State.COMPLETED), (2, State.COMPLETED)]


async def test_what_a_lost_reply_had_written_is_no_lost_lease(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    engine.after = [GONE]
    await write(acker, 1)
    assert (engine.traced, told.settled, told.lost) == ([[1]], [(1, State.COMPLETED)], [])


async def test_until_it_is_written_a_completion_is_held(
    acker: Acker, engine: ScriptedEngine
) -> None:
    engine.gate.clear()
    acker.submit(completion(1))
    await engine.waiting.wait()
    acker.submit(completion(2))
    assert [ended.lease.id for ended in acker.unwritten()] == [1, 2]
    engine.gate.set()
    await until(acker, asyncio.ensure_future(acker.flush()))
    assert acker.unwritten() == []


async def test_beside_other_outcomes_they_are_written_as_those_are(
    acker: Acker, engine: ScriptedEngine, told: Told
) -> None:
    acker.submit(completion(1))
    acker.submit(outcome(2, State.RETRYABLE, "boom"))
    await until(acker, asyncio.ensure_future(acker.flush()))
    assert engine.bundles == [[1, 2]]
    assert told.settled == [(1, State.COMPLETED), (2, State.RETRYABLE)]
