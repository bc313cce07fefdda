"""Uses of workflows that type checkers accept: this file is checked, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, assert_type

from staffa import BatchHandle, Job, Staffa, State, Workflow, WorkflowHandle, WorkflowStatus, job
from staffa.client.sync_handles import SyncBatchHandle, SyncWorkflowHandle
from staffa.flows import Addition
from staffa.testing import run_workflow


@job
async def total(prices: list[int], discount: int = 0) -> int:
    return sum(prices) - discount


@job
def price(article: str) -> int:
    return len(article)


@job
async def expand(context: dict[str, Any]) -> Workflow:
    return Workflow()


def build() -> Workflow:
    made = Workflow("order", unique="order-7", ignore_cancelled=True, meta={"a": 1})
    made.put_context({"discount": 1}).add("charge", price.new("pen"), hold=True)
    made.add_many("mails", (price.new("pen") for _ in range(2)), deps="charge")
    made.add_many("named", {"ada": price.new("pen")}, deps=["charge", "mails"])
    made.add_cascade("prices", (["pen"], price)).add_cascade("total", total, deps={"prices"})
    made.add_cascade("slow", total.options(queue="slow"), deps="prices")
    made.add_graft("more", expand).add_workflow("sub", Workflow().add("x", price.new("x")))
    return made


async def enqueueing(app: Staffa, conn: object, one: Job) -> None:
    made = build()
    assert_type(await app.enqueue(one), Job)
    assert_type(await app.enqueue(made), WorkflowHandle)
    assert_type(await app.enqueue(made, conn=conn, notify="in_transaction"), WorkflowHandle)
    assert_type(await app.enqueue_many(one, [one]), list[Job])
    assert_type(await app.enqueue_many(one, made), list[Job | WorkflowHandle | BatchHandle])
    assert_type(
        await app.enqueue_many(made, one, [one], made), list[Job | WorkflowHandle | BatchHandle]
    )
    assert_type(await run_workflow(made), WorkflowHandle)


async def handles(app: Staffa) -> None:
    handle = app.workflow("order-7")
    assert_type(await handle.status(), WorkflowStatus)
    assert_type((await handle.wait(timeout=5)).state, State)
    assert_type(await handle.job("charge"), Job | None)
    assert_type(await handle.sub("sub"), WorkflowHandle | None)
    assert_type(await handle.jobs(), list[Job])
    assert_type(handle.stream(), AsyncGenerator[Job, None])
    assert_type(handle.append(), Addition)
    assert_type(await app.enqueue(handle.append().add("x", price.new("x"))), WorkflowHandle)
    assert_type(await app.workflows(limit=5), list[WorkflowStatus])


def synchronous(app: Staffa, one: Job) -> None:
    assert_type(app.sync.enqueue(one), Job)
    assert_type(app.sync.enqueue(build()), SyncWorkflowHandle)
    assert_type(
        app.sync.enqueue_many(one, build()), list[Job | SyncWorkflowHandle | SyncBatchHandle]
    )
    assert_type(app.sync.workflow("order-7").status(), WorkflowStatus)
    assert_type(app.sync.workflows(), list[WorkflowStatus])
