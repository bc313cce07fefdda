"""Flows are read, cancelled, released and forgotten as a whole."""

from __future__ import annotations

import asyncio

import pytest

from staffa.engine import Engine
from staffa.errors import UnknownFlow
from staffa.linking import FlowKind, Followed, Graph, NeedsFlow, NeedsJob, Policies, Policy
from staffa.types import State
from tests.conformance.new_graphs import batch, counts, flow_of, members, states, step, workflow
from tests.conformance.runs import Runs
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, new_job

LONG = 100.0


async def test_a_flow_that_is_not_stored_can_be_neither_cancelled_nor_retried(
    engine: Engine,
) -> None:
    for call in (engine.cancel_flow, engine.retry_flow):
        with pytest.raises(UnknownFlow, match="'nothing' is stored"):
            await call("nothing")
    assert await engine.read_flows(["nothing"]) == []


# --- cancel


async def test_all_unfinished_jobs_are_cancelled_at_any_depth(engine: Engine, runs: Runs) -> None:
    flows = [workflow(), workflow("inner", "order"), workflow("deep", "inner", root="order")]
    await runs.write(
        step(),
        step(scheduled_in=60),
        step("inner", [0]),
        step("deep", held=True),
        step(needs=[NeedsFlow("inner")], policies=Policies(cancelled=Policy.IGNORE)),
        flows=flows,
    )
    await runs.end(0)
    await runs.start()
    changed = await engine.cancel_flow("order")
    assert [job.id for job in changed] == runs.ids[1:]
    assert [job.id for job in changed if job.previous_state is State.EXECUTING] == [runs.ids[2]]
    assert await runs.states() == ["completed", *["cancelled"] * 4]
    assert sorted(changed.followed.ended) == ["deep", "inner", "order"]
    assert not changed.followed.woken
    assert (await flow_of(engine)).state is State.CANCELLED
    assert counts(await flow_of(engine)) == {
        "total": 3, "completed": 1, "cancelled": 2, "attempted": 3,
    }  # fmt: skip
    assert await engine.cancel_flow("order") == []


async def test_what_waits_outside_for_a_flow_that_is_cancelled_does_what_its_policies_say(
    engine: Engine, runs: Runs
) -> None:
    ignoring = Policies(cancelled=Policy.IGNORE)
    await runs.write(
        step("inner"),
        step(needs=[NeedsFlow("inner")]),
        step(needs=[NeedsFlow("inner")], policies=ignoring),
        flows=[workflow(), workflow("inner", "order")],
    )
    changed = await engine.cancel_flow("inner")
    assert await runs.states() == ["cancelled", "cancelled", "available"]
    assert dict(changed.followed.woken) == {QUEUE: 1}
    assert list(changed.followed.cancelled) == [runs.ids[1]]


async def test_a_batch_is_cancelled_with_the_workflow_in_it_but_not_its_callbacks(
    engine: Engine, runs: Runs
) -> None:
    callbacks = {"cancelled": new_job(worker="tests.Told")}
    await runs.write(
        step(batch_id="bunch"),
        step("", batch_id="bunch"),
        step("inner", batch_id="bunch"),
        flows=[
            batch(callbacks=callbacks),
            workflow(root="bunch"),
            workflow("inner", "order", root="bunch"),
        ],
    )
    changed = await engine.cancel_flow("bunch")
    assert [job.id for job in changed] == runs.ids
    (told,) = [
        job
        for job in await engine.list_linked_jobs("bunch", callbacks=True)
        if "callback" in job.meta
    ]
    assert (told.state, dict(changed.followed.woken)) == (State.AVAILABLE, {QUEUE: 1})
    assert await engine.cancel_flow("bunch") == []


async def test_thousands_are_cancelled_together(engine: Engine, runs: Runs) -> None:
    await runs.write(step(), *members(6000, "order", 0))
    assert len(await engine.cancel_flow("order")) == 6001
    assert counts(await flow_of(engine)) == {
        "total": 6001, "cancelled": 6001, "attempted": 6001,
    }  # fmt: skip


# --- release


async def test_a_held_step_is_released(engine: Engine, runs: Runs) -> None:
    await runs.write(step(held=True))
    followed = await engine.release_step(runs.ids[0])
    assert (dict(followed.woken), followed.released) == ({QUEUE: 1}, True)
    assert await runs.states() == ["available"]
    assert counts(await flow_of(engine)) == {"total": 1}
    assert await engine.release_step(runs.ids[0]) == Followed()


