"""`all_enqueued`, `assert_enqueued`, `refute_enqueued`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from staffa import Job, Staffa, job
from staffa._internal.identifiers import quote_identifier
from staffa.errors import ConfigError, InstanceError, UnknownOption
from staffa.testing import all_enqueued, assert_enqueued, refute_enqueued


async def test_all_enqueued_returns_the_newest_first(app: Staffa) -> None:
    @job(queue="mail", tags=["vip", "news"])
    async def send(to: str, copy: bool = False) -> None: ...

    first = await send.enqueue("a@example.com")
    second = await send.enqueue("b@example.com", copy=True)

    assert [found.id for found in await all_enqueued()] == [second.id, first.id]
    assert [found.id for found in await all_enqueued(args={"to": "a@example.com"})] == [first.id]
    assert await all_enqueued(worker=send, queue="mail", tags=["VIP"], args={"copy": True})
    assert await all_enqueued(worker=send.worker_name, priority=0, max_attempts=20)
    assert await all_enqueued(tags=["vip", "other"]) == []
    assert await all_enqueued(args={"to": "c@example.com"}) == []
    assert await all_enqueued(args={"missing": None}) == []


async def test_jobs_that_have_ended_are_not_enqueued_any_more(app: Staffa) -> None:
    stored = await app.enqueue(Job(worker="a.b"))
    await app.cancel_job(stored)

    await refute_enqueued(worker="a.b")
    assert [found.id for found in await all_enqueued(state="cancelled")] == [stored.id]


async def test_times_match_within_a_delta(app: Staffa) -> None:
    moment = datetime.now(UTC) + timedelta(hours=2)
    await app.enqueue(Job(worker="a.at", scheduled_at=moment))
    await app.enqueue(Job(worker="a.in", scheduled_in=3600))

    await assert_enqueued(worker="a.at", scheduled_at=moment)
    await assert_enqueued(worker="a.in", scheduled_in=timedelta(hours=1))
    await refute_enqueued(worker="a.in", scheduled_in=3500)
    await assert_enqueued(worker="a.in", scheduled_in=3500, delta=100)
    await refute_enqueued(worker="a.at", scheduled_at=moment + timedelta(seconds=5))
    await assert_enqueued(scheduled_at=moment + timedelta(seconds=5), delta=10)


async def test_encrypted_args_are_compared_in_the_clear(app: Staffa) -> None:
    await app.enqueue(Job(worker="a.b", args={"pin": 1234}, encrypted=True))

    found = await assert_enqueued(args={"pin": 1234})

    assert found.args == {"pin": 1234}


async def test_a_failed_assert_lists_what_is_there_and_how_it_differs(app: Staffa) -> None:
    await app.enqueue(Job(worker="a.Mail", args={"to": "ada"}, tags=["vip"], scheduled_in=60))

    with pytest.raises(AssertionError) as failure:
        await assert_enqueued(worker="a.Mail", args={"to": "bob"})

    text = str(failure.value)
    assert "no job is enqueued with worker='a.Mail', args={'to': 'bob'}; there are 1:" in text
    assert "args={'to': 'ada'} tags=['vip']  (differs in args)" in text
    assert " due " in text


async def test_a_failed_assert_says_that_there_is_nothing(app: Staffa) -> None:
    with pytest.raises(AssertionError, match="with anything; there are none"):
        await assert_enqueued()


async def test_a_failed_refute_lists_the_jobs(app: Staffa) -> None:
    await app.enqueue(Job(worker="a.Mail", args={"to": "ada"}))

    with pytest.raises(AssertionError, match=r"enqueued with queue='default' are 1:\n  <Job"):
        await refute_enqueued(queue="default")


async def test_long_lists_are_cut(app: Staffa) -> None:
    await app.enqueue_many(Job(worker="a.b", args={"n": n}) for n in range(25))

    with pytest.raises(AssertionError, match="and 5 more"):
        await refute_enqueued()


async def test_a_timeout_waits_for_a_write_of_this_process(app: Staffa) -> None:
    waiting = asyncio.ensure_future(assert_enqueued(worker="a.late", timeout=30))
    await asyncio.sleep(0)

    stored = await app.enqueue(Job(worker="a.late"))

    assert (await waiting).id == stored.id


async def test_a_timeout_waits_for_a_commit_elsewhere(
    server_app: Staffa, connection: asyncpg.Connection
) -> None:
    async with connection.transaction():
        stored = await server_app.enqueue(Job(worker="a.late"), conn=connection)
        waiting = asyncio.ensure_future(assert_enqueued(worker="a.late", timeout=30))
        await refute_enqueued(worker="a.late")

    assert (await waiting).id == stored.id


async def test_a_timeout_ends_in_an_error(app: Staffa) -> None:
    with pytest.raises(AssertionError, match=r"within 0\.05 s"):
        await assert_enqueued(worker="a.never", timeout=0.05)


async def test_a_refute_watches_for_its_whole_time(app: Staffa) -> None:
    watching = asyncio.ensure_future(refute_enqueued(worker="a.late", timeout=30))
    await asyncio.sleep(0)
    await app.enqueue(Job(worker="a.late"))

    with pytest.raises(AssertionError, match="within 30 s"):
        await watching
    await refute_enqueued(worker="a.never", timeout=timedelta(milliseconds=30))


async def test_asserts_see_the_jobs_of_the_tests_own_transaction(
    server_app: Staffa, prefix: str, connection: asyncpg.Connection
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await server_app.enqueue(Job(worker="a.mine"), conn=connection)

    await assert_enqueued(worker="a.mine", conn=connection)
    await refute_enqueued(worker="a.mine")

    await transaction.rollback()
    await refute_enqueued(worker="a.mine", conn=connection)
    count = await connection.fetchval(f"SELECT count(*) FROM {quote_identifier(prefix)}.oban_jobs")
    assert count == 0


async def test_what_cannot_be_looked_for_is_refused(app: Staffa) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'worker'"):
        await all_enqueued(workr="a.b")  # type: ignore[call-arg]  # that is the point
    with pytest.raises(ConfigError, match="is no worker"):
        await all_enqueued(worker=3)
    with pytest.raises(InstanceError, match="no client is named 'nobody'"):
        await all_enqueued(app="nobody")
    with pytest.raises(ConfigError, match="give one of them"):
        await all_enqueued(app=app, oban=app)


async def test_a_client_is_found_by_its_name_and_its_object(app: Staffa) -> None:
    await app.enqueue(Job(worker="a.b"))

    await assert_enqueued(app=app)
    await assert_enqueued(oban=app.config.name)
