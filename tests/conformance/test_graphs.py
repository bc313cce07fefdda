"""Graphs are written all or none; what waits for something is suspended until that has ended."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from staffa import GlobalLimit
from staffa.dialogues import Dialogue
from staffa.engine import Engine, Lease, Producer
from staffa.engines.linked.graphs import Beginning
from staffa.errors import FlowExists, InvalidJob, StatementConflict, UnknownFlow
from staffa.limits import Limits
from staffa.linking import (
    FlowKind,
    Graph,
    InsertedGraph,
    NeedsFlow,
    NeedsJob,
    NewStep,
    Policies,
    Policy,
)
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

IGNORE_CANCELLED = Policies(cancelled=Policy.IGNORE)
HOLD_CANCELLED = Policies(cancelled=Policy.HOLD)


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


# --- adding to what is stored


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


# --- once


async def test_a_unique_graph_is_not_written_while_one_of_its_key_goes_on(engine: Engine) -> None:
    first = await engine.insert_graph(Graph([workflow("a")], [step("a")], once="k"))
    again = await engine.insert_graph(Graph([workflow("b")], [step("b")], once="k"))
    assert (first.existing, again.existing, list(again.ids)) == (None, "a", [])
    assert await engine.read_flows(["b"]) == []


async def test_a_unique_graph_is_written_again_when_the_last_one_has_ended(engine: Engine) -> None:
    await engine.insert_graph(Graph([workflow("a")], [], once="k"))
    again = await engine.insert_graph(Graph([workflow("b")], [step("b")], once="k"))
    assert (again.existing, len(again.ids)) == (None, 1)


async def test_a_flow_that_goes_on_again_leaves_its_key_to_the_one_that_has_it(
    engine: Engine,
) -> None:
    await engine.insert_graph(Graph([workflow("a")], [], once="k"))
    await engine.insert_graph(Graph([workflow("b")], [step("b")], once="k"))
    await engine.insert_graph(Graph([], [step("a")], roots=["a"]))
    again = await engine.insert_graph(Graph([workflow("c")], [step("c")], once="k"))
    assert again.existing == "b"


async def test_of_many_who_write_a_unique_graph_at_once_one_does_and_the_others_hear_of_it(
    engine: Engine, other_engine: Engine
) -> None:
    def insert(number: int) -> asyncio.Task[InsertedGraph]:
        name = f"flow {number}"
        inner = workflow(f"inner {number}", name)
        steps = [step(name), step(f"inner {number}", [0])]
        where = (engine, other_engine)[number % 2]
        made = Graph([workflow(name), inner], steps, once="k")
        return asyncio.ensure_future(where.insert_graph(made))

    results = await asyncio.gather(*(insert(number) for number in range(8)))
    winners = [number for number, found in enumerate(results) if found.existing is None]
    assert len(winners) == 1
    assert {found.existing for found in results} == {None, f"flow {winners[0]}"}
    assert sum((await engine.count_jobs()).values()) == 2


# --- what can't be


async def test_an_id_that_is_taken_is_refused_and_nothing_written(engine: Engine) -> None:
    await engine.insert_graph(graph(step()))
    with pytest.raises(FlowExists, match="the id 'order' is taken"):
        await engine.insert_graph(graph(step("new"), step(), flows=[workflow("new"), workflow()]))
    assert await engine.read_flows(["new"]) == []
    assert counts(await flow_of(engine)) == {"total": 1}


async def test_an_id_that_is_taken_is_told_of_a_unique_graph_too(engine: Engine) -> None:
    await engine.insert_graph(graph(step()))
    with pytest.raises(FlowExists, match="the id 'order' is taken"):
        await engine.insert_graph(Graph([workflow()], [step()], once="k"))


async def test_two_flows_of_one_id_are_refused(engine: Engine) -> None:
    with pytest.raises(FlowExists, match="two flows of the graph have the id 'order'"):
        await engine.insert_graph(graph(flows=[workflow(), workflow()]))


@pytest.mark.parametrize("given", ["", "x" * 128], ids=["empty", "too long"])
async def test_an_id_of_a_length_that_no_index_holds_is_refused(engine: Engine, given: str) -> None:
    with pytest.raises(InvalidJob, match="characters: give 1 to 127"):
        await engine.insert_graph(graph(flows=[workflow(given)]))
    longest = "ž" * 127
    written = await engine.insert_graph(graph(step(longest), flows=[workflow(longest)]))
    assert [job.id for job in await engine.list_linked_jobs(longest)] == list(written.ids)


@pytest.mark.parametrize(
    "given",
    [
        graph(step(), flows=[], roots=["order"]),
        graph(step("mails"), flows=[workflow("mails", "order")]),
        graph(step("other")),
        graph(step(needs=[NeedsFlow("other")])),
        graph(flows=[], roots=[], grafted="order"),
    ],
    ids=["root", "parent", "flow of a job", "flow that is needed", "graft"],
)
async def test_a_flow_that_is_not_stored_is_named_and_nothing_written(
    engine: Engine, given: Graph
) -> None:
    with pytest.raises(UnknownFlow, match=r"no workflow, batch or chain '(order|other)' is stored"):
        await engine.insert_graph(given)
    assert await engine.count_jobs() == {}
    assert await engine.list_flows(FlowKind.WORKFLOW, limit=5) == []


async def test_a_stored_flow_whose_root_is_not_named_is_refused(engine: Engine) -> None:
    await engine.insert_graph(graph(step()))
    with pytest.raises(InvalidJob, match="'order', which is not among the roots"):
        await engine.insert_graph(graph(step(), flows=[]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (graph(step(needs=[0])), "step 0 of the graph needs step 0, which is not before it"),
        (graph(step(), step(needs=[5])), "needs step 5"),
        (graph(step(unique=True)), "is unique: a job of a workflow or a batch can't be"),
        (graph(NewStep(new_job())), "names no flow"),
        (graph(step(needs=[NeedsFlow("order")])), "'order', which it is inside of"),
        (
            graph(
                step("inner", [NeedsFlow("order")]),
                flows=[workflow(), workflow("inner", "order")],
            ),
            "'order', which it is inside of",
        ),
    ],
)
async def test_what_can_not_be_is_refused_and_nothing_written(
    engine: Engine, given: Graph, message: str
) -> None:
    with pytest.raises(InvalidJob, match=message):
        await engine.insert_graph(given)
    assert await engine.count_jobs() == {}
    assert await engine.read_flows(["order"]) == []


async def test_a_step_whose_name_a_stored_one_has_is_refused(engine: Engine) -> None:
    flows = [workflow(), workflow("group", "order", place="mails")]
    await engine.insert_graph(graph(step(name="charge"), step("group"), flows=flows))
    for taken in ("charge", "mails"):
        with pytest.raises(FlowExists, match=f"'order' has a step '{taken}' already"):
            await engine.insert_graph(graph(step(name=taken), flows=[], roots=["order"]))
        inner = workflow("more", "order", place=taken)
        with pytest.raises(FlowExists, match=f"'order' has a step '{taken}' already"):
            await engine.insert_graph(graph(step("more"), flows=[inner], roots=["order"]))
    assert counts(await flow_of(engine)) == {"total": 1, "inner": 1}


async def test_a_stream_that_has_to_be_read_again_is_told_and_jobs_in_a_list_are_written() -> None:
    def begin() -> Dialogue[InsertedGraph]:
        yield from ()
        return InsertedGraph((), {})

    streamed = Beginning(begin, Graph([], iter([])))
    streamed()
    with pytest.raises(StatementConflict, match="can't be read again: nothing was written"):
        streamed()
    listed = Beginning(begin, Graph([], []))
    assert listed() is not listed()


async def test_an_error_of_the_iterable_leaves_nothing_behind(engine: Engine) -> None:
    def steps() -> Iterator[NewStep]:
        yield from members(2500)
        raise LookupError("no more")

    with pytest.raises(LookupError):
        await engine.insert_graph(Graph([workflow()], steps()))
    assert await engine.count_jobs() == {}
    assert await engine.read_flows(["order"]) == []


# --- many


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
