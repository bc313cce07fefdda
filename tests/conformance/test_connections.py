"""Jobs are written in the user's own transaction: they come and go with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engine import Engine
from staffa.engines.postgres import PostgresEngine
from staffa.errors import ConfigError, DatabaseUnavailable, DataRefused
from staffa.types import State
from tests.conformance.rows import changed
from tests.conformance.users import AUTOCOMMIT_KINDS, KINDS, UserConnection
from tests.conformance.work import QUEUE, ids, new_job, read


class GivenUpError(Exception):
    """Rolls a transaction back; carries the id of the job that was written in it."""


async def enqueue_and_give_up(engine: Engine, user: UserConnection) -> None:
    async with user.transaction():
        (job,) = await user.enqueue(engine, [new_job()])
        raise GivenUpError(job.id)


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[Engine]:
    """An engine with connections of its own, which sees what is committed."""
    made = PostgresEngine(ConnectionSettings(dsn), prefix, 2)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def user(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[UserConnection]:
    """A connection of a user, of every kind in turn."""
    async with KINDS[request.param](dsn) as opened:
        yield opened


def test_the_engine_declares_that_it_can_do_this(engine: Engine) -> None:
    assert engine.capabilities.user_transactions


async def test_jobs_are_visible_to_others_from_the_commit_on(
    engine: Engine, user: UserConnection
) -> None:
    async with user.transaction():
        jobs = await user.enqueue(engine, [new_job(), new_job()])
        assert len(ids(jobs)) == 2
        assert await engine.get_jobs(ids(jobs)) == []
    assert ids(await engine.get_jobs(ids(jobs))) == ids(jobs)


async def test_jobs_go_when_the_transaction_is_rolled_back(
    engine: Engine, user: UserConnection
) -> None:
    with pytest.raises(GivenUpError):
        await enqueue_and_give_up(engine, user)
    assert await engine.count_jobs() == {}


async def test_jobs_of_a_savepoint_go_with_it_and_the_others_stay(
    engine: Engine, user: UserConnection
) -> None:
    async with user.transaction():
        (kept,) = await user.enqueue(engine, [new_job()])
        with pytest.raises(GivenUpError) as given_up:
            await enqueue_and_give_up(engine, user)
        (last,) = await user.enqueue(engine, [new_job()])
    (gone,) = given_up.value.args
    assert ids(await engine.get_jobs([*ids([kept, last]), gone])) == ids([kept, last])


async def test_without_a_transaction_the_library_decides_when_jobs_are_committed(
    engine: Engine, user: UserConnection
) -> None:
    (job,) = await user.enqueue(engine, [new_job()])
    await user.commit()
    assert changed(job, await read(engine, job)) == {}


async def test_thousands_of_jobs_are_written_in_order(engine: Engine, user: UserConnection) -> None:
    async with user.transaction():
        jobs = await user.enqueue(engine, [new_job(args={"n": number}) for number in range(5000)])
    assert ids(jobs) == sorted(ids(jobs))
    stored = await engine.get_jobs(ids(jobs))
    assert [job.args["n"] for job in stored] == list(range(5000))


async def test_values_and_times_are_those_that_our_own_connections_write(
    engine: Engine, user: UserConnection
) -> None:
    due = datetime(2100, 1, 1, tzinfo=UTC)
    given = new_job(args={"ž": [2**80, None, "😀"]}, meta={"a": {"b": 1}}, tags=["t,"])
    later = new_job(scheduled_at=due)
    jobs = await user.enqueue(engine, [given, later])
    await user.commit()
    for job in jobs:
        assert changed(job, await read(engine, job)) == {}
    assert jobs[0].inserted_at is not None
    assert jobs[0].inserted_at.utcoffset() == due.utcoffset()
    assert (jobs[1].state, jobs[1].scheduled_at) == (State.SCHEDULED, due)


async def test_a_refused_job_is_told_and_the_users_savepoint_saves_the_rest(
    engine: Engine, user: UserConnection
) -> None:
    bad = new_job()
    bad.queue = "q" * 200
    async with user.transaction():
        await user.enqueue(engine, [new_job()])
        with pytest.raises(DataRefused):
            async with user.transaction():
                await user.enqueue(engine, [bad])
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): 1}


@pytest.mark.parametrize("given", [object(), "postgresql://", 5], ids=["object", "text", "number"])
async def test_what_is_no_connection_is_refused_with_what_would_be_one(
    engine: Engine, given: object
) -> None:
    with pytest.raises(ConfigError, match="give a connection of asyncpg, psycopg"):
        await engine.enqueue_jobs([new_job()], conn=given)


async def test_a_pool_is_refused_with_the_remedy(engine: Engine, dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=0) as pool:
        with pytest.raises(ConfigError, match=r"pool\.acquire"):
            await engine.enqueue_jobs([new_job()], conn=pool)


class OwnConnection(asyncpg.Connection):
    """A class of the user's, as `connection_class=` takes it."""


