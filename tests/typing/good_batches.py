"""Uses of batches and chains that type checkers accept: this file is checked, never run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, assert_type

from staffa import Batch, BatchHandle, BatchStatus, Chain, Job, Staffa, State, Workflow, job
from staffa.client.sync_handles import SyncBatchHandle
from staffa.testing import run_batch


@job(chain=Chain(by=["args.account_id"], on_cancelled="hold", on_discarded="ignore"))
async def pay(account_id: int) -> None: ...


@job(chain={"by": "worker"})
def report() -> None: ...


def build() -> Batch:
    order = Workflow("order").add("pay", pay.new(1))
    one = pay.options(chain=None).new(1)
    Batch(one, on_completed=report.new())
    Batch(order, on_cancelled=[report.new(), report.new()], on_discarded=None)
    return Batch((pay.new(number) for number in range(5)), id="a", name="b")


async def enqueueing(app: Staffa, conn: object, one: Job) -> None:
    assert_type(await app.enqueue(build()), BatchHandle)
    assert_type(await app.enqueue(build(), conn=conn, notify="in_transaction"), BatchHandle)
    assert_type(await run_batch(build()), BatchHandle)
    assert_type(one.batch_id, str | None)


async def handles(app: Staffa, one: Job) -> None:
    handle = app.batch(one.batch_id)
    assert_type(await handle.status(), BatchStatus)
    assert_type((await handle.wait(timeout=5)).state, State)
    assert_type(await handle.jobs(states=["discarded"]), list[Job])
    assert_type(handle.stream(), AsyncGenerator[Job, None])
    assert_type(await handle.results(), list[Any])
    assert_type(await handle.append(pay.new(number) for number in range(5)), list[int])
    assert_type(await app.batches(limit=5), list[BatchStatus])


def synchronous(app: Staffa) -> None:
    assert_type(app.sync.enqueue(build()), SyncBatchHandle)
    assert_type(app.sync.batch("a").status(), BatchStatus)
    assert_type(app.sync.batch("a").append([pay.new(1)]), list[int])
    assert_type(app.sync.batches(), list[BatchStatus])