async def test_a_held_step_waits_on_for_what_it_needs(engine: Engine, runs: Runs) -> None:
    await runs.write(step(), step(needs=[0], held=True), step(needs=[0], held=True))
    assert await engine.release_step(runs.ids[1]) == Followed(released=True)
    assert await engine.release_step(runs.ids[1]) == Followed()
    await runs.end(0)
    assert await runs.states() == ["completed", "available", "suspended"]
    assert dict((await engine.release_step(runs.ids[2])).woken) == {QUEUE: 1}


async def test_what_is_no_step_is_left_alone(engine: Engine, runs: Runs) -> None:
    await runs.write(step())
    assert await engine.release_step(runs.ids[0]) == Followed()
    assert await engine.release_step(10**9) == Followed()


# --- reading


async def test_flows_are_listed_from_the_newest_page_by_page(engine: Engine) -> None:
    for name in ("a", "b", "c"):
        flows = [workflow(name), workflow(f"in {name}", name), batch(f"batch {name}")]
        await engine.insert_graph(Graph(flows, []))
    first = await engine.list_flows(FlowKind.WORKFLOW, limit=2)
    assert [row.id for row in first] == ["c", "b"]
    rest = await engine.list_flows(FlowKind.WORKFLOW, limit=2, before="b")
    assert [row.id for row in rest] == ["a"]
    batches = await engine.list_flows(FlowKind.BATCH, limit=5)
    assert [row.id for row in batches] == ["batch c", "batch b", "batch a"]


async def test_what_is_inside_of_listed_flows_counts(engine: Engine, runs: Runs) -> None:
    flows = [workflow(), workflow("group", "order"), workflow("inner", "group")]
    await runs.write(step(), step("group"), step("inner"), step("inner"), flows=flows)
    await runs.end(2, state=State.DISCARDED)
    await engine.insert_graph(Graph([workflow("other")], []))
    other, order = await engine.list_flows(FlowKind.WORKFLOW, limit=2)
    assert (order.id, order.total, order.discarded, order.active) == ("order", 4, 1, 3)
    assert order.state is State.EXECUTING
    assert (other.id, other.total) == ("other", 0)
    for place in (0, 1, 3):
        await runs.end(place)
    (order,) = await engine.list_flows(FlowKind.WORKFLOW, limit=1, before="other")
    assert (order.completed, order.state) == (3, State.DISCARDED)


async def test_steps_are_found_by_name(engine: Engine, runs: Runs) -> None:
    flows = [workflow(), workflow("inner", "order")]
    await runs.write(step(name="a"), step(name="ž"), step(), step("inner", name="b"), flows=flows)
    a, z, _, b = runs.ids
    assert await engine.find_steps("order") == {"a": a, "ž": z}
    assert await engine.find_steps("order", ["ž", "none"]) == {"ž": z}
    assert await engine.find_steps("inner") == {"b": b}


async def test_jobs_of_a_flow_are_listed_page_by_page(engine: Engine, runs: Runs) -> None:
    flows = [batch(), workflow(root="bunch"), workflow("inner", "order", root="bunch")]
    await runs.write(
        step(batch_id="bunch"), step("", batch_id="bunch"), step("inner"), step(), flows=flows
    )
    first, second, _, last = runs.ids
    assert [job.id for job in await engine.list_linked_jobs("order")] == [first, last]
    assert [job.id for job in await engine.list_linked_jobs("bunch")] == [first, second]
    page = await engine.list_linked_jobs("order", limit=1)
    assert [job.id for job in page] == [first]
    rest = await engine.list_linked_jobs("order", after=first, limit=1)
    assert [job.id for job in rest] == [last]


# --- forget


async def test_flows_without_jobs_are_forgotten_after_an_age(engine: Engine, runs: Runs) -> None:
    await runs.write(step(), step("inner", [0]), flows=[workflow(), workflow("inner", "order")])
    assert await engine.forget_flows(age=0, limit=10) == 0
    await engine.cancel_flow("order")
    assert await engine.forget_flows(age=0, limit=10) == 0
    await engine.delete_jobs(runs.ids)
    assert await engine.forget_flows(age=LONG, limit=10) == 0
    assert await engine.forget_flows(age=0, limit=10) == 2
    assert await engine.read_flows(["order", "inner"]) == []


