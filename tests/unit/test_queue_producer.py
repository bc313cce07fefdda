"""A queue that is paused, scaled or closed while its claims get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from staffa import Queue, State
from staffa.engine import Ack, Engine, Producer
from staffa.errors import DatabaseUnavailable
from staffa.jobs import Job
from staffa.queues import producer as module
from staffa.queues.executor import Executor
from staffa.queues.producer import QueueProducer
from tests.support.events import eventually
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER


class ManualClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Store:
    """Hands out jobs, or loses the reply."""

    def __init__(self) -> None:
        self.available = 0
        self.claims: list[int] = []
        self.put_back = 0
        self.during_claim: Callable[[], None] = lambda: None
        self.lose = False

    async def claim_jobs(self, queue: str, limit: int, producer: Producer) -> list[Job]:
        self.claims.append(limit)
        self.during_claim()
        await asyncio.sleep(0)
        if self.lose:
            raise DatabaseUnavailable("the reply was lost")
        count, self.available = min(limit, self.available), max(self.available - limit, 0)
        return [claimed(id=number + 1) for number in range(count)]

    async def ack_jobs(self, acks: Sequence[Ack], producer: Producer) -> dict[int, State]:
        assert {(ack.state, ack.refund) for ack in acks} == {(State.AVAILABLE, True)}
        self.put_back += 1
        self.available += len(acks)
        return {ack.lease.id: ack.state for ack in acks}

    async def release_jobs(
        self, producer: Producer, *, queue: str | None = None, running: Sequence[int] = ()
    ) -> frozenset[str]:
        self.put_back += 1
        return frozenset()


class Subject:
    """A queue with two slots, whose jobs run until the test ends them."""

    def __init__(self) -> None:
        self.store, self.clock = Store(), ManualClock()
        self.running: list[tuple[Job, Callable[[Job], None]]] = []
        self.producer = QueueProducer(
            "mail", Queue(limit=2), cast("Engine", self.store), PRODUCER, cast("Executor", self),
            held=list, on_done=lambda job: None, clock=self.clock,
        )  # fmt: skip

    def start(self, job: Job, on_done: Callable[[Job], None]) -> None:
        """Run a job, as the executor does."""
        self.running.append((job, on_done))

    def end_one(self) -> None:
        job, on_done = self.running.pop()
        on_done(job)

    def set(self, **options: Any) -> None:
        self.producer.set(**{"closed": False, "paused": False, "limit": 2, **options})


@pytest.fixture
async def subject(monkeypatch: pytest.MonkeyPatch) -> Subject:
    monkeypatch.setattr(module, "_DOUBTFUL_WAIT_SECONDS", 0.01)
    return Subject()


async def test_a_closed_queue_puts_back_what_a_lost_claim_has_leased_and_then_ends(
    subject: Subject,
) -> None:
    subject.store.lose = True
    subject.store.during_claim = lambda: subject.set(closed=True)
    await subject.producer.start()
    await eventually(lambda: subject.store.put_back, "what is put back")
    seen = subject.store.put_back
    subject.clock.seconds += 10
    await eventually(lambda: subject.store.put_back > seen, "what came late")
    assert not subject.producer.ended
    subject.clock.seconds += 1000
    await eventually(lambda: subject.producer.ended, "the end of the queue")
    assert subject.store.claims == [2]
    await subject.producer.stop()


async def test_a_closed_queue_ends_with_its_last_job_and_may_be_opened_before(
    subject: Subject,
) -> None:
    subject.store.available = 5
    await subject.producer.start()
    await eventually(lambda: len(subject.running) == 2, "two jobs")
    subject.set(closed=True)
    subject.end_one()
    subject.set(limit=2)
    await eventually(lambda: len(subject.running) == 2, "one more job")
    subject.set(closed=True)
    while subject.running:
        assert not subject.producer.ended
        subject.end_one()
    await eventually(lambda: subject.producer.ended, "the end of the queue")
    assert subject.store.available == 2
    await subject.producer.stop()


async def test_a_paused_queue_claims_nothing_and_claims_at_once_when_it_is_resumed(
    subject: Subject,
) -> None:
    subject.store.available = 5
    subject.set(paused=True)
    await subject.producer.start()
    for _ in range(20):
        subject.producer.wake()
        await asyncio.sleep(0)
    assert subject.store.claims == []
    subject.set()
    await eventually(lambda: len(subject.running) == 2, "two jobs")
    await subject.producer.stop()


@pytest.mark.parametrize("option", ["paused", "closed"])
async def test_what_was_claimed_while_a_queue_was_paused_is_put_back_and_not_started(
    subject: Subject, option: str
) -> None:
    subject.store.available = 5
    subject.store.during_claim = lambda: subject.set(**{option: True})
    await subject.producer.start()
    await eventually(lambda: subject.store.put_back, "what is put back")
    assert subject.running == []
    assert not subject.producer.in_doubt
    if option == "closed":
        await eventually(lambda: subject.producer.ended, "the end of the queue")
        return
    subject.store.during_claim = lambda: None
    subject.set()
    await eventually(lambda: len(subject.running) == 2, "two jobs once it goes on")
    await subject.producer.stop()


async def test_a_lower_limit_is_reached_by_waiting_and_a_higher_one_by_claiming(
    subject: Subject,
) -> None:
    subject.store.available = 9
    await subject.producer.start()
    await eventually(lambda: len(subject.running) == 2, "two jobs")
    subject.set(limit=1)
    subject.end_one()
    for _ in range(20):
        await asyncio.sleep(0)
    assert subject.producer.running_ids == [job.id for job, _ in subject.running]
    assert len(subject.running) == 1
    subject.set(limit=4)
    await eventually(lambda: len(subject.running) == 4, "four jobs")
    assert subject.store.claims[-1] == 3
    await subject.producer.stop()
