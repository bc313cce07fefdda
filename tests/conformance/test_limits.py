"""Claims under limits: never too many at once or in a time, fair, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import GlobalLimit, RateLimit
from staffa.engine import Ack, Engine, Lease, Producer
from staffa.errors import ConfigError
from staffa.jobs import Job
from staffa.limiting import LimitedClaim
from staffa.limits import Limits
from staffa.types import State
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, enqueue, ids, new_job, new_producer

BY_TENANT = "args.tenant"


def at_once(allowed: int, **options: Any) -> Limits:
    """Return a global limit."""
    return Limits(global_limit=GlobalLimit(allowed, **options))


def in_a_time(allowed: int, **options: Any) -> Limits:
    """Return a rate limit, of an hour if no period is given."""
    return Limits(rate_limit=RateLimit(allowed, **{"period": 3600, **options}))


async def enqueue_for(engine: Engine, tenants: str, **options: Any) -> list[Job]:
    """Insert a job for each letter, in their order."""
    jobs = [new_job(args={"tenant": tenant}, **options) for tenant in tenants]
    return await engine.enqueue_jobs(jobs)


def tenants(claimed: LimitedClaim) -> str:
    """Return whose jobs were claimed, in the order of turns."""
    return "".join(job.args["tenant"] for job in claimed.jobs)


async def complete(engine: Engine, producer: Producer, jobs: list[Job]) -> None:
    """End jobs."""
    acks = [Ack(lease=Lease.of(job), state=State.COMPLETED) for job in jobs]
    assert len(await engine.ack_jobs(acks, producer)) == len(jobs)


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


async def test_what_becomes_available_has_its_key(
    store: Store, engine: Engine, producer: Producer
) -> None:
    await engine.configure_limits({QUEUE: at_once(1, partition=BY_TENANT)})
    jobs = await enqueue_for(engine, "abc")
    keys = [(await store.row(job.id))["meta"]["partition_key"] for job in jobs]
    assert len(set(keys)) == 3
    for job, state in zip(jobs, ["scheduled", "retryable", "scheduled"], strict=True):
        await store.write(job.id, state=state, meta={"m": 1}, scheduled_at="2020-01-01 00:00:00")
    await engine.stage_jobs(10, [])
    for job, key in zip(jobs, keys, strict=True):
        assert (await store.row(job.id))["meta"] == {"m": 1, "partition_key": key}


async def test_an_update_keeps_the_slot_of_a_running_job(
    engine: Engine, producer: Producer
) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await enqueue_for(engine, "aa")
    (job,) = (await engine.claim_limited_jobs(QUEUE, 1, producer, limits)).jobs
    await engine.update_jobs([job.id or 0], {"meta": {"m": 1}})
    assert (await engine.claim_limited_jobs(QUEUE, 9, producer, limits)).jobs == []


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


async def test_a_limit_for_each_node_counts_the_jobs_of_one(engine: Engine) -> None:
    limits = at_once(2, partition=BY_TENANT, per_node=True)
    await enqueue_for(engine, "a" * 9)
    one, other = new_producer("node.1"), new_producer("node.2")
    assert tenants(await engine.claim_limited_jobs(QUEUE, 5, one, limits)) == "aa"
    assert tenants(await engine.claim_limited_jobs(QUEUE, 5, other, limits)) == "aa"
    assert tenants(await engine.claim_limited_jobs(QUEUE, 5, new_producer("node.1"), limits)) == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["worker"], 2),
        (["args.a.b"], 2),
        (["meta.region"], 2),
        (["worker", "args.a.b"], 3),
        (["args.nothing"], 1),
    ],
)
async def test_partitions_are_made_of_worker_args_and_meta(
    engine: Engine, producer: Producer, fields: list[str], expected: int
) -> None:
    await engine.enqueue_jobs(
        [
            new_job(worker="one", args={"a": {"b": 1}}, meta={"region": "eu"}),
            new_job(worker="one", args={"a": {"b": 2}}, meta={"region": "us"}),
            new_job(worker="two", args={"a": {"b": 2}}, meta={"region": "us"}),
            new_job(worker="two", args={"a": {"b": 2}}, meta={"region": "us"}),
        ]
    )
    limits = at_once(1, partition=fields)
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, limits)).jobs) == expected


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


async def test_a_foreign_job_has_a_partition_all_the_same(
    store: Store, engine: Engine, producer: Producer
) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    jobs = await enqueue_for(engine, "aab")
    await store.write(jobs[1].id, meta={})  # as a plain INSERT has it
    await store.write(jobs[2].id, meta={"partition_key": "mine", "m": 1})
    first = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert Counter(tenants(first)) == {"a": 1, "b": 1}
    meta = (await store.row(jobs[2].id))["meta"]
    assert meta["m"] == 1
    assert meta["partition_key"] != "mine"
    await complete(engine, producer, first.jobs)
    assert tenants(await engine.claim_limited_jobs(QUEUE, 9, producer, limits)) == "a"


async def test_who_has_no_limits_of_its_own_writes_keys_once_it_has_noticed_those_of_others(
    store: Store, engine: Engine, other_engine: Engine
) -> None:
    before = engine.knows_partitions
    await engine.notice_partitions()
    assert (before, engine.knows_partitions) == (False, True)
    await other_engine.configure_limits({QUEUE: at_once(1, partition=BY_TENANT)})
    (early,) = await enqueue_for(engine, "a")
    await engine.notice_partitions()
    (late,) = await enqueue_for(engine, "a")
    metas = [(await store.row(job.id))["meta"] for job in (early, late)]
    assert ["partition_key" in meta for meta in metas] == [False, True]


async def test_a_foreign_job_behind_a_long_backlog_is_found_and_waiting_asks_for_no_more_claims(
    store: Store, engine: Engine, producer: Producer
) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    await enqueue_for(engine, "a" * 2500)

    async def claim_until(tenant: str) -> None:
        async with asyncio.timeout(30):
            while True:
                claimed = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
                if tenants(claimed) == tenant:
                    return

    await claim_until("a")
    waiting = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    for _ in range(20):
        if waiting.delay is None:
            break
        waiting = await engine.claim_limited_jobs(QUEUE, 3, producer, limits)
    assert (waiting.jobs, waiting.delay, waiting.short) == ([], None, True)
    for tenant in "bc":
        (foreign,) = await enqueue_for(engine, tenant)
        await store.write(foreign.id, meta={})
        await claim_until(tenant)


async def test_a_job_whose_args_were_changed_has_another_partition(
    store: Store, engine: Engine, producer: Producer
) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    jobs = await enqueue_for(engine, "ab")
    await store.write(jobs[1].id, args={"tenant": "a"})
    assert tenants(await engine.claim_limited_jobs(QUEUE, 9, producer, limits)) == "a"


async def test_jobs_older_than_the_limit_are_partitioned_and_those_that_run_count(
    engine: Engine, producer: Producer
) -> None:
    await enqueue_for(engine, "aaab")
    await engine.claim_jobs(QUEUE, 1, producer)
    limits = at_once(2, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    claimed = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert Counter(tenants(claimed)) == {"a": 1, "b": 1}


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


async def test_another_partition_takes_effect_at_once_and_strands_nothing(
    engine: Engine, producer: Producer
) -> None:
    jobs = [new_job(args={"tenant": t, "kind": k}) for t in "ab" for k in "xyz"]
    await engine.enqueue_jobs(jobs)
    by_tenant, by_kind = (at_once(1, partition=f"args.{name}") for name in ("tenant", "kind"))
    await engine.configure_limits({QUEUE: by_tenant})
    first = (await engine.claim_limited_jobs(QUEUE, 9, producer, by_tenant)).jobs
    assert len(first) == 2
    await engine.configure_limits({QUEUE: by_kind})
    second = (await engine.claim_limited_jobs(QUEUE, 9, producer, by_tenant)).jobs
    running = Counter(job.args["kind"] for job in [*first, *second])
    assert {job.args["kind"] for job in second} == set("xyz") - {job.args["kind"] for job in first}
    assert set(running) == set("xyz")
    await engine.configure_limits({QUEUE: at_once(100)})
    third = (await engine.claim_limited_jobs(QUEUE, 9, producer, by_tenant)).jobs
    assert len(first) + len(second) + len(third) == 6


async def test_all_obey_what_was_configured_last(engine: Engine, other_engine: Engine) -> None:
    await enqueue(engine, 9)
    old, new = at_once(5), at_once(2)
    await engine.configure_limits({QUEUE: old})
    await other_engine.configure_limits({QUEUE: new})
    claimed = await engine.claim_limited_jobs(QUEUE, 9, new_producer(), old)
    assert len(claimed.jobs) == 2


@pytest.mark.parametrize("value", [None, 5, 2.5, "x" * 5000, {"a": [1]}, "\U0001f600\\u0001", ""])
async def test_any_value_makes_a_partition(engine: Engine, producer: Producer, value: Any) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    await engine.enqueue_jobs([new_job(args={"tenant": value}) for _ in range(2)])
    await enqueue_for(engine, "o")
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, limits)).jobs) == 2


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


async def test_limits_that_nobody_uses_are_forgotten(engine: Engine, producer: Producer) -> None:
    await engine.configure_limits({QUEUE: at_once(7), "other": in_a_time(1)})
    assert await engine.forget_limits(age=3600) == 0
    assert await engine.forget_limits(age=-1) == 2
    await enqueue(engine)
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, at_once(7))).jobs) == 1


async def test_limits_are_kept_as_long_as_what_was_spent_counts(engine: Engine) -> None:
    await engine.configure_limits({QUEUE: in_a_time(5)})
    await engine.take_tokens(QUEUE, 2)
    assert await engine.forget_limits(age=-1) == 0
    left = await engine.take_tokens(QUEUE, 0)
    assert left is not None
    assert left.available == 3
    assert await engine.forget_limits(age=-7300) == 1


async def test_limits_of_another_version_stop_claims_under_them_and_nothing_else(
    store: Store, engine: Engine, producer: Producer
) -> None:
    now = await store.now()
    await store.insert(
        "staffa_limits",
        queue="newer",
        options={"rate_limit": {"allowed": 5, "period": 60, "algorithm": "leaky"}},
        fields=[],
        cursors={},
        sweep={},
        changed_at=now,
        used_at=now,
    )
    await engine.notice_partitions()
    await engine.configure_limits({QUEUE: in_a_time(5)})
    assert [use.queue for use in await engine.read_limits()] == [QUEUE]
    refused = r"(?s)'newer' has limits that can't be used.*'leaky'"
    with pytest.raises(ConfigError, match=refused):
        await engine.claim_limited_jobs("newer", 1, producer, in_a_time(5))
    with pytest.raises(ConfigError, match=refused):  # else they would be taken for none
        await engine.read_limits(["newer"])


async def test_limits_are_kept_as_long_as_a_process_lives_that_may_have_them(
    engine: Engine, producer: Producer
) -> None:
    heart = engine.heartbeat()
    await heart.beat(producer)
    await engine.configure_limits({QUEUE: at_once(7)})
    assert await engine.forget_limits(age=-1) == 0
    await engine.remove_producer(producer)
    assert await engine.forget_limits(age=-1) == 1
    await heart.close()


async def test_a_clock_that_went_back_puts_nothing_off(
    store: Store, engine: Engine, producer: Producer
) -> None:
    ahead = await store.now() + timedelta(hours=1)
    times = dict.fromkeys(["walk_at", "strays_at", "rests_until"], ahead.timestamp())
    limits = at_once(2, partition=BY_TENANT)
    await store.insert(
        "staffa_limits",
        queue=QUEUE,
        options=limits.as_options(),
        fields=limits.fields,
        cursors={},
        sweep=times,
        changed_at=ahead,
        used_at=ahead,
    )
    await enqueue_for(engine, "a")
    assert len(await engine.claim_jobs(QUEUE, 1, producer)) == 1
    await enqueue_for(engine, "aab")
    claimed = await engine.claim_limited_jobs(QUEUE, 9, producer, limits)
    assert sorted(tenants(claimed)) == ["a", "b"]


async def test_limits_that_were_taken_away_hold_nobody_back(
    engine: Engine, producer: Producer
) -> None:
    await engine.configure_limits({QUEUE: at_once(1, partition=BY_TENANT)})
    await enqueue_for(engine, "aaab")
    await engine.configure_limits({QUEUE: Limits()})
    assert await engine.read_limits() == []
    # a process that has not heard of it yet
    claimed = await engine.claim_limited_jobs(QUEUE, 9, producer, at_once(1))
    assert tenants(claimed) == "aaab"
    assert await engine.take_tokens(QUEUE, 1) is None
