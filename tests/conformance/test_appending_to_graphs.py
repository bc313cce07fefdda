"""Graphs are added to flows that are stored, which go on with what they get."""

from __future__ import annotations

from dataclasses import replace

import pytest

from staffa.engine import Engine, Lease, Producer
from staffa.linking import NeedsFlow, NeedsJob, Policies, Policy
from tests.conformance.new_graphs import (
    counts,
    flow_of,
    graph,
    states,
    step,
    workflow,
)
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE

IGNORE_CANCELLED = Policies(cancelled=Policy.IGNORE)
HOLD_CANCELLED = Policies(cancelled=Policy.HOLD)


async def test_jobs_are_added_to_a_flow_that_is_stored(engine: Engine) -> None:
    first = await engine.insert_graph(graph(step()))
    more = await engine.insert_graph(
        graph(step(needs=[NeedsJob(first.ids[0])]), flows=[], roots=["order"])
    )
    assert await states(engine, more.ids) == ["suspended"]
    assert counts(await flow_of(engine)) == {"total": 2, "suspended": 1}


async def test_a_flow_that_has_ended_goes_on_when_jobs_are_added(engine: Engine) -> None:
    flows = [workflow(), workflow("mails", "order")]
    await engine.insert_graph(graph(flows=flows))
    assert (await flow_of(engine)).finished_at is not None
    await engine.insert_graph(graph(step("mails"), flows=[], roots=["order"]))
    assert (await flow_of(engine)).finished_at is None
    assert counts(await flow_of(engine)) == {"inner": 1}


@pytest.mark.parametrize(
    ("end", "policies", "state"),
    [
        ("completed", Policies(), "available"),
        ("cancelled", Policies(), "cancelled"),
        ("cancelled", IGNORE_CANCELLED, "available"),
        ("cancelled", HOLD_CANCELLED, "suspended"),
        ("discarded", Policies(), "cancelled"),
        ("discarded", Policies(discarded=Policy.IGNORE), "available"),
        ("deleted", Policies(), "cancelled"),
        ("deleted", Policies(deleted=Policy.IGNORE), "available"),
        ("deleted", Policies(deleted=Policy.HOLD), "available"),
    ],
)
async def test_a_step_behind_a_job_that_has_ended_is_what_its_policies_say(
    engine: Engine, store: Store, end: str, policies: Policies, state: str
) -> None:
    first = await engine.insert_graph(graph(step(), step()))
    if end == "deleted":
        await store.delete(first.ids[0])
    else:
        await store.write(first.ids[0], state=end)
    more = await engine.insert_graph(
        graph(
            step(needs=[NeedsJob(first.ids[0])], policies=policies),
            step(needs=[0]),
            flows=[],
            roots=["order"],
        )
    )
    follower = {"cancelled": "cancelled"}.get(state, "suspended")
    assert await states(engine, more.ids) == [state, follower]
    if state == "cancelled":
        assert list(more.cancelled) == list(more.ids)
        (job, _) = await engine.get_jobs(more.ids)
        assert f"job {first.ids[0]}" in job.errors[0]["error"]
        assert counts(await flow_of(engine))["cancelled"] == 2
    assert dict(more.woken) == ({QUEUE: 1} if state == "available" else {})


async def test_a_step_behind_a_flow_that_has_ended_is_available(engine: Engine) -> None:
    await engine.insert_graph(graph(flows=[workflow(), workflow("none", "order")]))
    more = await engine.insert_graph(
        graph(step(needs=[NeedsFlow("none")]), flows=[], roots=["order"])
    )
    assert await states(engine, more.ids) == ["available"]


async def test_a_flow_is_added_inside_of_one_that_is_stored(engine: Engine) -> None:
    await engine.insert_graph(graph(step()))
    inner = workflow("mails", "order", place="mails")
    await engine.insert_graph(graph(step("mails"), flows=[inner], roots=["order"]))
    assert counts(await flow_of(engine)) == {"total": 1, "inner": 1}


async def test_a_graft_is_written_once(engine: Engine) -> None:
    await engine.insert_graph(graph(step()))
    grafting = graph(step(), flows=[], roots=["order"], grafted="order")
    first = await engine.insert_graph(grafting)
    again = await engine.insert_graph(grafting)
    assert (len(first.ids), first.existing) == (1, None)
    assert (list(again.ids), again.existing) == ([], "order")
    assert counts(await flow_of(engine)) == {"total": 2}


@pytest.mark.parametrize("how", ["cancelled", "rescued", "runs again"])
async def test_nothing_is_grafted_by_a_job_whose_lease_has_ended(
    engine: Engine, producer: Producer, how: str
) -> None:
    (number,) = (await engine.insert_graph(graph(step()))).ids
    (job,) = await engine.claim_jobs(QUEUE, 1, producer)
    if how == "cancelled":
        await engine.cancel_flow("order")
    else:
        await engine.release_jobs(producer, queue=QUEUE)
    if how == "runs again":
        await engine.claim_jobs(QUEUE, 1, producer)
    grafting = graph(step(), flows=[], roots=["order"], grafted="order", lease=Lease.of(job))
    late = await engine.insert_graph(grafting)
    assert (list(late.ids), late.existing) == ([], "order")
    if how != "cancelled":
        (job,) = await engine.get_jobs([number])
        if how == "rescued":
            (job,) = await engine.claim_jobs(QUEUE, 1, producer)
        grafting = replace(grafting, lease=Lease.of(job))
        assert len((await engine.insert_graph(grafting)).ids) == 1
