"""Workflows on several nodes, with secrets, and while the database fails."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from staffa import State, Workflow, job
from staffa.engines.linked.graphs import GraphVerbs
from staffa.engines.linked.results import ResultVerbs
from staffa.errors import DatabaseUnavailable
from staffa.flows import composer
from tests.conftest import MakeClient
from tests.support.process_jobs import add_up

RUNS = {"default": 5}
SECONDS = 60


async def test_each_step_runs_once_on_two_nodes(make_client: MakeClient) -> None:
    ran: Counter[str] = Counter()

    @job(name="square")
    async def square(number: int) -> int:
        ran[f"square {number}"] += 1
        return number * number

    @job(name="add")
    async def add(squares: list[int]) -> int:
        ran["add"] += 1
        return sum(squares)

    @job(name="expand")
    async def expand(total: int) -> Workflow:
        ran["expand"] += 1
        inner = Workflow("inner").put_context({"squares": [total]})
        return inner.add_cascade("again", add).add_cascade("more", ([1, 2], square))

    flow = Workflow().add_cascade("squares", (range(20), square))
    flow.add_cascade("total", add, deps="squares").add_graft("graft", expand, deps="total")
    async with make_client(queues=RUNS) as one, make_client(queues=RUNS):
        handle = await one.enqueue(flow)
        status = await handle.wait(timeout=SECONDS)
        results = await handle.results()
    assert status.state is State.COMPLETED
    assert results["total"] == sum(number * number for number in range(20))
    assert results["graft"] == {"again": results["total"], "more": [1, 4]}
    assert ran.pop("add") == 2
    assert (ran.pop("square 1"), ran.pop("square 2")) == (2, 2)
    assert set(ran.values()) == {1}


async def test_args_of_steps_and_elements_may_be_encrypted(make_client: MakeClient) -> None:
    @job(name="whisper", encrypted=True)
    async def whisper(secret: str, salt: str) -> int:
        return len(secret + salt)

    flow = Workflow().put_context({"salt": "!"}).add_cascade("all", (["pst", "psst"], whisper))
    flow.add("plain", whisper.options(recorded=True).new("hush", "?"))
    async with make_client(queues=RUNS, encryption_keys={"k1": b"k" * 32}) as app:
        handle = await app.enqueue(flow)
        await handle.wait(timeout=SECONDS)
        jobs = await handle.jobs()
        results = await handle.results()
    assert results == {"all": [4, 5], "plain": 5}
    assert all("pst" not in found.args_json for found in jobs)
    assert all("hush" not in found.args_json for found in jobs)


async def test_cascades_run_in_processes_of_their_own(make_client: MakeClient) -> None:
    flow = Workflow().put_context({"first": 2}).add_cascade("second", add_up)
    flow.add_cascade("sum", add_up, deps="second")
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(flow)
        await handle.wait(timeout=SECONDS)
        results = await handle.results()
    assert results == {"second": 3, "sum": 5}


async def test_a_cascade_waits_out_a_database_that_is_away(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [DatabaseUnavailable("gone"), DatabaseUnavailable("gone")]
    read = ResultVerbs.read_results

    async def fail_at_first(self: Any, *args: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return await read(self, *args, **named)

    monkeypatch.setattr(ResultVerbs, "read_results", fail_at_first)

    @job(name="one")
    async def one() -> int:
        return 1

    @job(name="twice")
    async def twice(one: int) -> int:
        return 2 * one

    flow = Workflow().add_cascade("one", one).add_cascade("twice", twice, deps="one")
    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(flow)
        await handle.wait(timeout=SECONDS)
        stored = await handle.job("twice")
    assert not failures
    assert stored is not None
    assert (stored.state, stored.attempt, stored.errors) == (State.COMPLETED, 1, [])


async def test_a_graft_is_written_again_where_the_database_was_away(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [DatabaseUnavailable("gone")]
    insert = GraphVerbs.insert_graph

    async def fail_once(self: Any, graph: Any, **named: Any) -> Any:
        found = await insert(self, graph, **named)
        if graph.grafted is not None and failures:  # the reply is lost
            raise failures.pop()
        return found

    monkeypatch.setattr(GraphVerbs, "insert_graph", fail_once)
    calls: list[int] = []

    @job(name="one")
    async def one() -> int:
        return 1

    @job(name="expand")
    async def expand() -> Any:
        calls.append(1)
        return [one.options(recorded=True).new(), one.options(recorded=True).new()]

    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(Workflow().add_graft("all", expand))
        status = await handle.wait(timeout=SECONDS)
        results = await handle.results()
    assert (status.total, len(calls), failures) == (3, 1, [])
    assert results == {"all": [1, 1]}


async def test_a_graft_that_can_not_be_written_is_a_failed_attempt(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composer, "_TRIES", 0)
    insert = GraphVerbs.insert_graph

    async def fail(self: Any, graph: Any, **named: Any) -> Any:
        if graph.grafted is not None:
            raise DatabaseUnavailable("gone")
        return await insert(self, graph, **named)

    monkeypatch.setattr(GraphVerbs, "insert_graph", fail)

    @job(name="expand", max_attempts=1)
    async def expand() -> Any:
        return []

    async with make_client(queues=RUNS) as app:
        handle = await app.enqueue(Workflow().add_graft("all", expand))
        status = await handle.wait(timeout=SECONDS)
    assert status.state is State.DISCARDED
