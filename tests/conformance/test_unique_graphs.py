"""A unique graph is written once, as long as one of its key goes on."""

from __future__ import annotations

import asyncio

import pytest

from staffa.engine import Engine
from staffa.errors import FlowExists
from staffa.linking import Graph, InsertedGraph
from tests.conformance.new_graphs import (
    graph,
    step,
    workflow,
)


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


async def test_an_id_that_is_taken_is_told_of_a_unique_graph_too(engine: Engine) -> None:
    await engine.insert_graph(graph(step()))
    with pytest.raises(FlowExists, match="the id 'order' is taken"):
        await engine.insert_graph(Graph([workflow()], [step()], once="k"))
