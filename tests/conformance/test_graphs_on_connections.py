"""Graphs are written in the user's own transaction: all of one comes and goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import asyncpg
import pytest

from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.connections import run_on
from staffa.engines.postgres import PostgresEngine
from staffa.errors import ConfigError, DataRefused, FlowExists, InvalidJob
from staffa.linking import Graph, NeedsFlow, NeedsJob, NewStep
from staffa.types import State
from tests.conformance.new_graphs import counts, flow_of, graph, members, states, step, workflow
from tests.conformance.users import AUTOCOMMIT_KINDS, KINDS, UserConnection
from tests.conformance.work import QUEUE, new_job


class GivenUpError(Exception):
    """Rolls a transaction back."""


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[PostgresEngine]:
    """An engine with connections of its own, which sees what is committed."""
    made = PostgresEngine(ConnectionSettings(dsn), prefix, 2)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def user(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[UserConnection]:
    """A connection of a user, of every kind in turn."""
    async with KINDS[request.param](dsn) as opened:
        yield opened


@pytest.fixture(params=AUTOCOMMIT_KINDS)
async def committing(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[UserConnection]:
    """A connection on which each statement outside of a transaction is committed at once."""
    async with AUTOCOMMIT_KINDS[request.param](dsn) as opened:
        yield opened


async def test_a_graph_is_visible_to_others_from_the_commit_on(
    engine: PostgresEngine, user: UserConnection
) -> None:
    flows = [workflow(), workflow("group", "order")]
    given = graph(step(), *members(2200, "group", 0), step(needs=[NeedsFlow("group")]), flows=flows)
    async with user.transaction():
        written = await user.insert_graph(engine, given)
        assert await engine.read_flows(["order"]) == []
    assert counts(await flow_of(engine)) == {"total": 2, "suspended": 1, "inner": 1}
    assert counts(await flow_of(engine, "group")) == {"total": 2200, "suspended": 2200}
    assert dict(written.woken) == {QUEUE: 1}
    assert await states(engine, [written.ids[0], written.ids[-1]]) == ["available", "suspended"]


async def test_a_graph_goes_when_the_transaction_is_rolled_back(
    engine: PostgresEngine, user: UserConnection
) -> None:
    async def insert_and_give_up() -> None:
        async with user.transaction():
            await user.insert_graph(engine, graph(step(), step(needs=[0])))
            raise GivenUpError

    with pytest.raises(GivenUpError):
        await insert_and_give_up()
    assert await engine.read_flows(["order"]) == []
    assert await engine.count_jobs() == {}


async def test_of_a_graph_that_can_not_be_nothing_is_left_where_the_user_goes_on(
    engine: PostgresEngine, user: UserConnection
) -> None:
    def steps() -> Iterator[NewStep]:
        yield from members(2200)
        yield step(needs=[5000])

    await engine.insert_graph(graph(flows=[workflow("taken")]))
    async with user.transaction():
        (kept,) = await user.enqueue(engine, [new_job()])
        with pytest.raises(InvalidJob):
            await user.insert_graph(engine, Graph([workflow()], steps()))
        with pytest.raises(FlowExists):
            await user.insert_graph(engine, graph(flows=[workflow("new"), workflow("taken")]))
        await user.insert_graph(engine, graph(step("last"), flows=[workflow("last")]))
    assert await engine.read_flows(["order", "new"]) == []
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): 2}
    assert await states(engine, [kept.id or 0]) == ["available"]


async def test_what_the_database_refuses_leaves_the_users_transaction_as_it_was(
    engine: PostgresEngine, user: UserConnection
) -> None:
    bad = step()
    bad.job.queue = "q" * 200
    async with user.transaction():
        await user.enqueue(engine, [new_job()])
        with pytest.raises(DataRefused):
            async with user.transaction():
                await user.insert_graph(engine, graph(step(), bad))
        await user.enqueue(engine, [new_job()])
    assert await engine.read_flows(["order"]) == []
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): 2}


async def test_without_a_transaction_the_library_decides_when_a_graph_is_committed(
    engine: PostgresEngine, user: UserConnection
) -> None:
    await user.insert_graph(engine, graph(step(), step(needs=[0])))
    await user.commit()
    assert counts(await flow_of(engine)) == {"total": 2, "suspended": 1}


async def test_a_graph_gets_a_transaction_under_autocommit(
    engine: PostgresEngine, committing: UserConnection
) -> None:
    await committing.insert_graph(engine, graph(step(), step(needs=[0])))
    assert counts(await flow_of(engine)) == {"total": 2, "suspended": 1}
    with pytest.raises(FlowExists):
        await committing.insert_graph(
            engine, graph(step("new"), flows=[workflow("new"), workflow()])
        )
    assert await engine.read_flows(["new"]) == []
    await committing.insert_graph(engine, graph(step("new"), flows=[workflow("new")]))
    assert counts(await flow_of(engine, "new")) == {"total": 1}


async def test_who_adds_to_a_flow_holds_its_root_until_the_commit(
    engine: PostgresEngine, user: UserConnection
) -> None:
    first = await engine.insert_graph(graph(step()))
    behind = graph(step(needs=[NeedsJob(first.ids[0])]), flows=[], roots=["order"])
    async with user.transaction():
        await user.insert_graph(engine, behind)
        waiting = asyncio.create_task(engine.insert_graph(behind))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
    await waiting
    assert counts(await flow_of(engine)) == {"total": 3, "suspended": 2}


async def test_without_an_event_loop_an_async_connection_is_refused(
    engine: PostgresEngine, dsn: str
) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        with pytest.raises(ConfigError, match="whose calls are awaited"):
            engine.insert_graph_on(graph(step()), connection)
    finally:
        await connection.close()


async def test_a_joined_engine_writes_flows_and_ends_them_in_the_users_transaction(
    engine: PostgresEngine, dsn: str
) -> None:
    connection = await asyncpg.connect(dsn)
    begun = connection.transaction()
    await begun.start()
    joined = engine.joined(partial(run_on, connection))
    try:
        stream = iter([step(), step(needs=[0])])
        written = await joined.insert_graph(Graph([workflow()], stream))
        assert await states(joined, written.ids) == ["available", "suspended"]
        await joined.cancel_flow("order")
        assert await states(joined, written.ids) == ["cancelled", "cancelled"]
        followed = await joined.retry_flow("order")
        assert dict(followed.woken) == {QUEUE: 1}
    finally:
        await begun.rollback()
        await connection.close()
    assert await engine.read_flows(["order"]) == []
