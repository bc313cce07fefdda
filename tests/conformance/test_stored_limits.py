"""What is kept of limits: for how long, and what holds where it is old, gone or not understood."""

from __future__ import annotations

from datetime import timedelta

import pytest

from staffa.engine import Engine, Producer
from staffa.errors import ConfigError
from staffa.limits import Limits
from tests.conformance.limited import BY_TENANT, at_once, enqueue_for, in_a_time, tenants
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, enqueue


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