async def test_a_connection_of_a_users_subclass_is_accepted(engine: Engine, dsn: str) -> None:
    connection = await asyncpg.connect(dsn, connection_class=OwnConnection)
    try:
        (job,) = await engine.enqueue_jobs([new_job()], conn=connection)
    finally:
        await connection.close()
    assert changed(job, await read(engine, job)) == {}


@pytest.fixture(params=AUTOCOMMIT_KINDS)
async def committing(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[UserConnection]:
    """A connection on which each statement outside of a transaction is committed at once."""
    async with AUTOCOMMIT_KINDS[request.param](dsn) as opened:
        yield opened


async def test_what_takes_several_statements_gets_a_transaction_under_autocommit(
    engine: Engine, committing: UserConnection
) -> None:
    (first,) = await committing.enqueue(engine, [new_job(unique=True)])
    assert changed(first, await read(engine, first)) == {}
    (second,) = await committing.enqueue(engine, [new_job(unique=True)])
    assert (second.id, second.conflict) == (first.id, True)
    bad = new_job()
    bad.queue = "q" * 200
    with pytest.raises(DataRefused):
        await committing.enqueue(engine, [new_job(unique=True, args={"n": 1}), bad])
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): 1}
    await committing.enqueue(engine, [new_job()])
    assert await engine.count_jobs() == {(QUEUE, State.AVAILABLE): 2}


async def test_a_unique_job_waits_for_the_transaction_that_has_its_key(
    engine: Engine, user: UserConnection
) -> None:
    async with user.transaction():
        (first,) = await user.enqueue(engine, [new_job(unique=True)])
        (again,) = await user.enqueue(engine, [new_job(unique=True)])
        assert (again.id, again.conflict) == (first.id, True)
        waiting = asyncio.create_task(engine.enqueue_jobs([new_job(unique=True)]))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
    (other,) = await waiting
    assert (other.id, other.conflict) == (first.id, True)


async def test_a_connection_that_was_closed_is_told(engine: Engine, dsn: str) -> None:
    for name in ("asyncpg", "psycopg", "async psycopg", "Session", "Connection", "Django alias"):
        async with KINDS[name](dsn) as opened:
            await opened.close()
            with pytest.raises(DatabaseUnavailable):
                await opened.enqueue(engine, [new_job()])


async def test_without_an_event_loop_an_async_connection_is_refused(
    engine: Engine, user: UserConnection
) -> None:
    if user.waits:
        with pytest.raises(ConfigError, match=r"call await app\.enqueue"):
            engine.enqueue_jobs_on([new_job()], user.raw)
    else:
        (job,) = await engine.enqueue_jobs([new_job()], conn=user.raw)
        await user.commit()
        assert changed(job, await read(engine, job)) == {}


async def test_djangos_connections_are_refused_on_an_event_loop(engine: Engine, dsn: str) -> None:
    async with KINDS["Django alias"](dsn) as opened:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE")
            with pytest.raises(ConfigError, match=r"app\.sync\.enqueue"):
                await engine.enqueue_jobs([new_job()], conn=opened.raw)
