"""Claims under limits: never too many at once, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from staffa import GlobalLimit, RateLimit
from staffa.engine import Ack, Engine, Lease, Producer
from staffa.limits import Limits
from staffa.types import State
from tests.conformance.limited import BY_TENANT, at_once, complete, enqueue_for, tenants
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, enqueue, ids, new_job, new_producer


async def test_no_more_run_than_a_global_limit_allows(engine: Engine, producer: Producer) -> None:
    await enqueue(engine, 9)
    limits = at_once(4)
    first = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    second = await engine.claim_limited_jobs(QUEUE, 3, new_producer("node.2"), limits)
    third = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    assert [len(claim.jobs) for claim in (first, second, third)] == [3, 1, 0]
    assert (first.short, second.short, third.short) == (False, True, True)
    assert third.delay is None
    await complete(engine, producer, first.jobs[:2])
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, limits)).jobs) == 2


async def test_a_limited_claim_takes_the_most_urgent_jobs_and_leases_them(
    store: Store, engine: Engine, producer: Producer
) -> None:
    early = datetime(2001, 1, 1, tzinfo=UTC)
    (late,) = await enqueue(engine)
    urgent, old = await engine.enqueue_jobs(
        [new_job(priority=0), new_job(scheduled_at=early, args={"a": 1}, meta={"m": 1})]
    )
    moment = await store.now()
    claimed = await engine.claim_limited_jobs(QUEUE, 2, producer, at_once(2))
    assert ids(claimed.jobs) == [old.id, late.id]
    (job, _) = claimed.jobs
    assert (job.args, job.attempt, job.state) == ({"a": 1}, 1, State.EXECUTING)
    assert job.attempted_by == (producer.node, str(producer.uuid))
    assert job.attempted_at is not None
    assert abs(job.attempted_at - moment) < timedelta(seconds=30)
    assert (await store.row(job.id))["meta"] == {"m": 1, "partition_key": ""}
    await complete(engine, producer, claimed.jobs)
    assert ids((await engine.claim_limited_jobs(QUEUE, 2, producer, at_once(2))).jobs) == [
        urgent.id
    ]


@pytest.mark.parametrize("way", ["cancel", "discard", "snooze", "release", "delete"])
async def test_a_slot_is_free_however_its_job_has_ended(
    store: Store, engine: Engine, producer: Producer, way: str
) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await enqueue_for(engine, "aa")
    (job,) = (await engine.claim_limited_jobs(QUEUE, 2, producer, limits)).jobs
    assert (await engine.claim_limited_jobs(QUEUE, 2, producer, limits)).jobs == []
    match way:
        case "cancel":
            await engine.cancel_jobs([job.id or 0])
        case "discard":
            await engine.ack_jobs([Ack(lease=Lease.of(job), state=State.DISCARDED)], producer)
        case "snooze":
            ack = Ack(lease=Lease.of(job), state=State.SCHEDULED, refund=True, delay=60.0)
            await engine.ack_jobs([ack], producer)
        case "release":
            await engine.release_jobs(producer)
        case "delete":
            await store.delete(job.id)
    (other,) = (await engine.claim_limited_jobs(QUEUE, 2, producer, limits)).jobs
    assert (other.id == job.id) == (way == "release")


async def test_an_update_keeps_the_slot_of_a_running_job(
    engine: Engine, producer: Producer
) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await enqueue_for(engine, "aa")
    (job,) = (await engine.claim_limited_jobs(QUEUE, 1, producer, limits)).jobs
    await engine.update_jobs([job.id or 0], {"meta": {"m": 1}})
    assert (await engine.claim_limited_jobs(QUEUE, 9, producer, limits)).jobs == []


async def test_a_limit_for_each_node_counts_the_jobs_of_one(engine: Engine) -> None:
    limits = at_once(2, partition=BY_TENANT, per_node=True)
    await enqueue_for(engine, "a" * 9)
    one, other = new_producer("node.1"), new_producer("node.2")
    assert tenants(await engine.claim_limited_jobs(QUEUE, 5, one, limits)) == "aa"
    assert tenants(await engine.claim_limited_jobs(QUEUE, 5, other, limits)) == "aa"
    assert tenants(await engine.claim_limited_jobs(QUEUE, 5, new_producer("node.1"), limits)) == ""


async def test_a_heavy_job_is_overtaken_by_none_of_another_partition_or_priority(
    engine: Engine, producer: Producer
) -> None:
    limits = Limits(
        global_limit=GlobalLimit(9, partition=BY_TENANT), rate_limit=RateLimit(5, period=3600)
    )
    await engine.configure_limits({QUEUE: limits})
    await engine.take_tokens(QUEUE, 2)
    await enqueue_for(engine, "a", priority=0, meta={"staffa_weight": 4})
    await enqueue_for(engine, "b", priority=1)
    claimed = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert (claimed.jobs, claimed.short) == ([], True)
    assert claimed.delay is not None
    assert 0 < claimed.delay <= 3600 * 61 / 60
    await engine.reset_tokens(QUEUE)
    assert tenants(await engine.claim_limited_jobs(QUEUE, 9, producer, limits)) == "ab"


async def test_a_partition_that_finds_no_tokens_keeps_its_turn(
    engine: Engine, producer: Producer
) -> None:
    limits = Limits(
        global_limit=GlobalLimit(9, partition=BY_TENANT),
        rate_limit=RateLimit(4, period=3600, weight=2),
    )
    await enqueue_for(engine, "abcd" * 2)
    served = ""
    for _ in range(2):
        served += tenants(await engine.claim_limited_jobs(QUEUE, 9, producer, limits))
        await engine.reset_tokens(QUEUE)
    assert sorted(served) == ["a", "b", "c", "d"]


async def test_both_limits_hold_together(engine: Engine, producer: Producer) -> None:
    limits = Limits(
        global_limit=GlobalLimit(2, partition=BY_TENANT), rate_limit=RateLimit(3, period=3600)
    )
    await enqueue_for(engine, "aaabbbccc")
    claimed = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert Counter(tenants(claimed)) == {"a": 1, "b": 1, "c": 1}
    other = Limits(
        global_limit=GlobalLimit(4),
        rate_limit=RateLimit(1, period=3600, partition=BY_TENANT),
    )
    await engine.configure_limits({QUEUE: other})
    await enqueue_for(engine, "dd")
    second = await engine.claim_limited_jobs(QUEUE, 9, producer, other)
    assert len(second.jobs) == 1  # three run


async def test_those_that_run_count_in_a_queue_without_partitions_too(
    engine: Engine, producer: Producer
) -> None:
    await enqueue(engine, 5)
    await engine.claim_jobs(QUEUE, 2, producer)
    await engine.configure_limits({QUEUE: at_once(3)})
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, at_once(3))).jobs) == 1


async def test_those_that_run_count_once_when_a_rate_gets_partitions_beside_a_limit_of_all(
    engine: Engine, producer: Producer
) -> None:
    limits = Limits(global_limit=GlobalLimit(4), rate_limit=RateLimit(99, period=3600))
    await enqueue_for(engine, "abcdef")
    assert len((await engine.claim_limited_jobs(QUEUE, 2, producer, limits)).jobs) == 2
    other = Limits(
        global_limit=GlobalLimit(4), rate_limit=RateLimit(99, period=3600, partition=BY_TENANT)
    )
    await engine.configure_limits({QUEUE: other})
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, other)).jobs) == 2


async def test_a_job_without_attempts_left_holds_nothing_back(
    store: Store, engine: Engine, producer: Producer
) -> None:
    limits = at_once(1, partition=BY_TENANT, burst=True)
    await engine.configure_limits({QUEUE: limits})
    spent, *_ = await enqueue_for(engine, "abbb")
    await store.write(spent.id, attempt=20, max_attempts=20)
    assert tenants(await engine.claim_limited_jobs(QUEUE, 1, producer, limits)) == "b"
    assert tenants(await engine.claim_limited_jobs(QUEUE, 9, producer, limits)) == "bb"


async def test_all_obey_what_was_configured_last(engine: Engine, other_engine: Engine) -> None:
    await enqueue(engine, 9)
    old, new = at_once(5), at_once(2)
    await engine.configure_limits({QUEUE: old})
    await other_engine.configure_limits({QUEUE: new})
    claimed = await engine.claim_limited_jobs(QUEUE, 9, new_producer(), old)
    assert len(claimed.jobs) == 2


async def test_concurrent_claimers_keep_a_limit_at_every_moment(
    engine: Engine, other_engine: Engine
) -> None:
    limits = Limits(global_limit=GlobalLimit(3, partition=BY_TENANT))
    await enqueue_for(engine, "abc" * 40)
    left, running, most = 120, Counter[str](), Counter[str]()

    async def work(one: Engine, producer: Producer) -> None:
        nonlocal left
        while left:
            claimed = await one.claim_limited_jobs(QUEUE, 4, producer, limits)
            for job in claimed.jobs:
                tenant = job.args["tenant"]
                running[tenant] += 1
                most[tenant] = max(most[tenant], running[tenant])
            await asyncio.sleep(0)
            left -= len(claimed.jobs)
            running.subtract(job.args["tenant"] for job in claimed.jobs)
            await complete(one, producer, claimed.jobs)

    producers = [new_producer(f"node.{n}") for n in range(4)]
    await asyncio.gather(*(work((engine, other_engine)[n % 2], p) for n, p in enumerate(producers)))
    assert max(most.values()) <= 3
    assert await engine.count_jobs() == {(QUEUE, State.COMPLETED): 120}


async def test_what_is_used_of_limits_can_be_read(engine: Engine, producer: Producer) -> None:
    limits = Limits(
        global_limit=GlobalLimit(2, partition=BY_TENANT),
        rate_limit=RateLimit(9, period=3600, partition=BY_TENANT),
    )
    await enqueue_for(engine, "aaab")
    await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    await engine.configure_limits({"other": at_once(7)})
    other, own = sorted(await engine.read_limits(partitions=10), key=lambda use: use.queue == QUEUE)
    assert (other.queue, other.limits, other.running) == ("other", at_once(7), 0)
    assert (own.limits, own.running, own.available) == (limits, 3, None)
    assert [(use.key, use.running, use.available) for use in own.partitions] == [
        ('["a"]', 2, 7),
        ('["b"]', 1, 8),
    ]
    assert [use.queue for use in await engine.read_limits([QUEUE])] == [QUEUE]
