"""Outcomes of jobs of flows are written beside the others, and what follows from them is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest

from staffa import State
from staffa.engine import Ack, Ending, Engine, Hold, Lease, Producer
from staffa.leases import as_ack, lease_of
from staffa.linking import Followed, LinkedAcks
from staffa.queues.acker import Acker
from staffa.queues.linked_acker import LinkedAcker
from staffa.queues.outcomes import Completion, Outcome
from tests.support.events import eventually
from tests.unit.rows import CLAIMED_AT, claimed
from tests.unit.scripted import PRODUCER, ScriptedEngine, outcome, until


class LinkedEngine(ScriptedEngine):
    """Writes outcomes of jobs of flows apart.

    Attributes:
        linked: The bundles of those.
        roots: The jobs whose roots somebody else holds, for so many more tries.
        fans: How many jobs go on by the end of a job, if it is not one.
        door: A write of those waits for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linked: list[list[int]] = []
        self.roots: dict[int, int] = {}
        self.fans: dict[int, int] = {}
        self.door = asyncio.Event()
        self.door.set()

    async def ack_linked_jobs(
        self,
        acks: Sequence[Ending],
        producer: Producer,
        *,
        flows: Mapping[int, tuple[str, ...]] | None = None,
        wait: bool = True,
    ) -> LinkedAcks:
        """Write what nobody else holds."""
        assert not wait
        numbers = [lease_of(ack).id for ack in acks]
        assert flows == dict.fromkeys(numbers, ("w",))
        self.linked.append(numbers)
        await self.door.wait()
        left = frozenset(number for number in numbers if self._is_held(number))
        found = [number for number in numbers if number not in left | self.held]
        states = {lease_of(ack).id: as_ack(ack).state for ack in acks}
        states = {number: states[number] for number in found}
        woken = sum(self.fans.get(number, 1) for number in found)
        followed = Followed({"mail": woken}, ended=("w",) if found else ())
        return LinkedAcks(states, followed, left)

    def _is_held(self, number: int) -> bool:
        left = self.roots.get(number, 0)
        self.roots[number] = left - 1
        return left > 0

    async def find_holds(self, leases: Sequence[Lease], producer: Producer) -> list[Hold]:
        """Tell what is held; of those whose roots are held nobody asks."""
        assert all(self.roots[lease.id] <= 0 for lease in leases)
        return [Hold.HELD if lease.id in self.held else Hold.FREE for lease in leases]


@dataclass
class Told:
    """What was told.

    Args:
        settled: The jobs whose outcomes are stored.
        completed: Those of which that was told at once.
        held: Those whose rows somebody holds.
        followed: What has followed.
    """

    settled: list[int | None] = field(default_factory=list)
    completed: list[list[int | None]] = field(default_factory=list)
    held: list[int | None] = field(default_factory=list)
    followed: list[Followed] = field(default_factory=list)


@pytest.fixture
async def engine() -> LinkedEngine:
    return LinkedEngine()


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def acker(engine: LinkedEngine, told: Told) -> AsyncIterator[Acker]:
    there = cast("Engine", engine)

    def settle(one: Outcome, state: State) -> None:
        told.settled.append(one.job.id)

    def complete(completions: Sequence[Completion]) -> bool:
        told.completed.append([one.job.id for one in completions])
        return True

    linked = LinkedAcker(
        there,
        PRODUCER,
        settle,
        lambda job, seconds: None,
        lambda one: told.held.append(one.job.id),
        told.followed.append,
        complete,
        lambda: None,
        {},
    )
    made = Acker(there, PRODUCER, settle, linked=linked)
    await made.start()
    yield made
    await made.stop()


def linked_outcome(number: int, key: str = "workflow_id") -> Outcome:
    """Return the outcome of a job of a flow."""
    job = claimed(
        PRODUCER, id=number, attempted_at=CLAIMED_AT + timedelta(seconds=number), meta={key: "w"}
    )
    return Outcome(job, Ack(lease=Lease.of(job), state=State.COMPLETED), 0.5)


def linked_completion(number: int) -> Completion:
    """Return the end of a job of a flow of which nothing else is to be written."""
    return Completion(linked_outcome(number).job, linked_outcome(number).lease, None, 0.5)


