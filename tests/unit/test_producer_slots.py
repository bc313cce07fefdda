"""Queues that share the slots of their node, whatever becomes of their claims."""

from __future__ import annotations

from typing import cast

import pytest

from staffa import Queue
from staffa.engine import Engine
from staffa.queues import producer as module
from staffa.queues.allowance import Allowance
from staffa.queues.executor import Executor
from staffa.queues.producer import QueueProducer
from staffa.queues.slots import Slots
from staffa.queues.spread import Spread
from tests.support.events import eventually
from tests.unit.scripted import PRODUCER
from tests.unit.test_queue_producer import Subject


class Sharing(Subject):
    """A queue with two slots of its own, whose jobs run until the test ends them."""

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self.producer = QueueProducer(
            "mail", Queue(limit=2), cast("Engine", self.store), PRODUCER, cast("Executor", self),
            held=list, on_done=lambda job: None, clock=self.clock,
            allowance=Allowance(slots, Spread(lambda: 0, self.clock)),
        )  # fmt: skip


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[Slots, Sharing, Sharing]:
    """Two queues of a node that runs three jobs at once."""
    monkeypatch.setattr(module, "_DOUBTFUL_WAIT_SECONDS", 0.01)
    slots = Slots(3)
    return slots, Sharing(slots), Sharing(slots)


async def test_a_lost_claim_gives_the_slots_of_the_node_back(
    pair: tuple[Slots, Sharing, Sharing],
) -> None:
    slots, subject, _ = pair
    subject.store.available, subject.store.lose = 5, True
    await subject.producer.start()
    await eventually(lambda: subject.producer.failing, "the loss")
    assert slots.load == 0.0
    subject.store.lose = False
    await eventually(lambda: len(subject.running) == 2, "two jobs")
    assert slots.load == pytest.approx(2 / 3)
    await subject.producer.stop()


@pytest.mark.parametrize("option", ["paused", "closed"])
async def test_what_is_put_back_takes_no_slot_of_the_node(
    pair: tuple[Slots, Sharing, Sharing], option: str
) -> None:
    slots, subject, _ = pair
    subject.store.available = 5
    subject.store.during_claim = lambda: subject.set(**{option: True})
    await subject.producer.start()
    await eventually(lambda: subject.store.put_back, "what is put back")
    await eventually(lambda: slots.load == 0.0, "the slots")
    await subject.producer.stop()


async def test_a_queue_that_finds_the_node_full_claims_when_a_job_of_another_ends(
    pair: tuple[Slots, Sharing, Sharing],
) -> None:
    _, one, other = pair
    one.store.available = other.store.available = 2
    await one.producer.start()
    await eventually(lambda: len(one.running) == 2, "two jobs")
    await other.producer.start()
    await eventually(lambda: len(other.running) == 1, "the third slot")
    assert other.store.claims == [1]
    one.end_one()
    await eventually(lambda: len(other.running) == 2, "the slot that is free")
    await one.producer.stop()
    await other.producer.stop()


async def test_a_queue_that_stops_leaves_the_line(pair: tuple[Slots, Sharing, Sharing]) -> None:
    slots, one, other = pair
    one.store.available = other.store.available = 5
    await one.producer.start()
    await eventually(lambda: len(one.running) == 2, "two jobs")
    await other.producer.start()
    await eventually(lambda: len(other.running) == 1, "the third slot")
    await other.producer.stop()
    one.end_one()
    await eventually(lambda: len(one.running) == 2, "the slot that is free")
    assert slots.load == 1.0
    await one.producer.stop()
