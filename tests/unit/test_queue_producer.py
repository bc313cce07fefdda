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
from staffa.limits import GlobalLimit, Limits
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
    """A queue whose jobs run until the test ends them."""

    def __init__(self, limit: int = 2) -> None:
        self.store, self.clock = Store(), ManualClock()
        self.running: list[tuple[Job, Callable[[Job], None]]] = []
        self.producer = QueueProducer(
            "mail", Queue(limit=limit), cast("Engine", self.store), PRODUCER,
            cast("Executor", self), held=list, on_done=lambda job: None, clock=self.clock,
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


async def test_a_queue_under_other_limits_looks_for_jobs_at_once(subject: Subject) -> None:
    await subject.producer.start()
    await eventually(lambda: subject.store.claims, "the first claim")
    subject.store.available = 1
    subject.producer.limit_by(Limits(global_limit=GlobalLimit(5)))
    subject.producer.limit_by(Limits())
    await eventually(lambda: subject.running, "a job")
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


async def test_it_has_room_while_it_claims_and_a_slot_is_free(subject: Subject) -> None:
    assert [subject.producer.has_room] == [True]
    subject.set(paused=True)
    assert [subject.producer.has_room] == [False]
    subject.set()
    subject.store.available = 2
    await subject.producer.start()
    await eventually(lambda: len(subject.running) == 2, "two jobs")
    assert [subject.producer.has_room] == [False]
    subject.end_one()
    assert [subject.producer.has_room] == [True]
    await subject.producer.stop()


class Brief(Subject):
    """A queue whose jobs end as they start; it notes what happens, and how many slots are taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.seen: list[str] = []
        self.claimed = self.ended = self.most = 0
        self.store.during_claim = self.note_claim

    def note_claim(self) -> None:
        wanted = self.store.claims[-1]
        self.seen.append(f"claim {wanted}")
        self.claimed += min(wanted, self.store.available)
        self.most = max(self.most, self.claimed - self.ended)

    def start(self, job: Job, on_done: Callable[[Job], None]) -> None:
        self.seen.append("start")
        self.ended += 1
        on_done(job)


async def test_a_large_claim_is_sent_before_the_jobs_of_the_last_one_start_within_the_limit() -> (
    None
):
    subject = Brief(limit=200)
    subject.store.available = 1000
    await subject.producer.start()
    await eventually(lambda: subject.ended == 1000, "all jobs")
    await eventually(lambda: subject.store.claims[-1] == 200, "a claim with all slots free")
    assert subject.most == 200
    a_half = ["start"] * 100
    assert subject.seen[:-1] == ["claim 200", *a_half, *(["claim 100", *a_half] * 9)]
    await subject.producer.stop()


async def test_small_claims_are_not_divided() -> None:
    subject = Brief(limit=50)
    subject.store.available = 150
    await subject.producer.start()
    await eventually(lambda: subject.store.claims == [50] * 4, "a claim that finds nothing")
    await subject.producer.stop()


async def test_jobs_that_go_on_keep_their_slots_from_a_claim_beside_their_start() -> None:
    subject = Subject(limit=300)
    subject.store.available = 1000
    await subject.producer.start()
    await eventually(lambda: len(subject.running) == 300, "a job for each slot")
    for _ in range(20):
        await asyncio.sleep(0)
    assert subject.store.claims == [300]
    for _ in range(150):
        subject.end_one()
    await eventually(lambda: len(subject.running) == 300, "a job for each slot again")
    assert subject.store.claims == [300, 150]
    await subject.producer.stop()


@pytest.mark.parametrize("option", ["paused", "closed"])
async def test_a_pause_lets_those_jobs_start_that_were_claimed_before_it(option: str) -> None:
    subject = Brief(limit=200)
    subject.store.available = 1000
    subject.set(limit=200)

    def pause_at_the_second() -> None:
        subject.note_claim()
        if len(subject.store.claims) == 2:
            subject.set(limit=200, **{option: True})

    subject.store.during_claim = pause_at_the_second
    await subject.producer.start()
    await eventually(lambda: subject.store.put_back, "what the second claim has leased")
    assert subject.ended == 200
    assert subject.store.available == 800
    await subject.producer.stop()


async def test_a_lost_claim_loses_no_job_that_was_claimed_before_it() -> None:
    subject = Brief(limit=200)
    subject.store.available = 1000

    def lose_the_second() -> None:
        subject.note_claim()
        subject.store.lose = len(subject.store.claims) == 2

    subject.store.during_claim = lose_the_second
    await subject.producer.start()
    await eventually(lambda: subject.producer.in_doubt, "the fear of strays")
    await eventually(lambda: subject.ended == 1000, "all jobs")
    assert subject.store.put_back
    await subject.producer.stop()
