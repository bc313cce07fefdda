"""Jobs whose meta was copied from a member of a flow are no members, and are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import Batch, Chain, Job, Staffa, Workflow
from staffa.errors import InvalidJob


def member(**options: Any) -> Job:
    return Job(worker="tests.member", queue="nobody", **options)


async def stored_metas(app: Staffa) -> dict[str, dict[str, Any]]:
    """Return the meta of a member of each kind of flow."""
    workflow = await app.enqueue(Workflow("order").add("charge", member()))
    batch = await app.enqueue(Batch([member()]))
    chained = await app.enqueue(member(chain=Chain(by="worker")))
    step = await workflow.job("charge")
    assert step is not None
    (of_batch,) = await batch.jobs()
    return {
        "workflow": dict(step.meta),
        "batch": dict(of_batch.meta),
        "chain": dict(chained.meta),
    }


@pytest.mark.parametrize("kind", ["workflow", "batch", "chain"])
async def test_a_copy_of_a_member_is_refused_and_nothing_is_counted(
    nodes: list[Staffa], kind: str
) -> None:
    app = nodes[0]
    copied = member(meta=(await stored_metas(app))[kind])
    before = await app.count_jobs()
    with pytest.raises(InvalidJob, match=rf"names the {kind} '.*leave that out of meta"):
        await app.enqueue(copied)
    with pytest.raises(InvalidJob, match="is no member of it"):
        await app.enqueue_many(member(), copied)
    with pytest.raises(InvalidJob, match="is no member of it"):
        async for _ in app.enqueue_many([member(), copied], stream=True):
            pass
    with pytest.raises(InvalidJob, match="is no member of it"):
        async for _ in app.enqueue_many(_each(copied)):
            pass
    assert await app.count_jobs() == before


async def test_so_it_is_without_an_event_loop(nodes: list[Staffa]) -> None:
    app = nodes[0]
    copied = member(meta=(await stored_metas(app))["batch"])
    with pytest.raises(InvalidJob, match="is no member of it"):
        await asyncio.to_thread(app.sync.enqueue, copied)


async def test_keys_of_that_name_that_name_nothing_stored_are_the_users_own(
    nodes: list[Staffa],
) -> None:
    given = {"batch_id": "import of May", "workflow_id": 7, "order_id": "x"}
    job = await nodes[0].enqueue(member(meta=given))
    assert job.meta == given


async def _each(*jobs: Job) -> AsyncIterator[Job]:
    for job in jobs:
        yield job
