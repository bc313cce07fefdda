"""Claims of chunks: full or due, one worker and one key each, by urgency, and once only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import GlobalLimit, RateLimit
from staffa.chunking import ChunkClaim, ChunkRule
from staffa.engine import Engine, Producer
from staffa.jobs import Job
from staffa.limiting import LimitedClaim
from staffa.limits import Limits
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, enqueue, ids, new_job, new_producer, outcome, read

LOAD, ALIAS = "tests.Load", "tests.OldLoad"
EARLY = datetime(2001, 1, 1, tzinfo=UTC)
NEVER = 3600.0


def rule(size: int = 3, timeout: float = NEVER, *fields: str) -> ChunkRule:
    """Return the rule of the worker of these tests."""
    return ChunkRule((LOAD, ALIAS), size, timeout, fields)


async def enqueue_for(engine: Engine, keys: str, **options: Any) -> list[Job]:
    """Insert a job of a chunk for each letter, in their order."""
    made = [new_job(**{"worker": LOAD, "args": {"key": key}, **options}) for key in keys]
    return await engine.enqueue_jobs(made)


def keys(claim: ChunkClaim) -> list[str]:
    """Return whose jobs were claimed, chunk by chunk."""
    return ["".join(job.args["key"] for job in chunk) for chunk in claim.chunks]


async def test_a_chunk_forms_when_it_is_full(engine: Engine, producer: Producer) -> None:
    jobs = await enqueue_for(engine, "ab")
    claim = await engine.claim_chunks(QUEUE, 5, producer, [rule()])
    assert (claim.chunks, claim.others, claim.seen) == ((), False, 2)
    assert claim.delay == pytest.approx(NEVER, abs=60)
    jobs += await enqueue_for(engine, "cd")
    claim = await engine.claim_chunks(QUEUE, 5, producer, [rule()])
    assert keys(claim) == ["abc"]
    assert [[job.id for job in chunk] for chunk in claim.chunks] == [ids(jobs)[:3]]
    assert claim.delay == pytest.approx(NEVER, abs=60)
    assert await engine.count_jobs() == {
        (QUEUE, State.AVAILABLE): 1,
        (QUEUE, State.EXECUTING): 3,
    }


async def test_all_jobs_of_a_chunk_are_leased_at_one_time_each_with_its_attempt(
    engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "abc")
    ((one, *others),) = (await engine.claim_chunks(QUEUE, 1, producer, [rule()])).chunks
    stored = [await read(engine, job) for job in (one, *others)]
    assert {job.attempted_at for job in stored} == {one.attempted_at}
    assert {job.attempted_by for job in stored} == {("node.1", str(producer.uuid))}
    assert [job.attempt for job in stored] == [1, 1, 1]
    acks = [outcome(one, State.COMPLETED), outcome(others[0], State.RETRYABLE, error="it")]
    assert len(await engine.ack_jobs(acks, producer)) == 2
    assert (await read(engine, others[1])).state is State.EXECUTING


async def test_a_chunk_forms_when_its_oldest_job_has_waited_for_long_enough(
    store: Store, engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "a", priority=1)
    waited = await store.now() - timedelta(seconds=60)
    await enqueue_for(engine, "b", priority=5, scheduled_at=waited)
    assert (await engine.claim_chunks(QUEUE, 1, producer, [rule(3, 3600)])).chunks == ()
    assert keys(await engine.claim_chunks(QUEUE, 1, producer, [rule(3, 60)])) == ["ab"]


async def test_it_tells_when_the_next_chunk_is_due(
    store: Store, engine: Engine, producer: Producer
) -> None:
    waited = await store.now() - timedelta(seconds=1000)
    await enqueue_for(engine, "a", scheduled_at=waited)
    await enqueue_for(engine, "b")
    claim = await engine.claim_chunks(QUEUE, 1, producer, [rule(2, NEVER, "args.key")])
    assert claim.delay == pytest.approx(NEVER - 1000, abs=60)
    nothing = await engine.claim_chunks("other", 1, producer, [rule()])
    assert nothing == ChunkClaim((), others=False, delay=None, seen=0)


async def test_the_jobs_of_a_chunk_have_one_key_and_may_have_different_names_of_one_worker(
    engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "abcabca")
    await enqueue_for(engine, "bc", worker=ALIAS)
    await enqueue_for(engine, "c", worker="tests.Other")
    claim = await engine.claim_chunks(QUEUE, 9, producer, [rule(3, NEVER, "args.key")])
    assert keys(claim) == ["aaa", "bbb", "ccc"]
    assert claim.others


async def test_jobs_are_divided_by_several_values_of_args_and_meta_whatever_they_are(
    engine: Engine, producer: Producer
) -> None:
    values = [1, "1", None, [1], 1, {"x": 1}, True, 1]
    made = [
        new_job(worker=LOAD, args={"key": str(place), "in": {"ner": value}}, meta={"m": place < 7})
        for place, value in enumerate(values)
    ]
    await engine.enqueue_jobs(made)
    claim = await engine.claim_chunks(QUEUE, 9, producer, [rule(2, NEVER, "args.in.ner", "meta.m")])
    assert keys(claim) == ["04"]


async def test_each_worker_has_chunks_of_its_own(engine: Engine, producer: Producer) -> None:
    await enqueue_for(engine, "aa")
    await enqueue_for(engine, "bbb", worker="tests.Other")
    rules = [rule(2), ChunkRule(("tests.Other",), 3, NEVER)]
    assert keys(await engine.claim_chunks(QUEUE, 9, producer, rules)) == ["aa", "bbb"]


async def test_the_most_urgent_chunks_come_first_and_no_more_than_asked_for(
    engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "aaaa", priority=5)
    await enqueue_for(engine, "bb", priority=1)
    by_key = [rule(2, NEVER, "args.key")]
    assert keys(await engine.claim_chunks(QUEUE, 2, producer, by_key)) == ["bb", "aa"]
    assert keys(await engine.claim_chunks(QUEUE, 2, producer, by_key)) == ["aa"]


async def test_jobs_of_other_workers_that_are_more_urgent_keep_their_slots(
    engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, 2, priority=1)
    await enqueue_for(engine, "aaa", priority=2)
    await enqueue(engine, 2, priority=3)
    claim = await engine.claim_chunks(QUEUE, 2, producer, [rule()])
    assert (keys(claim), claim.others) == ([], True)
    claim = await engine.claim_chunks(QUEUE, 3, producer, [rule()])
    assert (keys(claim), claim.others) == (["aaa"], True)


async def test_a_claim_leaves_the_jobs_of_workers_with_chunks(
    engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "a")
    others = await enqueue(engine, 3)
    await enqueue_for(engine, "b", worker=ALIAS, priority=0)
    claimed = await engine.claim_jobs(QUEUE, 9, producer, without=[LOAD, ALIAS])
    assert ids(claimed) == ids(others)
    assert all(job.attempted_by == ("node.1", str(producer.uuid)) for job in claimed)


async def test_a_job_without_attempts_left_is_in_no_chunk(
    store: Store, engine: Engine, producer: Producer
) -> None:
    jobs = await enqueue_for(engine, "abc", max_attempts=1)
    (chunk,) = (await engine.claim_chunks(QUEUE, 1, producer, [rule()])).chunks
    assert len(chunk) == 3
    await engine.ack_jobs([outcome(chunk[0], State.RETRYABLE, error="it")], producer)
    assert (await read(engine, jobs[0])).state is State.DISCARDED
    assert (await engine.claim_chunks(QUEUE, 1, producer, [rule(1)])).chunks == ()


async def test_a_chunk_is_found_behind_many_jobs_that_wait_for_others(
    engine: Engine, producer: Producer
) -> None:
    made = [new_job(worker=LOAD, args={"key": str(place)}) for place in range(1_500)]
    await engine.enqueue_jobs(made)
    await enqueue_for(engine, "aa", priority=5)
    claim = await engine.claim_chunks(QUEUE, 1, producer, [rule(2, NEVER, "args.key")])
    assert (keys(claim), claim.seen) == (["aa"], 1_502)


async def test_a_chunk_that_is_due_has_jobs_from_far_behind(
    engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "a", priority=1, scheduled_at=EARLY)
    made = [new_job(worker=LOAD, args={"key": str(n)}, priority=2) for n in range(1_500)]
    await engine.enqueue_jobs(made)
    await enqueue_for(engine, "a", priority=5)
    claim = await engine.claim_chunks(QUEUE, 1, producer, [rule(9, NEVER, "args.key")])
    assert keys(claim) == ["aa"]


async def test_claims_at_once_lease_each_job_once_and_never_part_of_a_chunk(
    engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "a" * 64)
    producers = [new_producer(f"node.{n}") for n in range(4)]

    async def take_all(owner: Producer) -> list[tuple[Job, ...]]:
        found: list[tuple[Job, ...]] = []
        while True:
            claim = await engine.claim_chunks(QUEUE, 2, owner, [rule(7)])
            found += claim.chunks
            if not claim.chunks and claim.delay:
                return found

    found = await asyncio.gather(*map(take_all, producers))
    chunks = [chunk for of_one in found for chunk in of_one]
    assert [len(chunk) for chunk in chunks] == [7] * 9
    assert len({job.id for chunk in chunks for job in chunk}) == 63


# under limits


def numbers(claim: LimitedClaim) -> list[list[int | None]]:
    """Return the ids of what was claimed, chunk by chunk."""
    return [
        [job.id, *(other.id for other in claim.followers.get(job.id or 0, ()))]
        for job in claim.jobs
    ]


PARTITIONED = (None, "args.key")


@pytest.mark.parametrize("partition", PARTITIONED)
async def test_a_chunk_counts_as_one_running_job_for_as_long_as_one_of_its_jobs_runs(
    engine: Engine, producer: Producer, partition: str | None
) -> None:
    limits = Limits(global_limit=GlobalLimit(2, partition=partition))
    await engine.configure_limits({QUEUE: limits})
    jobs = await enqueue_for(engine, "a" * 9)
    claim = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert numbers(claim) == [ids(jobs[:3]), ids(jobs[3:6])]
    assert claim.short
    (use,) = await engine.read_limits([QUEUE], partitions=5)
    assert use.running == 2
    assert [one.running for one in use.partitions] == ([2] if partition else [])
    one, *others = [*claim.jobs[:1], *claim.followers[claim.jobs[0].id or 0]]
    await engine.ack_jobs([outcome(one, State.COMPLETED)], producer)  # the first one
    again = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert again.jobs == []
    await engine.ack_jobs([outcome(job, State.COMPLETED) for job in others], producer)
    again = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert numbers(again) == [ids(jobs[6:])]


@pytest.mark.parametrize("partition", PARTITIONED)
async def test_a_chunk_takes_the_tokens_of_its_first_job(
    engine: Engine, producer: Producer, partition: str | None
) -> None:
    limits = Limits(rate_limit=RateLimit(5, period=3600, partition=partition))
    await engine.configure_limits({QUEUE: limits})
    await enqueue_for(engine, "a", weight=3)
    await enqueue_for(engine, "aaaaa")
    plain = await enqueue(engine, 3, args={"key": "a"}, priority=9)
    claim = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert [len(chunk) for chunk in numbers(claim)] == [3, 3, 1]
    assert claim.jobs[2].id == plain[0].id
    assert claim.short


@pytest.mark.parametrize("partition", PARTITIONED)
async def test_jobs_that_wait_for_others_of_their_chunk_hold_up_nobody_under_limits(
    engine: Engine, producer: Producer, partition: str | None
) -> None:
    limits = Limits(global_limit=GlobalLimit(5, partition=partition))
    await engine.configure_limits({QUEUE: limits})
    await enqueue_for(engine, "ab")
    plain = await enqueue(engine, 2, args={"key": "c"})
    claim = await engine.claim_limited_jobs(QUEUE, 1, producer, limits, rules=[rule()])
    assert numbers(claim) == [[plain[0].id]]
    claim = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert numbers(claim) == [[plain[1].id]]
    assert not claim.short
    assert claim.delay == pytest.approx(NEVER, abs=60)


async def test_a_chunk_counts_for_the_partition_of_its_first_job(
    engine: Engine, producer: Producer
) -> None:
    limits = Limits(global_limit=GlobalLimit(1, partition="args.key"))
    await engine.configure_limits({QUEUE: limits})
    jobs = await enqueue_for(engine, "abcbca")
    claim = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert sorted(numbers(claim)) == [ids(jobs[:3]), ids(jobs[3:])]
    await enqueue_for(engine, "aca", priority=0)
    again = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert (again.jobs, again.short) == ([], True)


@pytest.mark.parametrize("partition", PARTITIONED)
async def test_a_job_that_runs_alone_after_its_chunk_counts_as_one(
    engine: Engine, producer: Producer, partition: str | None
) -> None:
    limits = Limits(global_limit=GlobalLimit(2, partition=partition))
    await engine.configure_limits({QUEUE: limits})
    await enqueue_for(engine, "aaa")
    claim = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert len(numbers(claim)[0]) == 3
    await engine.release_jobs(producer)
    alone = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule(1)])
    assert [len(chunk) for chunk in numbers(alone)] == [1, 1]
    plainly = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert plainly.jobs == []


@pytest.mark.parametrize("partition", PARTITIONED)
async def test_a_chunk_is_found_behind_many_that_wait_or_are_held_back_under_limits(
    engine: Engine, producer: Producer, partition: str | None
) -> None:
    limits = Limits(global_limit=GlobalLimit(3, partition=partition))
    await engine.configure_limits({QUEUE: limits})
    waiting = [new_job(worker=LOAD, args={"key": "a", "n": place}) for place in range(1_200)]
    await engine.enqueue_jobs(waiting)
    await enqueue_for(engine, "bb", priority=5)
    by_number = rule(2, NEVER, "args.n")
    claim = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[by_number])
    assert [len(chunk) for chunk in numbers(claim)] == [2]
    assert await engine.count_jobs() == {
        (QUEUE, State.AVAILABLE): 1_200,
        (QUEUE, State.EXECUTING): 2,
    }


async def test_partitions_that_are_held_back_hide_no_chunk_behind_them(
    engine: Engine, producer: Producer
) -> None:
    limits = Limits(global_limit=GlobalLimit(1, partition="args.key"))
    await engine.configure_limits({QUEUE: limits})
    await enqueue_for(engine, "a" * 1_200)
    await enqueue_for(engine, "bbb", priority=5)
    first = await engine.claim_limited_jobs(QUEUE, 1, producer, limits, rules=[rule()])
    second = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    found = [*numbers(first), *numbers(second)]
    assert [len(chunk) for chunk in found] == [3, 3]
    third = await engine.claim_limited_jobs(QUEUE, 9, producer, limits, rules=[rule()])
    assert (third.jobs, third.short) == ([], True)


async def test_chunks_of_many_nodes_at_once_never_exceed_a_rate_limit(
    engine: Engine, producer: Producer
) -> None:
    limits = Limits(rate_limit=RateLimit(4, period=3600))
    await engine.configure_limits({QUEUE: limits})
    await enqueue_for(engine, "a" * 40)
    producers = [new_producer(f"node.{n}") for n in range(4)]
    claims = await asyncio.gather(
        *(engine.claim_limited_jobs(QUEUE, 3, owner, limits, rules=[rule()]) for owner in producers)
    )
    found = [chunk for claim in claims for chunk in numbers(claim)]
    assert [len(chunk) for chunk in found] == [3] * 4
    assert len({number for chunk in found for number in chunk}) == 12
