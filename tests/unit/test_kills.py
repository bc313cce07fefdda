"""Signals of peers that want running jobs killed: what is written, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from staffa.engine import Ack, Engine, Lease, Producer
from staffa.errors import DatabaseUnavailable, DataRefused
from staffa.linking import Followed, LinkedAcks
from staffa.queues.kills import ERROR, Kills
from staffa.types import State
from tests.support.events import eventually
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER


class Subject:
    """Jobs that run here, what was cancelled of them, and what a test has the engine do."""

    def __init__(self) -> None:
        self.running = {number: Lease.of(claimed(id=number)) for number in (1, 2, 3)}
        self.written: list[list[int]] = []
        self.followed: list[Followed] = []
        self.told = 0
        self.unavailable = 0
        self.refused: set[int] = set()
        self.kills = Kills(
            cast("Engine", self),
            PRODUCER,
            lease_of=self.running.get,
            on_cancelled=self._tell,
            on_followed=self.followed.append,
        )

    async def ack_linked_jobs(self, acks: Sequence[Ack], producer: Producer) -> LinkedAcks:
        if self.unavailable:
            self.unavailable -= 1
            raise DatabaseUnavailable("down")
        if self.refused & {ack.lease.id for ack in acks}:
            raise DataRefused("too large")
        assert {(ack.state, ack.error, ack.refund) for ack in acks} == {
            (State.CANCELLED, ERROR, False)
        }
        assert [ack.lease for ack in acks] == [self.running[ack.lease.id] for ack in acks]
        self.written.append([ack.lease.id for ack in acks])
        followed = Followed(cancelled=[ack.lease.id + 100 for ack in acks])
        return LinkedAcks({ack.lease.id: ack.state for ack in acks}, followed)

    def _tell(self) -> None:
        self.told += 1


@pytest.fixture
async def subject() -> AsyncIterator[Subject]:
    made = Subject()
    await made.kills.start()
    yield made
    await made.kills.stop()


async def test_what_runs_here_is_cancelled_once_in_one_statement(subject: Subject) -> None:
    for number in (1, 2, 1, 4, 2**70, -1):
        subject.kills.hear(number)
    await eventually(lambda: subject.told == 1, "the end of the write")
    assert subject.written == [[1, 2]]
    assert [list(one.cancelled) for one in subject.followed] == [[101, 102]]


@pytest.mark.parametrize("number", [None, "1", 1.0, True, [1], {"a": 1}])
async def test_what_is_no_number_is_left_alone(subject: Subject, number: Any) -> None:
    subject.kills.hear(number)
    subject.kills.hear(2)
    await eventually(lambda: subject.told == 1, "the end of the write")
    assert subject.written == [[2]]


async def test_an_outage_puts_it_off(subject: Subject) -> None:
    subject.unavailable = 1
    subject.kills.hear(1)
    await eventually(lambda: subject.told == 1, "the end of the write")
    assert subject.written == [[1]]


async def test_a_row_that_is_refused_keeps_no_other(subject: Subject) -> None:
    subject.refused = {2}
    for number in (1, 2, 3):
        subject.kills.hear(number)
    await eventually(lambda: subject.told == 1, "the end of the write")
    assert subject.written == [[1], [3]]
