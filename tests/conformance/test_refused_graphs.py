"""Graphs that can't be are refused, and nothing of them is written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from staffa.dialogues import Dialogue
from staffa.engine import Engine
from staffa.engines.linked.graphs import Beginning
from staffa.errors import FlowExists, InvalidJob, StatementConflict, UnknownFlow
from staffa.linking import FlowKind, Graph, InsertedGraph, NeedsFlow, NewStep
from tests.conformance.new_graphs import (
    counts,
    flow_of,
    graph,
    members,
    step,
    workflow,
)
from tests.conformance.work import new_job


async def test_an_id_that_is_taken_is_refused_and_nothing_written(engine: Engine) -> None:
    await engine.insert_graph(graph(step()))
    with pytest.raises(FlowExists, match="the id 'order' is taken"):
        await engine.insert_graph(graph(step("new"), step(), flows=[workflow("new"), workflow()]))
    assert await engine.read_flows(["new"]) == []
    assert counts(await flow_of(engine)) == {"total": 1}


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
