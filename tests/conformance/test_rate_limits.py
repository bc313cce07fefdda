"""Rate limits: no more start in a time than they allow, and tokens come back."""

from __future__ import annotations

import asyncio
from collections import Counter

from staffa.engine import Engine, Producer
from tests.conformance.limited import BY_TENANT, complete, enqueue_for, in_a_time, tenants
from tests.conformance.work import QUEUE, enqueue, new_producer


async def test_no_more_start_than_a_rate_limit_allows(engine: Engine, producer: Producer) -> None:
    await enqueue(engine, 9)
    limits = in_a_time(5)
    first = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    await complete(engine, producer, first.jobs)
    second = await engine.claim_limited_jobs(QUEUE, 3, new_producer("node.2"), limits)
    third = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    assert [len(claim.jobs) for claim in (first, second, third)] == [3, 2, 0]
    assert third.short
    assert third.delay is not None
    assert 3600 <= third.delay <= 3600 * 61 / 60


async def test_an_empty_queue_without_tokens_waits_for_nothing(
    engine: Engine, producer: Producer
) -> None:
    limits = in_a_time(1)
    await enqueue(engine, 1)
    first = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    empty = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    assert (len(first.jobs), first.short, first.delay) == (1, False, None)
    assert (empty.jobs, empty.short, empty.delay) == ([], False, None)


async def test_tokens_come_back(engine: Engine, producer: Producer) -> None:
    limits = in_a_time(2, period=0.3)
    await enqueue(engine, 3)
    first = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    assert len(first.jobs) == 2
    assert first.delay is not None
    await asyncio.sleep(first.delay)  # the database's clock can't be stepped
    assert len((await engine.claim_limited_jobs(QUEUE, 3, producer, limits)).jobs) == 1


async def test_partitions_have_a_rate_each_and_come_back_by_themselves(
    engine: Engine, producer: Producer
) -> None:
    limits = in_a_time(2, partition=BY_TENANT)
    await enqueue_for(engine, "aaaab")
    first = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert Counter(tenants(first)) == {"a": 2, "b": 1}
    assert first.delay is not None
    await enqueue_for(engine, "bbc")
    second = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert Counter(tenants(second)) == {"b": 1, "c": 1}
    assert second.delay is not None
    assert 0 < second.delay <= 3600 * 61 / 60


async def test_a_heavy_job_waits_for_its_tokens_and_holds_its_partition_back(
    engine: Engine, producer: Producer
) -> None:
    limits = in_a_time(5, partition=BY_TENANT, weight=2)
    await enqueue_for(engine, "a", meta={"staffa_weight": 1})
    await enqueue_for(engine, "a", meta={"staffa_weight": 5})
    await enqueue_for(engine, "a", meta={"staffa_weight": 1})
    await enqueue_for(engine, "bbb")
    await enqueue_for(engine, "c", meta={"staffa_weight": 99})
    claimed = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert Counter(tenants(claimed)) == {"a": 1, "b": 2, "c": 1}
    assert claimed.delay is not None
    assert claimed.delay > 0
    again = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert again.jobs == []
    assert again.delay is not None
    assert again.delay > 0


async def test_weights_hold_for_a_queue_without_partitions(
    engine: Engine, producer: Producer
) -> None:
    limits = in_a_time(5, weight=2)
    await enqueue(engine, 4)
    claimed = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert len(claimed.jobs) == 2
    assert claimed.delay is not None


async def test_tokens_can_be_taken_by_code_outside_of_jobs(
    engine: Engine, producer: Producer
) -> None:
    assert await engine.take_tokens(QUEUE, 1) is None
    await engine.configure_limits({QUEUE: in_a_time(5)})
    await enqueue(engine, 9)
    first = await engine.take_tokens(QUEUE, 3)
    assert first is not None
    assert (first.taken, first.available, first.delay) == (3, 2, 0.0)
    refused = await engine.take_tokens(QUEUE, 3)
    assert refused is not None
    assert (refused.taken, refused.available) == (0, 2)
    assert 0 < refused.delay <= 3600 * 61 / 60
    partly = await engine.take_tokens(QUEUE, 9, partly=True)
    assert partly is not None
    assert (partly.taken, partly.available) == (2, 0)
    assert (await engine.claim_limited_jobs(QUEUE, 9, producer, in_a_time(5))).jobs == []
    await engine.reset_tokens(QUEUE)
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, in_a_time(5))).jobs) == 5


async def test_tokens_of_a_partition_are_those_of_its_jobs(
    engine: Engine, producer: Producer
) -> None:
    limits = in_a_time(3, partition=["args.tenant", "worker"])
    await engine.configure_limits({QUEUE: limits})
    await enqueue_for(engine, "aaabbb", worker="w")
    owner = {"args.tenant": "a", "worker": "w"}
    taken = await engine.take_tokens(QUEUE, 2, partition=owner)
    assert taken is not None
    assert (taken.taken, taken.available) == (2, 1)
    first = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert Counter(tenants(first)) == {"a": 1, "b": 3}
    await engine.reset_tokens(QUEUE, partition=owner)
    second = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert tenants(second) == "aa"
