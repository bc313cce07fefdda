"""The partitions of jobs: what they are made of, and whose rows have which, whoever wrote them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from tests.conformance.limited import BY_TENANT, at_once, complete, enqueue_for, tenants
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, new_job


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


@pytest.mark.parametrize("value", [None, 5, 2.5, "x" * 5000, {"a": [1]}, "\U0001f600\\u0001", ""])
async def test_any_value_makes_a_partition(engine: Engine, producer: Producer, value: Any) -> None:
    limits = at_once(1, partition=BY_TENANT)
    await engine.configure_limits({QUEUE: limits})
    await engine.enqueue_jobs([new_job(args={"tenant": value}) for _ in range(2)])
    await enqueue_for(engine, "o")
    assert len((await engine.claim_limited_jobs(QUEUE, 9, producer, limits)).jobs) == 2
