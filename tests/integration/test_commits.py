"""Queues are woken once a user's transaction has committed, where its library tells of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
from django.db import connections, transaction
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from staffa import Job, Staffa
from tests.conformance.users import (
    KINDS,
    UserConnection,
    alchemy_dsn,
    begin_in_session,
    django_database,
    django_options,
)
from tests.conftest import MakeClient
from tests.support.events import eventually


class GivenUpError(Exception):
    """Rolls a transaction back."""


class Ears:
    """Hears on which queues jobs arrive, as another node does."""

    def __init__(self) -> None:
        self.queues: list[str] = []

    def hear(self, connection: object, pid: int, channel: str, payload: object) -> None:
        """Take a notification."""
        self.queues.append(json.loads(str(payload))["queue"])

    async def until(self, *queues: str) -> None:
        """Wait until these and no others have arrived."""
        await eventually(lambda: len(self.queues) >= len(queues), f"{queues}")
        assert sorted(self.queues) == sorted(queues)


@pytest.fixture
async def ears(connection: asyncpg.Connection, prefix: str) -> Ears:
    """What other nodes hear."""
    made = Ears()
    await connection.add_listener(f"{prefix}.oban_insert", made.hear)
    return made


@pytest.fixture
def app(make_client: MakeClient) -> Staffa:
    """A client that only sends."""
    return make_client()


def new_job(queue: str) -> Job:
    return Job(worker="any.worker", queue=queue)


@pytest.fixture(params=KINDS)
async def user(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[UserConnection]:
    """A connection of a user, of every kind in turn."""
    async with KINDS[request.param](dsn) as opened:
        yield opened


async def test_others_hear_of_jobs_after_the_commit_and_not_before(
    app: Staffa, user: UserConnection, ears: Ears
) -> None:
    async with user.transaction():
        await app.enqueue(new_job("inside"), conn=user.raw)
        await app.enqueue(new_job("inside"), conn=user.raw)
        await app.enqueue(new_job("before"))
        await ears.until("before")
    await app.enqueue(new_job("after"))
    if user.tells_at_close:
        await user.close()
    if user.tells:
        await ears.until("before", "after", "inside")
    else:
        await ears.until("before", "after")


async def give_up(app: Staffa, user: UserConnection) -> None:
    async def work() -> None:
        async with user.transaction():
            await app.enqueue(new_job("undone"), conn=user.raw)
            raise GivenUpError

    with pytest.raises(GivenUpError):
        await work()


async def test_nothing_is_heard_of_what_was_rolled_back(
    app: Staffa, user: UserConnection, ears: Ears
) -> None:
    await give_up(app, user)
    async with user.transaction():
        await give_up(app, user)
        await app.enqueue(new_job("kept"), conn=user.raw)
        await give_up(app, user)
    if user.tells_at_close:
        await user.close()
    if user.tells:
        await ears.until("kept")
    await app.enqueue(new_job("last"))
    await ears.until(*["kept"] * user.tells, "last")


async def test_a_session_that_ends_in_another_thread_wakes_them_too(
    app: Staffa, dsn: str, ears: Ears
) -> None:
    engine = create_engine(alchemy_dsn(dsn, "psycopg"))
    session = Session(engine)
    await app.enqueue(new_job("mail"), conn=session)
    await asyncio.to_thread(session.commit)
    await ears.until("mail")
    await asyncio.to_thread(session.close)
    engine.dispose()


async def test_a_session_inside_of_anothers_transaction_wakes_nobody_by_itself(
    app: Staffa, dsn: str, ears: Ears
) -> None:
    engine = create_engine(alchemy_dsn(dsn, "psycopg"))
    with engine.connect() as outer:
        begun = outer.begin()
        with Session(outer, join_transaction_mode="create_savepoint") as session:
            await app.enqueue(new_job("inner"), conn=session)
            session.commit()
        begun.rollback()
    engine.dispose()
    await app.enqueue(new_job("last"))
    await ears.until("last")


async def test_this_process_runs_a_job_at_the_commit_without_polling(
    make_client: MakeClient, dsn: str
) -> None:
    engine = create_async_engine(alchemy_dsn(dsn, "asyncpg"))
    async with make_client(queues={"default": 1}, poll=3600, notifier="polling") as app:
        async with AsyncSession(engine) as session, session.begin():
            stored = await app.enqueue(new_job("default"), conn=session)
        assert stored.id is not None

        async def is_taken() -> bool:
            assert stored.id is not None
            found = await app.get_job(stored.id)
            return found is not None and found.attempted_at is not None

        await eventually(is_taken, "the job to be taken")
    await engine.dispose()


async def test_synchronous_code_wakes_queues_at_its_commit(
    make_client: MakeClient, dsn: str, ears: Ears
) -> None:
    app = make_client()
    engine = create_engine(alchemy_dsn(dsn, "psycopg"))

    def work() -> None:
        with Session(engine) as session, begin_in_session(session):
            app.sync.enqueue(new_job("mail"), conn=session)

    await asyncio.to_thread(work)
    await ears.until("mail")
    engine.dispose()


async def test_synchronous_code_joins_djangos_transaction_by_itself(
    make_client: MakeClient, dsn: str, ears: Ears, prefix: str
) -> None:
    app = make_client(django_alias="shop")
    apart = make_client(django_alias="")

    def work() -> None:
        with django_database("shop", django_options(dsn)):
            try:
                with transaction.atomic(using="shop"):
                    app.sync.enqueue(new_job("undone"))
                    apart.sync.enqueue(new_job("apart"))
                    transaction.set_rollback(True, using="shop")
                with transaction.atomic(using="shop"):
                    app.sync.enqueue(new_job("kept"))
                app.sync.enqueue(new_job("plain"))
            finally:
                connections["shop"].close()

    await asyncio.to_thread(work)
    await ears.until("apart", "kept", "plain")
    found = await app.list_jobs()
    assert {job.queue for job in found} == {"apart", "kept", "plain"}


async def test_an_atomic_block_of_another_database_is_not_joined(
    make_client: MakeClient, dsn: str, ears: Ears
) -> None:
    app = make_client(django_alias="shop")
    options = {**django_options(dsn), "NAME": "postgres"}

    def work() -> None:
        with django_database("shop", options):
            try:
                with transaction.atomic(using="shop"):
                    app.sync.enqueue(new_job("mail"))
                    transaction.set_rollback(True, using="shop")
            finally:
                connections["shop"].close()

    await asyncio.to_thread(work)
    await ears.until("mail")
