"""Rate limits for code outside of jobs: `app.rate`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from staffa import Queue, RateLimit, Staffa, job
from staffa.errors import ConfigError
from tests.conftest import MakeClient
from tests.support.files import make_file
from tests.support.rows import Rows


@job
async def mail() -> None:
    """Do nothing."""


def limited(allowed: int, **options: Any) -> dict[str, Queue]:
    """Return queues of which one has a rate limit."""
    return {"default": Queue(rate_limit=RateLimit(allowed, **{"period": 3600, **options}))}


async def test_what_is_taken_is_missing_for_jobs(make_client: MakeClient, rows: Rows) -> None:
    app = make_client(queues=limited(5))
    await app.enqueue_many([mail.new() for _ in range(4)])
    assert await app.rate("default").take(3) == 3
    async with app:
        await rows.until_count(completed=2, available=2)
        assert await app.rate("default").available() == 0
        assert await app.rate("default").take() == 0
        await app.rate("default").reset()
        await app.enqueue(mail.new())  # wakes the queue
        await rows.until_count(completed=5)


async def test_tokens_are_taken_whole_or_partly(make_client: MakeClient) -> None:
    rate = make_client(queues=limited(5)).rate("default")
    assert await rate.take(4) == 4
    assert await rate.take(2) == 0
    assert await rate.take(2, partly=True) == 1


async def test_whoever_waits_gets_tokens_as_they_come_back(make_client: MakeClient) -> None:
    rate = make_client(queues=limited(2, period=0.2)).rate("default")
    began = asyncio.get_running_loop().time()
    for _ in range(3):
        await rate.wait_for(2)
    assert asyncio.get_running_loop().time() - began > 0.4
    with pytest.raises(TimeoutError, match="2 tokens of queue 'default' were not there"):
        await rate.wait_for(2, timeout=0.01)


async def test_what_is_there_needs_no_time(make_client: MakeClient) -> None:
    rate = make_client(queues=limited(2)).rate("default")
    await rate.wait_for(2, timeout=0)
    assert await rate.available() == 0
    with pytest.raises(TimeoutError):
        await rate.wait_for(1, timeout=0)
    await rate.reset()
    assert await rate.available() == 2


async def test_each_partition_has_tokens(make_client: MakeClient) -> None:
    app = make_client(queues=limited(1, partition="args.tenant_id"))
    first, second = (app.rate("default", partition={"args.tenant_id": n}) for n in (1, 2))
    assert (await first.take(), await first.take(), await second.take()) == (1, 0, 1)
    await first.reset()
    assert (await first.available(), await second.available()) == (1, 0)


async def test_what_can_not_be_asked_for_is_told(make_client: MakeClient) -> None:
    app = make_client(queues={**limited(5), "plain": Queue()})
    with pytest.raises(ConfigError, match="queue 'plain' has no rate limit"):
        await app.rate("plain").take()
    with pytest.raises(ConfigError, match="6 tokens are more than the 5"):
        await app.rate("default").wait_for(6)
    with pytest.raises(ConfigError, match="count is 0"):
        await app.rate("default").take(0)
    with pytest.raises(ConfigError, match="wants none"):
        await app.rate("default", partition={"worker": "w"}).take()
    for wrong in ("worker", {"args.a": object()}, {"args.a": "\ud800"}):
        with pytest.raises(ConfigError, match=r"^partition is "):
            app.rate("default", partition=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is no name"):
        app.rate("")


def test_synchronous_code_has_the_same_on_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    asyncio.run(make_file(path))
    app = Staffa(f"sqlite:///{path}", queues=limited(2, period=0.2))
    rate = app.sync.rate("default")
    assert (rate.take(2), rate.take(), rate.available()) == (2, 0, 0)
    rate.wait_for(1, timeout=30)
    rate.reset()
    assert rate.available() == 2
    app.sync.stop()
