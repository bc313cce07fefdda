"""Whoever adds to a flow and whoever ends what that needs don't miss each other."""

from __future__ import annotations

import asyncio

import pytest

from staffa.engine import Engine, Producer
from staffa.linking import FlowKind, Graph, NeedsJob, NeedsStep, NewFlow, NewStep
from tests.conformance.graphs import Flows
from tests.conformance.stores import PostgresStore, Store
from tests.conformance.work import QUEUE, new_job

ROUNDS = 15


def step(*needs: int) -> NewStep:
    """Return a step of the workflow."""
    return NewStep(new_job(meta={"workflow_id": "w"}), [NeedsJob(need) for need in needs])


async def test_a_step_that_is_added_while_what_it_needs_ends_is_released(
    store: Store, engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    flows = Flows(store, engine, producer)
    keep = step()
    graph = Graph([NewFlow("w", FlowKind.WORKFLOW, "w")], [keep, *[step()] * ROUNDS])
    kept, *firsts = (await engine.insert_graph(graph)).ids
    claimed = await flows.claim(*firsts)
    added: list[int] = []
    for job in claimed:
        assert job.id is not None
        more = Graph([], [step(job.id)], roots=["w"])
        inserted, _ = await asyncio.gather(
            other_engine.insert_graph(more), flows.ack(job, engine=engine)
        )
        added += inserted.ids
    assert set(await flows.states(*added)) == {"available"}
    await flows.check_counts("w")
    await engine.cancel_jobs([kept])
    await flows.check_counts("w")


async def test_jobs_that_are_cancelled_and_rescued_at_once_are_followed(
    store: Store, engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    """Who locks jobs first meets who locks roots first: one of the two begins anew."""
    flows = Flows(store, engine, producer)
    graph = Graph([NewFlow("w", FlowKind.WORKFLOW, "w")], [step() for _ in range(2 * ROUNDS)])
    numbers = list((await engine.insert_graph(graph)).ids)
    for number in numbers:
        await store.write(number, attempt=20, max_attempts=20)
    await store.raise_flow("w", "attempted", by=len(numbers))
    for place in range(0, len(numbers), 2):
        await asyncio.gather(
            other_engine.discard_exhausted_jobs(limit=2),
            engine.cancel_jobs(numbers[place : place + 2]),
        )
    assert set(await flows.states(*numbers)) <= {"cancelled", "discarded"}
    await flows.check_counts("w")
    assert not await flows.is_open("w")


async def test_a_workflow_that_is_retried_while_what_a_step_waits_for_ends_elsewhere_counts_right(
    store: Store, engine: Engine, other_engine: Engine, producer: Producer
) -> None:
    """The step is in a chain, whose root the retry does not hold."""
    if not engine.capabilities.holds_rows:
        pytest.skip("a file has one writer")
    assert isinstance(store, PostgresStore)
    flows = Flows(store, engine, producer)
    chain = {"by": "worker"}
    (before,) = await engine.enqueue_jobs([new_job(chain=chain)])
    needs = [NeedsStep(0), NeedsStep(1)]
    last = NewStep(new_job(chain=chain, meta={"workflow_id": "w"}), needs)
    graph = Graph([NewFlow("w", FlowKind.WORKFLOW, "w")], [step(), step(), last])
    first, second, waiting = (await engine.insert_graph(graph)).ids
    ahead, done = await flows.claim(before.id or 0, first)
    await flows.ack(done)
    async with store.holding_step(waiting) as waiters:
        ending = asyncio.ensure_future(flows.ack(ahead, engine=engine))
        await waiters(1)
        retrying = asyncio.ensure_future(other_engine.retry_flow("w", whole=True))
        await waiters(2)
    await asyncio.gather(ending, retrying)
    (row,) = [one for one in await store.select("staffa_steps") if one["job_id"] == waiting]
    assert row["open"] == 2
    assert (await flows.end(first, second)).followed.woken == {QUEUE: 1}
    assert await flows.states(waiting) == ["available"]
