"""Callbacks of batches may be unique and in chains: they are enqueued as any such job is."""

from __future__ import annotations

from typing import Any

import pytest

from staffa.engine import Engine
from staffa.jobs import Job
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.new_graphs import batch, flow_of, graph, step
from tests.conformance.stores import PostgresStore, Store
from tests.conformance.work import new_job


def report(n: int = 0, **options: Any) -> Job:
    """Return a callback."""
    return new_job(queue="callbacks", args={"n": n}, **options)


async def insert(engine: Engine, name: str, **callbacks: Any) -> int:
    """Write a batch of one job, and return the job."""
    flow = batch(name, callbacks=callbacks)
    inserted = await engine.insert_graph(graph(step("", batch_id=name), flows=[flow]))
    return inserted.ids[0]


async def written(store: Store) -> list[dict[str, Any]]:
    """Return the callbacks that were written, in their order."""
    rows = [row for row in await store.rows() if row["queue"] == "callbacks"]
    return sorted(rows, key=lambda row: row["id"])


async def test_a_unique_callback_is_written_if_there_is_none_like_it(
    flows: Flows, engine: Engine, store: Store
) -> None:
    unique = report(unique={"keys": ["n"]})
    jobs = [await insert(engine, name, completed=unique) for name in ("b1", "b2", "b3")]
    first = await flows.end(jobs[0])
    assert first.followed.woken == {"callbacks": 1}
    second = await flows.end(jobs[1])
    assert second.followed.woken == {}
    (row,) = await written(store)
    assert (row["meta"]["batch_id"], row["meta"]["callback"]) == ("b1", "completed")
    assert (await flow_of(engine, "b2")).fired == ("completed",)
    await engine.cancel_jobs([row["id"]])
    third = await flows.end(jobs[2])
    assert third.followed.woken == {"callbacks": 1}
    assert [row["meta"]["batch_id"] for row in await written(store)] == ["b1", "b3"]


async def test_a_unique_callback_is_the_same_as_a_job_that_was_enqueued(
    flows: Flows, engine: Engine, store: Store
) -> None:
    unique = report(unique={"fields": ["worker", "args", "meta"]}, meta={"day": 1})
    job = await insert(engine, "b", completed=unique)
    (there,) = await engine.enqueue_jobs([unique])
    await flows.end(job)
    assert [row["id"] for row in await written(store)] == [there.id]


async def test_a_unique_callback_overwrites_what_it_is_to_replace(
    flows: Flows, engine: Engine, store: Store
) -> None:
    options: dict[str, Any] = {
        "unique": {"fields": ["worker"]},
        "replace": {"scheduled": ["args", "scheduled_at"]},
    }
    (there,) = await engine.enqueue_jobs([report(1, scheduled_in=3600, **options)])
    job = await insert(engine, "b", completed=report(2, **options))
    ended = await flows.end(job)
    assert ended.followed.woken == {"callbacks": 1}
    (row,) = await written(store)
    assert (row["id"], row["args"], row["state"]) == (there.id, {"n": 2}, "available")


async def test_callbacks_of_a_chain_run_one_after_the_other(
    flows: Flows, engine: Engine, store: Store
) -> None:
    chained = report(chain={"by": "args.n"})
    first = await insert(engine, "b1", completed=chained, exhausted=[report(5), chained, chained])
    second = await insert(engine, "b2", completed=chained)
    await flows.end(first)
    ended = await flows.end(second)
    assert ended.followed.woken == {}
    rows = await written(store)
    plain = [row["state"] for row in rows if row["args"] == {"n": 5}]
    chain = [row for row in rows if row["args"] == {"n": 0}]
    assert plain == ["available"]
    assert [row["state"] for row in chain] == ["available", *["suspended"] * 3]
    assert [(row["meta"]["batch_id"], row["meta"]["callback"]) for row in chain] == [
        ("b1", "completed"), ("b1", "exhausted"), ("b1", "exhausted"), ("b2", "completed"),
    ]  # fmt: skip
    for place, row in enumerate(chain):
        (claimed,) = [
            job for job in await engine.claim_jobs("callbacks", 10, flows.producer)
            if job.id == row["id"]
        ]  # fmt: skip
        followed = (await flows.ack(claimed)).followed
        assert followed.woken == ({"callbacks": 1} if place < len(chain) - 1 else {})
    await flows.check_counts("b1", "b2", chain[0]["meta"]["chain_id"])


async def test_a_callback_that_is_cancelled_with_the_last_job_waits_for_its_chain(
    flows: Flows, engine: Engine, store: Store
) -> None:
    chained = report(chain={"by": "args.n"})
    await engine.enqueue_jobs([chained])
    job = await insert(engine, "b", exhausted=chained)
    changes = await engine.cancel_flow("b")
    assert [one.id for one in changes] == [job]
    assert [row["state"] for row in await written(store)] == ["available", "suspended"]


async def test_an_empty_batch_writes_its_unique_callback_at_once(
    engine: Engine, store: Store
) -> None:
    for name in ("b1", "b2"):
        flow = batch(name, callbacks={"exhausted": report(unique=True)})
        await engine.insert_graph(graph(flows=[flow]))
    assert len(await written(store)) == 1


@pytest.mark.parametrize("options", [{"unique": True}, {"chain": {"by": "args.n"}}], ids=str)
async def test_an_outcome_does_not_wait_for_a_transaction_that_its_callback_would(
    flows: Flows, engine: Engine, store: Store, options: dict[str, Any]
) -> None:
    """The key, or the chain, is new: nobody sees it yet, and whoever writes it too waits."""
    if not engine.capabilities.holds_rows:
        pytest.skip("a file has one writer")
    assert isinstance(store, PostgresStore)
    choosy = report(**options)
    first = await insert(engine, "b1", completed=choosy)
    second = await insert(engine, "b2", completed=report(7))
    claimed = await flows.claim(first, second)
    async with store.connection.transaction():
        await engine.enqueue_jobs([choosy], conn=store.connection)
        found = await flows.ack(*claimed, wait=False)
        assert found.left == frozenset({first})
        assert found.states == {second: State.COMPLETED}
    assert (await flows.ack(claimed[0], wait=False)).states == {first: State.COMPLETED}
    states = [row["state"] for row in await written(store) if row["args"] == {"n": 0}]
    assert states == (["available"] if "unique" in options else ["available", "suspended"])
