"""The leader judges its own lease, whatever the database lets it know."""

from __future__ import annotations

from typing import cast
from uuid import UUID

import pytest

from staffa._internal.clock import Clock
from staffa.engine import Engine, Producer
from staffa.errors import DatabaseUnavailable
from staffa.services.leader import Leader
from tests.support.events import Recorder

LEASE = 30.0
PRODUCER = Producer(UUID(int=1), "Oban", "node-a")


class Elections:
    """Stands in for the engine and for the clock: elections may fail, and take their time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.error: Exception | None = None
        self.takes = 0.0
        self.won = True

    def monotonic(self) -> float:
        return self.now

    async def elect_leader(self, producer: Producer, *, lease: float) -> bool:
        self.now += self.takes
        if self.error is not None:
            raise self.error
        return self.won


class Subject:
    """A leader, and how often it was elected."""

    def __init__(self) -> None:
        self.elections = Elections()
        self.elected = 0
        self.leader = Leader(
            cast("Engine", self.elections),
            PRODUCER,
            LEASE,
            clock=cast("Clock", self.elections),
            on_elected=self._count,
            on_resigned=self._tell,
        )

    def leads(self) -> bool:
        return self.leader.leading

    def _count(self) -> None:
        self.elected += 1

    async def _tell(self) -> None: ...


@pytest.fixture
def subject() -> Subject:
    return Subject()


async def test_who_renews_the_lease_in_time_is_elected_once(
    subject: Subject, events: Recorder
) -> None:
    for _ in range(5):
        await subject.leader.tick()
        subject.elections.now += LEASE / 3
    assert subject.elected == 1
    assert [event.name for event in events.events] == ["staffa.leader.elected"]


async def test_after_an_outage_that_outlasted_the_lease_the_same_node_is_elected_anew(
    subject: Subject, events: Recorder
) -> None:
    await subject.leader.tick()
    subject.elections.error = DatabaseUnavailable("away")
    for _ in range(5):
        subject.elections.now += LEASE / 3
        with pytest.raises(DatabaseUnavailable):
            await subject.leader.tick()
    assert not subject.leads()
    subject.elections.error = None
    await subject.leader.tick()
    assert subject.leads()
    assert subject.elected == 2
    names = [event.name.rpartition(".")[2] for event in events.events]
    assert names == ["elected", "lost", "elected"]


async def test_a_renewal_whose_answer_comes_after_the_lease_ran_out_is_an_election(
    subject: Subject,
) -> None:
    await subject.leader.tick()
    subject.elections.now += LEASE / 3
    subject.elections.takes = LEASE * 0.9
    await subject.leader.tick()
    assert subject.leads()
    assert subject.elected == 2


async def test_who_loses_an_election_leads_no_more(subject: Subject, events: Recorder) -> None:
    await subject.leader.tick()
    subject.elections.won = False
    await subject.leader.tick()
    assert not subject.leads()
    assert [event.name.rpartition(".")[2] for event in events.events] == ["elected", "lost"]
