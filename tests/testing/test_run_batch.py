"""`run_batch`: a batch with its callbacks, in a test's own process."""

from __future__ import annotations

import asyncio

import pytest

from staffa import Batch, Staffa, Workflow, current_job, job
from staffa.errors import ConfigError, FlowExists
from staffa.testing import mode, run_batch
from staffa.testing import sync as testing


@job(name="test.member", recorded=True, max_attempts=1)
def member(number: int, fails: bool = False) -> int:
    if fails:
        raise LookupError("no such number")
    return number


@job(name="test.after", queue="reports", recorded=True)
async def after() -> str:
    running = current_job()
    return f"{running.batch_id} {running.meta['callback']}"


def news(*fails: bool) -> Batch:
    jobs = [member.new(number, failing) for number, failing in enumerate(fails)]
    return Batch(jobs, id="news", on_completed=after.new(), on_discarded=[after.new(), after.new()])


async def test_it_runs_the_jobs_and_then_the_callbacks(app: Staffa) -> None:
    handle = await run_batch(news(False, False))
    status = await handle.status()
    assert (status.state, status.total, status.fired) == ("completed", 2, ("completed",))
    assert await handle.results() == [0, 1]
    (callback,) = [job for job in await app.list_jobs() if job.queue == "reports"]
    assert await app.fetch_result(callback) == "news completed"
    with pytest.raises(FlowExists, match="'news' is taken"):
        await run_batch(news())
    with pytest.raises(ConfigError, match="only looks at a batch"):
        await handle.append([member.new(1)])


async def test_an_error_is_raised_unless_that_is_to_be_survived(app: Staffa) -> None:
    with pytest.raises(LookupError, match="no such number"):
        await run_batch(Batch([member.new(1, True)]))
    handle = await run_batch(news(True, False), with_safety=True)
    status = await handle.status()
    assert (status.counts["discarded"], status.fired) == (1, ("discarded",))
    found = [job.state for job in await app.list_jobs() if job.queue == "reports"]
    assert found == ["completed", "completed"]


async def test_a_workflow_in_a_batch_runs_in_its_order(app: Staffa) -> None:
    order = Workflow("order").add("a", member.new(1)).add("b", member.new(2), deps="a")
    handle = await run_batch(Batch([order, member.new(3)], on_completed=after.new()))
    assert await handle.results() == [1, 2, 3]
    assert (await app.workflow(order.id).status()).state == "completed"


async def test_the_same_works_without_awaiting(app: Staffa) -> None:
    def use() -> list[int]:
        handle = testing.run_batch(news(False, False, False))
        assert handle.status().fired == ("completed",)
        return handle.results()

    assert await asyncio.to_thread(use) == [0, 1, 2]


async def test_a_client_that_works_inline_says_what_to_use(app: Staffa) -> None:
    with mode("inline"), pytest.raises(ConfigError, match="use run_batch"):
        await app.enqueue(news(False))
