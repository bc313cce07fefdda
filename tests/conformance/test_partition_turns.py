"""Partitions have a limit each and take turns: none waits for long behind the work of another."""

from __future__ import annotations

from collections import Counter

import pytest

from staffa.engine import Engine, Producer
from tests.conformance.limited import BY_TENANT, at_once, complete, enqueue_for, tenants
from tests.conformance.work import QUEUE, new_job, new_producer


async def test_partitions_have_a_limit_each(engine: Engine, producer: Producer) -> None:
    limits = at_once(2, partition=BY_TENANT)
    await enqueue_for(engine, "aaaabbbc")
    first = await engine.claim_limited_jobs(QUEUE, 10, producer, limits)
    assert Counter(tenants(first)) == {"a": 2, "b": 2, "c": 1}
    assert (first.short, first.delay) == (True, None)
    done = [job for job in first.jobs if job.args["tenant"] == "b"][:1]
    await complete(engine, producer, done)
    again = await engine.claim_limited_jobs(QUEUE, 10, producer, limits)
    assert tenants(again) == "b"


async def test_partitions_take_turns_within_a_priority(engine: Engine, producer: Producer) -> None:
    limits = at_once(100, partition=BY_TENANT)
    await enqueue_for(engine, "a" * 50 + "bbb" + "c", priority=5)
    await enqueue_for(engine, "zy", priority=0)
    claims = [await engine.claim_limited_jobs(QUEUE, 3, producer, limits) for _ in range(4)]
    served = "".join(map(tenants, claims))
    assert set(served[:2]) == {"y", "z"}
    turns = served[2:]
    assert sorted(turns[:3]) == ["a", "b", "c"]
    assert sorted(turns[3:5]) == ["a", "b"]
    assert sorted(turns[5:7]) == ["a", "b"]
    assert turns[7:] == "aaa"


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.long)])
async def test_one_job_does_not_wait_behind_very_many_of_another(
    engine: Engine, producer: Producer, count: int
) -> None:
    limits = at_once(1000, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    for _ in range(0, count, 1000):
        await enqueue_for(engine, "a" * 1000)
    await enqueue_for(engine, "b")
    assert "b" in tenants(await engine.claim_limited_jobs(QUEUE, 2, producer, limits))


@pytest.mark.parametrize("count", [1500, pytest.param(10_000, marks=pytest.mark.long)])
async def test_many_partitions_have_a_turn_each_before_any_has_two(
    engine: Engine, count: int
) -> None:
    limits = at_once(20_000, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    for first in range(0, 2 * count, 1000):
        numbers = range(first, min(first + 1000, 2 * count))
        await engine.enqueue_jobs([new_job(args={"tenant": n % count}) for n in numbers])
    claimers = [new_producer(f"node.{n}") for n in range(2)]
    served: list[int] = []
    for turn in range(2 * count // 250):
        claimed = await engine.claim_limited_jobs(QUEUE, 250, claimers[turn % 2], limits)
        served += [job.args["tenant"] for job in claimed.jobs]
    assert sorted(served[:count]) == sorted(served[count:]) == list(range(count))


async def test_equal_tenants_have_equal_shares_of_the_first_work(engine: Engine) -> None:
    limits = at_once(1000, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    for tenant in "abcdefghijklmnopqrst":  # as if each had come with all of its work at once
        await enqueue_for(engine, tenant * 50)
    served = ""
    for turn in range(20):
        claimer = new_producer(f"node.{turn % 3}")
        served += tenants(await engine.claim_limited_jobs(QUEUE, 5 + turn % 2, claimer, limits))
    shares = Counter(served[:100]).values()
    assert sum(shares) ** 2 / (20 * sum(share**2 for share in shares)) >= 0.95


async def test_what_a_partition_can_not_use_goes_to_the_others(
    engine: Engine, producer: Producer
) -> None:
    limits = at_once(100, partition=BY_TENANT)
    await enqueue_for(engine, "a" * 30 + "bcdef")
    claimed = await engine.claim_limited_jobs(QUEUE, 30, producer, limits)
    assert Counter(tenants(claimed)) == {"a": 25, **dict.fromkeys("bcdef", 1)}


async def test_a_partition_may_burst_while_no_other_waits(
    engine: Engine, producer: Producer
) -> None:
    limits = at_once(2, partition=BY_TENANT, burst=True)
    await enqueue_for(engine, "a" * 9)
    assert tenants(await engine.claim_limited_jobs(QUEUE, 5, producer, limits)) == "aaaaa"
    await enqueue_for(engine, "bbb")
    second = await engine.claim_limited_jobs(QUEUE, 4, producer, limits)
    assert tenants(second) == "bb"  # a has more than its own, and b waits on
