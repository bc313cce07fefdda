"""Jobs of a chain that would wait for themselves are refused, however they would come to that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from staffa.chains import Chain
from staffa.engine import Engine, Producer
from staffa.errors import InvalidJob
from staffa.linking import FlowKind, Need, NeedsFlow, NewFlow, NewStep
from tests.conformance.graphs import Flows
from tests.conformance.new_graphs import graph, states, step, workflow
from tests.conformance.stores import Store
from tests.conformance.work import ids, new_job

CHAIN = Chain(by="args.account")
CALLBACK = {"callback": "completed"}
GROUP = [workflow(), workflow("group", "order")]


def chained(
    flow: str, needs: Sequence[Need | int] = (), *, account: int = 1, **options: Any
) -> NewStep:
    """Return a step of an account's chain."""
    return step(flow, needs, args={"account": account}, chain=CHAIN, **options)


async def append(engine: Engine, *steps: NewStep, root: str = "order") -> Sequence[int]:
    """Add steps to a stored workflow."""
    return (await engine.insert_graph(graph(*steps, flows=[], roots=[root]))).ids


async def test_a_job_of_a_group_can_not_come_behind_one_that_waits_for_the_group(
    engine: Engine, store: Store
) -> None:
    _, before = (
        await engine.insert_graph(
            graph(step("group"), chained("order", [NeedsFlow("group")]), flows=GROUP)
        )
    ).ids
    jobs = await store.rows()
    with pytest.raises(InvalidJob) as raised:
        await append(engine, chained("group"))
    assert (
        f"step 0 of the graph waits for job {before}, that for the flow 'group', that for step 0"
        in str(raised.value)
    )
    assert "another key" in str(raised.value)
    assert await store.rows() == jobs
    assert await states(engine, await append(engine, chained("group", account=2))) == ["available"]


async def test_nor_can_it_by_way_of_jobs_that_wait_for_it(engine: Engine) -> None:
    first = chained("order", [NeedsFlow("group")])
    await engine.insert_graph(graph(step("group"), first, flows=GROUP))
    with pytest.raises(InvalidJob, match="wait for themselves"):
        await append(engine, chained("order"), step("group", [0]))


async def test_nor_in_a_flow_inside_of_the_group(engine: Engine) -> None:
    first = chained("order", [NeedsFlow("group")])
    await engine.insert_graph(graph(step("group"), first, flows=GROUP))
    inner = NewFlow("inner", FlowKind.WORKFLOW, "order", parent="group")
    with pytest.raises(InvalidJob, match="that for the flow 'inner'"):
        await engine.insert_graph(graph(chained("inner"), flows=[inner], roots=["order"]))


async def test_nor_where_all_of_it_is_new(engine: Engine, store: Store) -> None:
    with pytest.raises(InvalidJob, match=r"step [01] of the graph waits for"):
        await engine.insert_graph(
            graph(chained("order", [NeedsFlow("group")]), chained("group"), flows=GROUP)
        )
    assert await store.rows() == []


async def test_nor_behind_others_of_the_chain(engine: Engine) -> None:
    await engine.insert_graph(
        graph(step("group"), chained("order", [NeedsFlow("group")]), flows=GROUP)
    )
    await engine.enqueue_jobs([new_job(args={"account": 1}, chain=CHAIN) for _ in range(3)])
    with pytest.raises(InvalidJob, match="wait for themselves"):
        await append(engine, chained("group"))


async def test_nor_as_a_member_of_a_batch(engine: Engine) -> None:
    flows = [workflow(), NewFlow("batch", FlowKind.BATCH, "order", parent="order")]
    await engine.insert_graph(
        graph(step(batch_id="batch"), chained("order", [NeedsFlow("batch")]), flows=flows)
    )
    with pytest.raises(InvalidJob, match="that for the flow 'batch'"):
        await append(engine, chained("order", batch_id="batch"))
    (callback,) = await append(engine, chained("order", batch_id="batch", meta=CALLBACK))
    assert await states(engine, [callback]) == ["suspended"]


async def test_two_workflows_can_not_wait_for_each_other(engine: Engine) -> None:
    """Each has a job behind one of the other, and that waits for what the first is part of."""
    await engine.insert_graph(graph(*_crossing("a", 1), flows=_nested("a")))
    await engine.insert_graph(graph(*_crossing("b", 2), flows=_nested("b")))
    await append(engine, chained("a.group", account=2), root="a")
    with pytest.raises(InvalidJob, match="wait for themselves"):
        await append(engine, chained("b.group", account=1), root="b")


async def test_nor_if_both_are_written_at_once(engine: Engine, other_engine: Engine) -> None:
    refused = 0
    for turn in range(5):
        a, b = f"a{turn}", f"b{turn}"
        await engine.insert_graph(graph(*_crossing(a, 10 * turn + 1), flows=_nested(a)))
        await engine.insert_graph(graph(*_crossing(b, 10 * turn + 2), flows=_nested(b)))
        found = await asyncio.gather(
            append(engine, chained(f"{a}.group", account=10 * turn + 2), root=a),
            append(other_engine, chained(f"{b}.group", account=10 * turn + 1), root=b),
            return_exceptions=True,
        )
        refused += sum(isinstance(one, InvalidJob) for one in found)
    assert refused == 5


async def test_what_others_wait_for_does_not_keep_a_job_from_its_chain(
    engine: Engine, store: Store, producer: Producer
) -> None:
    first, waiting = (
        await engine.insert_graph(
            graph(step("group"), chained("order", [NeedsFlow("group")], account=2), flows=GROUP)
        )
    ).ids
    (before,) = ids(await engine.enqueue_jobs([new_job(args={"account": 1}, chain=CHAIN)]))
    (new,) = await append(engine, chained("group"))
    assert await states(engine, [new, waiting]) == ["suspended", "suspended"]
    flows = Flows(store, engine, producer)
    await flows.end(first, before)
    await flows.end(new)
    assert await states(engine, [waiting]) == ["available"]


async def test_a_retry_that_would_close_a_circle_is_refused(
    engine: Engine, store: Store, producer: Producer
) -> None:
    """The new job of the group came behind one that had waited for the group before."""
    flows = Flows(store, engine, producer)
    first, before = (
        await engine.insert_graph(
            graph(step("group"), chained("order", [NeedsFlow("group")]), flows=GROUP)
        )
    ).ids
    await flows.end(first)
    with pytest.raises(InvalidJob, match="give the new ones another chain"):
        await append(engine, chained("group"))
    (running,) = await flows.claim(before)
    (behind,) = await append(engine, chained("group"))
    assert await states(engine, [before, behind]) == ["executing", "suspended"]
    await flows.ack(running)
    await flows.end(behind)
    jobs = await store.rows()
    with pytest.raises(InvalidJob, match=r"would wait for themselves: .*; retry jobs of it one by"):
        await engine.retry_flow("order", whole=True)
    assert await store.rows() == jobs
    await engine.retry_flow("group", whole=True)
    assert await states(engine, [first, before, behind]) == ["available", "completed", "available"]


def _nested(name: str) -> list[NewFlow]:
    return [
        NewFlow(name, FlowKind.WORKFLOW, name),
        NewFlow(f"{name}.group", FlowKind.WORKFLOW, name, parent=name),
    ]


def _crossing(name: str, account: int) -> list[NewStep]:
    """Return a job of a group, and one of a chain that waits for the group."""
    return [
        step(f"{name}.group"),
        chained(name, [NeedsFlow(f"{name}.group")], account=account),
    ]
