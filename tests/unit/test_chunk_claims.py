"""How a producer asks for chunks: when, beside which jobs, and when again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from staffa import Chunk, GlobalLimit, Job, State, job
from staffa.chunking import ChunkClaim, ChunkRule
from staffa.engine import Ack, Engine, Producer
from staffa.limiting import LimitedClaim
from staffa.limits import Limits
from staffa.queues.claims import LimitedClaims, PlainClaims, jobs_of
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER


class Store:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.jobs: list[Job] = []
        self.chunks = ChunkClaim()
        self.limited = LimitedClaim([])
        self.put_back: list[int] = []

    async def claim_jobs(
        self, queue: str, limit: int, producer: Producer, **options: Any
    ) -> list[Job]:
        self.asked.append(("jobs", limit, options))
        return self.jobs

    async def claim_chunks(
        self, queue: str, limit: int, producer: Producer, rules: Sequence[ChunkRule]
    ) -> ChunkClaim:
        self.asked.append(("chunks", limit, rules))
        return self.chunks

    async def claim_limited_jobs(
        self, queue: str, limit: int, producer: Producer, limits: Limits, **options: Any
    ) -> LimitedClaim:
        self.asked.append(("limited", limit, options))
        return self.limited

    async def ack_jobs(self, acks: Sequence[Ack], producer: Producer) -> dict[int, State]:
        assert {(ack.state, ack.refund) for ack in acks} == {(State.AVAILABLE, True)}
        self.put_back += [ack.lease.id for ack in acks]
        return {}


class Subject:
    """The claims of a queue, whose wake-ups are noted."""

    def __init__(self, queue: str = "events", limits: Limits | None = None) -> None:
        self.store, self.woken = Store(), asyncio.Event()
        engine, wake = cast("Engine", self.store), self.woken.set
        self.claims = (
            PlainClaims(queue, engine, PRODUCER, wake)
            if limits is None
            else LimitedClaims(queue, engine, PRODUCER, limits, wake)
        )


@pytest.fixture
def load() -> ChunkRule:
    """A worker of the queue `events`, by its rule."""

    @job(name="tests.load", queue="events", aliases=["tests.old"], chunk=Chunk(size=3, timeout=2))
    async def load(jobs: list[Job]) -> None: ...

    return ChunkRule(("tests.load", "tests.old"), 3, 2.0)


async def test_a_queue_without_chunks_is_asked_as_ever(load: ChunkRule) -> None:
    subject = Subject("other")
    subject.store.jobs = [claimed(id=1)]
    assert await subject.claims.take(5) == subject.store.jobs
    assert subject.store.asked == [("jobs", 5, {})]
    assert not subject.woken.is_set()


async def test_chunks_come_first_and_jobs_of_other_workers_get_the_slots_that_are_left(
    load: ChunkRule,
) -> None:
    subject, chunk = Subject(), (claimed(id=1), claimed(id=2))
    subject.store.chunks = ChunkClaim([chunk], others=True)
    subject.store.jobs = [claimed(id=3)]
    found = await subject.claims.take(5)
    assert found == [chunk, *subject.store.jobs]
    assert [one.id for one in jobs_of(found)] == [1, 2, 3]
    names = {"without": ["tests.load", "tests.old"]}
    assert subject.store.asked == [("chunks", 5, (load,)), ("jobs", 4, names)]


@pytest.mark.parametrize("chunks", [ChunkClaim(), ChunkClaim([(claimed(id=1),)], others=True)])
async def test_nobody_else_is_asked_where_nothing_waits_or_no_slot_is_left(
    load: ChunkRule, chunks: ChunkClaim
) -> None:
    subject = Subject()
    subject.store.chunks = chunks
    assert await subject.claims.take(1) == chunks.chunks
    assert [what for what, *_ in subject.store.asked] == ["chunks"]


async def test_the_producer_is_woken_when_the_next_chunk_is_due(load: ChunkRule) -> None:
    subject = Subject()
    subject.store.chunks = ChunkClaim(delay=0.01)
    await subject.claims.take(1)
    assert not subject.woken.is_set()
    await asyncio.wait_for(subject.woken.wait(), 10)


async def test_nobody_is_woken_after_the_end(load: ChunkRule) -> None:
    subject = Subject()
    subject.store.chunks = ChunkClaim(delay=1.0)
    await subject.claims.take(1)
    timer = subject.claims._timer
    assert timer is not None
    subject.claims.close()
    assert timer.cancelled()
    assert subject.claims._timer is None


async def test_after_a_look_at_many_jobs_in_vain_the_next_one_waits_but_others_do_not(
    load: ChunkRule,
) -> None:
    subject = Subject()
    subject.store.chunks = ChunkClaim(seen=200_000, others=True)
    subject.store.jobs = [claimed(id=1)]
    for _ in range(2):
        assert await subject.claims.take(5) == subject.store.jobs
    assert [what for what, *_ in subject.store.asked] == ["chunks", "jobs", "jobs"]
    timer = subject.claims._timer
    assert timer is not None
    left = timer.when() - asyncio.get_running_loop().time()
    assert 0 < left <= 10


async def test_jobs_that_belong_into_chunks_are_put_back_once_and_then_claimed_so(
    load: ChunkRule,
) -> None:
    subject = Subject("other")
    subject.store.jobs = [claimed(id=1), claimed(id=2, worker="tests.old")]
    assert await subject.claims.take(5) == subject.store.jobs[:1]
    assert subject.store.put_back == [2]
    assert subject.woken.is_set()
    await subject.claims.take(5)
    what, _, rules = subject.store.asked[-1]
    assert (what, rules[-1]) == ("chunks", load)


async def test_under_limits_the_first_job_of_a_chunk_brings_the_others(load: ChunkRule) -> None:
    subject = Subject(limits=Limits(global_limit=GlobalLimit(1)))
    first, second, alone = claimed(id=1), claimed(id=2), claimed(id=3)
    subject.store.limited = LimitedClaim([first, alone], followers={1: [second]})
    assert await subject.claims.take(5) == [(first, second), alone]
    assert subject.store.asked == [("limited", 5, {"rules": (load,)})]
    others = Subject("other", Limits(global_limit=GlobalLimit(1)))
    await others.claims.take(5)
    assert others.store.asked == [("limited", 5, {})]