async def flush(acker: Acker) -> None:
    """Wait until all is written."""
    await until(acker, asyncio.ensure_future(acker.flush()))
    assert acker.unwritten() == []


@pytest.mark.parametrize("key", ["workflow_id", "batch_id", "chain_id"])
@pytest.mark.parametrize("decoded", [False, True])
async def test_outcomes_of_jobs_of_flows_are_written_apart(
    acker: Acker, engine: LinkedEngine, told: Told, key: str, decoded: bool
) -> None:
    linked, plain = linked_outcome(1, key), outcome(2)
    if decoded:
        assert (linked.job.meta, plain.job.meta) == ({key: "w"}, {})
    acker.submit(linked)
    acker.submit(plain)
    await flush(acker)
    assert (engine.linked, engine.bundles) == ([[1]], [[2]])
    assert sorted(told.settled, key=str) == [1, 2]
    assert told.followed == [Followed({"mail": 1}, ended=("w",))]


async def test_neither_hold_up_the_other(acker: Acker, engine: LinkedEngine, told: Told) -> None:
    engine.door.clear()
    acker.submit(linked_outcome(1))
    acker.submit(outcome(2))
    await asyncio.wait_for(engine.waiting.wait(), 5)
    await eventually(lambda: bool(told.settled), "the plain one")
    assert told.settled == [2]
    assert [one.job.id for one in acker.unwritten()] == [1]
    engine.gate.clear()
    engine.door.set()
    acker.submit(outcome(3))
    await eventually(lambda: len(told.settled) == 2, "the linked one")
    assert told.settled == [2, 1]
    engine.gate.set()
    await flush(acker)


async def test_an_outcome_whose_root_is_held_comes_again_until_it_is_written(
    acker: Acker, engine: LinkedEngine, told: Told
) -> None:
    engine.roots[1] = 3
    acker.submit(linked_outcome(1))
    acker.submit(linked_outcome(2))
    await flush(acker)
    assert told.settled == [2, 1]
    assert engine.linked == [[1], [2], [1], [1], [1]]
    assert told.held == []


async def test_outcomes_that_let_many_jobs_go_on_are_written_few_at_a_time(
    acker: Acker, engine: LinkedEngine
) -> None:
    engine.fans = dict.fromkeys(range(1, 8), 700)
    for number in range(1, 30):
        acker.submit(linked_outcome(number))
    await flush(acker)
    sizes = [len(bundle) for bundle in engine.linked]
    assert [number for bundle in engine.linked for number in bundle] == list(range(1, 30))
    assert sizes == [1, 2, 1, 2, 1, 2, 4, 8, 8]


async def test_completions_are_told_of_at_once(
    acker: Acker, engine: LinkedEngine, told: Told
) -> None:
    for number in (1, 2, 3):
        acker.submit(linked_completion(number))
    await flush(acker)
    assert (engine.linked, told.completed) == ([[1], [2, 3]], [[1], [2, 3]])
    assert told.settled == []
    assert len(told.followed) == 2


async def test_completions_are_told_of_one_by_one_where_the_root_of_one_is_held(
    acker: Acker, engine: LinkedEngine, told: Told
) -> None:
    engine.roots[3] = 2
    for number in (1, 2, 3):
        acker.submit(linked_completion(number))
    await flush(acker)
    assert engine.linked == [[1], [2, 3], [3], [3]]
    assert (told.completed, told.settled, told.held) == ([[1]], [2, 3], [])


async def test_an_outcome_whose_row_is_held_is_handed_on(
    acker: Acker, engine: LinkedEngine, told: Told
) -> None:
    engine.held.add(1)
    acker.submit(linked_outcome(1))
    await flush(acker)
    assert (told.settled, told.held) == ([], [1])


async def test_outcomes_that_wait_for_a_root_are_not_lost_at_a_stop(
    acker: Acker, engine: LinkedEngine
) -> None:
    engine.roots[1] = 1000
    acker.submit(linked_outcome(1))
    await eventually(lambda: len(engine.linked) > 1, "another try")
    assert [one.job.id for one in acker.unwritten()] == [1]