async def test_a_flow_is_kept_while_one_with_its_root_has_jobs(engine: Engine, runs: Runs) -> None:
    await runs.write(step("inner"), flows=[workflow(), workflow("inner", "order")])
    await runs.end(0)
    assert await engine.forget_flows(age=0, limit=10) == 0
    await engine.delete_jobs(runs.ids)
    assert await engine.forget_flows(age=0, limit=10) == 2


async def test_steps_of_jobs_that_others_have_deleted_are_forgotten_too(
    engine: Engine, runs: Runs, store: Store
) -> None:
    await runs.write(step(), step(needs=[0]))
    await runs.end(0)
    await runs.end(1)
    for number in runs.ids:
        await store.delete(number)
    assert await engine.forget_flows(age=0, limit=10) == 1
    assert await store.select("staffa_steps") == []
    assert await store.select("staffa_edges") == []


async def test_flows_that_can_not_be_forgotten_do_not_hold_up_those_behind_them(
    engine: Engine, runs: Runs
) -> None:
    for name in ("a", "b", "c"):
        await runs.write(step(name), flows=[workflow(name)])
        await runs.end(0)
    await runs.write(flows=[workflow("empty")])
    forgotten = [await engine.forget_flows(age=0, limit=2) for _ in range(3)]
    assert sorted(forgotten) == [0, 0, 1]
    listed = await engine.list_flows(FlowKind.WORKFLOW, limit=9)
    assert [row.id for row in listed] == ["c", "b", "a"]


async def test_many_flows_are_forgotten_at_once(engine: Engine) -> None:
    flows = [workflow(f"flow {number}") for number in range(2_500)]
    await engine.insert_graph(Graph(flows, []))
    assert await engine.forget_flows(age=0, limit=10_000) == 2_500
    assert await engine.list_flows(FlowKind.WORKFLOW, limit=9) == []


# --- beside others


@pytest.mark.parametrize("whole", [False, True], ids=["behind a job", "behind a flow"])
async def test_what_is_appended_is_released_whoever_is_first(
    engine: Engine, other_engine: Engine, runs: Runs, whole: bool
) -> None:
    for turn in range(10):
        name = f"flow {turn}"
        inner = f"inner {turn}"
        await runs.write(step(inner), flows=[workflow(name), workflow(inner, name)])
        need = NeedsFlow(inner) if whole else NeedsJob(runs.ids[0])
        behind = Graph([], [step(name, [need])], roots=[name])
        more, _ = await asyncio.gather(other_engine.insert_graph(behind), runs.end(0))
        assert await states(engine, more.ids) == ["available"]
        row = await flow_of(engine, name)
        assert (counts(row), row.finished_at) == ({"total": 1}, None)
        await engine.cancel_flow(name)
        assert (await flow_of(engine, name)).state is State.CANCELLED


async def test_many_who_append_at_once_lose_nothing(
    engine: Engine, other_engine: Engine, runs: Runs
) -> None:
    await runs.write(step())
    behind = Graph([], [step(needs=[NeedsJob(runs.ids[0])])], roots=["order"])
    appended = [(engine, other_engine)[n % 2].insert_graph(behind) for n in range(12)]
    await asyncio.gather(*appended, runs.end(0))
    row = await flow_of(engine)
    assert counts(row) == {"total": 13, "completed": 1, "attempted": 1}
    assert len(await engine.claim_jobs(QUEUE, 100, runs.producer)) == 12


async def test_a_flow_is_cancelled_with_what_is_appended_before_and_goes_on_with_the_rest(
    engine: Engine, other_engine: Engine, runs: Runs
) -> None:
    for turn in range(10):
        name = f"flow {turn}"
        await runs.write(step(name), flows=[workflow(name)])
        behind = Graph([], [step(name)], roots=[name])
        more, changed = await asyncio.gather(
            other_engine.insert_graph(behind), engine.cancel_flow(name)
        )
        (state,) = await states(engine, more.ids)
        row = await flow_of(engine, name)
        assert len(changed) == (2 if state == "cancelled" else 1)
        assert (row.finished_at is None) == (state == "available")
        assert row.cancelled == len(changed)
