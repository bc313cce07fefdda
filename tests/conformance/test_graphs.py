"""Graphs are written all or none; what waits for something is suspended until that has ended."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

from staffa import GlobalLimit
from staffa.engine import Engine, Producer
from staffa.limits import Limits
from staffa.linking import FlowKind, Graph, NeedsFlow, NewStep
from staffa.types import State
from tests.conformance.new_graphs import (
    batch,
    counts,
    flow_of,
    graph,
    members,
    states,
    step,
    workflow,
)
from tests.conformance.stores import Store
from tests.conformance.work import QUEUE, new_job


async def test_what_waits_for_nothing_is_available_and_the_rest_suspended(engine: Engine) -> None:
    written = await engine.insert_graph(graph(step(), step(needs=[0]), step(needs=[0, 1])))
    assert await states(engine, written.ids) == ["available", "suspended", "suspended"]
    assert dict(written.woken) == {QUEUE: 1}
    assert (written.existing, list(written.cancelled)) == (None, [])


async def test_a_flow_counts_its_jobs(engine: Engine) -> None:
    await engine.insert_graph(graph(step(), step(needs=[0]), step(scheduled_in=60)))
    row = await flow_of(engine)
    assert counts(row) == {"total": 3, "suspended": 1}
    assert (row.active, row.state, row.finished_at) == (2, State.EXECUTING, None)


async def test_a_job_for_later_is_scheduled_and_wakes_nobody(engine: Engine) -> None:
    written = await engine.insert_graph(graph(step(scheduled_in=60)))
    assert await states(engine, written.ids) == ["scheduled"]
    assert not written.woken


async def test_a_held_step_is_suspended_though_it_needs_nothing(engine: Engine) -> None:
    written = await engine.insert_graph(graph(step(held=True)))
    assert await states(engine, written.ids) == ["suspended"]


async def test_jobs_keep_what_they_were_given(engine: Engine) -> None:
    given = step(args={"ž": [2**70, "😀"]}, meta={"a": {"b": 1}}, tags=["t,"], priority=3)
    written = await engine.insert_graph(graph(given, step(needs=[0])))
    stored, _ = await engine.get_jobs(written.ids)
    for name in ("args", "meta", "tags", "priority", "max_attempts", "worker", "queue"):
        assert getattr(stored, name) == getattr(given.job, name)


async def test_ids_are_in_the_order_of_the_steps_over_several_portions(engine: Engine) -> None:
    written = await engine.insert_graph(graph(*members(5000)))
    jobs = await engine.get_jobs(written.ids)
    assert list(written.ids) == sorted(written.ids)
    assert [job.args["n"] for job in jobs] == list(range(5000))


async def test_a_step_may_need_one_of_an_earlier_portion(engine: Engine) -> None:
    written = await engine.insert_graph(graph(*members(2500), step(needs=[0, 2499])))
    assert (await states(engine, [written.ids[-1]])) == ["suspended"]
    assert counts(await flow_of(engine)) == {"total": 2501, "suspended": 1}


async def test_all_that_was_told_of_a_flow_is_read(engine: Engine) -> None:
    flow = workflow(options={"context": {"n": 2**70}}, needs=["a", "b"])
    await engine.insert_graph(graph(step(), flows=[flow]))
    row = await flow_of(engine)
    assert (row.kind, row.root, row.parent) == (FlowKind.WORKFLOW, "order", None)
    assert row.options == {"context": {"n": 2**70}}
    assert list(row.needs) == ["a", "b"]


async def test_flows_inside_of_others_are_counted_as_open_there(engine: Engine) -> None:
    flows = [
        workflow(),
        workflow("mails", "order", place="mails"),
        workflow("deep", "mails", root="order", place="deep"),
    ]
    await engine.insert_graph(graph(step("mails"), step("deep"), flows=flows))
    assert counts(await flow_of(engine)) == {"inner": 1}
    assert counts(await flow_of(engine, "mails")) == {"total": 1, "inner": 1}
    rows = await engine.read_flows(["order"], inner=True)
    assert [(row.id, row.parent, row.place) for row in rows] == [
        ("order", None, None),
        ("mails", "order", "mails"),
        ("deep", "mails", "deep"),
    ]


async def test_a_step_behind_a_flow_with_jobs_is_suspended(engine: Engine) -> None:
    flows = [workflow(), workflow("mails", "order")]
    written = await engine.insert_graph(
        graph(step("mails"), step(needs=[NeedsFlow("mails")]), flows=flows)
    )
    assert await states(engine, written.ids) == ["available", "suspended"]


async def test_an_empty_flow_has_ended_at_once_and_what_waits_for_it_is_released(
    engine: Engine,
) -> None:
    flows = [workflow(), workflow("none", "order"), workflow("inner", "none", root="order")]
    written = await engine.insert_graph(graph(step(needs=[NeedsFlow("none")]), flows=flows))
    assert await states(engine, written.ids) == ["available"]
    assert dict(written.woken) == {QUEUE: 1}
    assert (await flow_of(engine, "none")).state is State.COMPLETED
    assert counts(await flow_of(engine)) == {"total": 1}


async def test_a_workflow_without_steps_has_ended(engine: Engine) -> None:
    await engine.insert_graph(graph())
    row = await flow_of(engine)
    assert (row.state, counts(row)) == (State.COMPLETED, {})


async def test_a_job_of_a_workflow_and_a_batch_counts_in_both(engine: Engine) -> None:
    flows = [batch(), workflow(root="bunch")]
    await engine.insert_graph(
        graph(step(batch_id="bunch"), step("", batch_id="bunch"), flows=flows)
    )
    assert counts(await flow_of(engine, "bunch")) == {"total": 2}
    assert counts(await flow_of(engine)) == {"total": 1}


async def test_an_empty_batch_writes_the_callbacks_of_its_end_at_once(engine: Engine) -> None:
    callbacks = {event: new_job(worker="tests.Told") for event in ("exhausted", "cancelled")}
    written = await engine.insert_graph(graph(flows=[batch(callbacks=callbacks)]))
    (told,) = await engine.list_linked_jobs("bunch", callbacks=True)
    assert (told.meta["callback"], told.worker) == ("exhausted", "tests.Told")
    assert dict(written.woken) == {QUEUE: 1}
    assert await engine.list_linked_jobs("bunch") == []


async def test_jobs_of_limited_queues_have_the_keys_of_their_partitions(
    engine: Engine, store: Store
) -> None:
    limits = Limits(global_limit=GlobalLimit(1, partition="args.tenant"))
    await engine.configure_limits({QUEUE: limits})
    steps = [step(args={"tenant": "a"}), step(needs=[0], args={"tenant": "a"}), step(queue="free")]
    written = await engine.insert_graph(graph(*steps))
    (plain,) = await engine.enqueue_jobs([new_job(args={"tenant": "a"})])
    keys = [(await store.row(number))["meta"].get("partition_key") for number in written.ids]
    expected = (await store.row(plain.id))["meta"]["partition_key"]
    assert keys == [expected, expected, None]
    assert await states(engine, written.ids) == ["available", "suspended", "available"]


def stream(count: int) -> Iterator[NewStep]:
    """Yield steps that nobody holds on to."""
    for number in range(count):
        yield step(args={"n": number})


async def test_fifty_thousand_members_are_written_together(engine: Engine) -> None:
    written = await engine.insert_graph(Graph([workflow()], stream(50_000)))
    assert (len(written.ids), dict(written.woken)) == (50_000, {QUEUE: 50_000})
    assert counts(await flow_of(engine)) == {"total": 50_000}


async def test_of_many_members_only_a_portion_is_in_memory(engine: Engine) -> None:
    await engine.insert_graph(Graph([workflow("first")], [step("first")]))  # what is made once
    peaks = []
    for count in (5_000, 15_000):
        tracemalloc.start()
        try:
            name = f"flow of {count}"
            steps = (NewStep(new_job(meta={"workflow_id": name})) for _ in range(count))
            await engine.insert_graph(Graph([workflow(name)], steps))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    few, many = peaks
    assert many < few * 1.25


async def test_a_stream_behind_something_is_suspended_and_one_edge_waits_for_all(
    engine: Engine, producer: Producer
) -> None:
    def steps() -> Iterator[NewStep]:
        yield step()
        yield from members(3000, "group", 0)
        yield step(needs=[NeedsFlow("group")])

    written = await engine.insert_graph(Graph([workflow(), workflow("group", "order")], steps()))
    assert counts(await flow_of(engine, "group")) == {"total": 3000, "suspended": 3000}
    assert len(await engine.claim_jobs(QUEUE, 10, producer)) == 1
    assert await states(engine, written.ids[-1:]) == ["suspended"]
