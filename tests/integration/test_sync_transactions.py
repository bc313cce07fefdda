"""Jobs that synchronous code writes in its own transaction, on its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import psycopg
import pytest

from staffa import Job, MaxDepth, Staffa, Worker, current_job, job, worker
from staffa.errors import ConfigError, InvalidJob, QueueFull
from staffa.telemetry.catalogue import JobConflicted
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

KEYS = {"2026": bytes(32)}


@job
async def noted(number: int) -> None: ...


@worker(queue="badges")
class Badge(Worker):
    async def process(self, job: Job) -> None: ...


@pytest.fixture
def user(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of synchronous code, which begins transactions by itself."""
    with psycopg.connect(dsn) as connection:
        yield connection


async def beside(function: Callable[[], Any]) -> Any:
    """Call a function on a thread, as programs without a loop would."""
    return await asyncio.to_thread(function)


async def test_each_way_to_enqueue_joins_the_transaction_of_the_caller(
    make_client: MakeClient, user: psycopg.Connection[Any]
) -> None:
    app = make_client()

    def write() -> list[Any]:
        app.sync.enqueue(noted.new(1), conn=user)
        noted.options(conn=user, priority=1).enqueue_sync(2)
        Badge.enqueue_sync({"number": 3}, conn=user)
        many = app.sync.enqueue_many((noted.new(n) for n in range(4, 7)), conn=user)
        streamed = app.sync.enqueue_many(
            (noted.new(n) for n in range(7, 12)), stream=True, chunk_size=2, conn=user
        )
        return [len(many), len(list(streamed))]

    assert await beside(write) == [3, 5]
    assert await app.count_jobs() == {}
    user.rollback()
    assert await app.count_jobs() == {}
    await beside(write)
    user.commit()
    assert sum((await app.count_jobs()).values()) == 11


async def test_the_statements_run_on_the_callers_thread_and_ours_need_no_connection(
    make_client: MakeClient, user: psycopg.Connection[Any], rows: Rows
) -> None:
    app = make_client()
    used: list[int] = []
    user.add_notice_handler(lambda notice: used.append(threading.get_ident()))

    def write() -> int:
        user.execute("SET client_min_messages = 'debug1'")
        app.sync.enqueue(noted.options(unique=True).new(1), conn=user)
        user.execute("DO $$ BEGIN RAISE NOTICE 'here'; END $$")
        return threading.get_ident()

    thread = await beside(write)
    user.commit()
    assert set(used) == {thread}
    assert await rows.connection_count() == 0


async def test_what_is_asked_of_a_job_holds_in_the_callers_transaction_too(
    make_client: MakeClient, user: psycopg.Connection[Any], events: Recorder
) -> None:
    app = make_client(max_depth={"full": MaxDepth(1, on_full="delay")}, encryption_keys=KEYS)

    def write() -> tuple[Job, Job, Job]:
        first, again = (
            app.sync.enqueue(noted.options(unique=True).new(1), conn=user) for _ in range(2)
        )
        return first, again, app.sync.enqueue(noted.options(encrypted=True).new(5), conn=user)

    first, again, sealed = await beside(write)
    assert (again.id, again.conflict) == (first.id, True)
    assert len(events.of(JobConflicted.kind)) == 1
    user.commit()
    found = await app.get_job(sealed)
    assert found is not None
    assert found.args.keys() != {"number"}
    await app.enqueue(Job(worker="a.b", queue="full"))
    with pytest.raises(QueueFull):  # a transaction is never kept open to wait
        await beside(lambda: app.sync.enqueue(Job(worker="a.b", queue="full"), conn=user))
    with pytest.raises(InvalidJob):
        await beside(lambda: app.sync.enqueue(first, conn=user))
    user.rollback()


async def test_the_transaction_may_carry_the_notification(
    make_client: MakeClient, user: psycopg.Connection[Any], connection: asyncpg.Connection
) -> None:
    app = make_client()
    heard: list[Any] = []
    channel = f"{app.config.prefix}.oban_insert"
    await connection.add_listener(channel, lambda *told: heard.append(told[3]))
    await beside(lambda: app.sync.enqueue(noted.new(1), conn=user, notify="in_transaction"))
    user.commit()
    await eventually(lambda: heard)
    await connection.remove_listener(channel, lambda *told: None)
    with pytest.raises(ConfigError, match="without conn="):
        await beside(lambda: app.sync.enqueue(noted.new(1), notify="in_transaction"))


async def test_a_connection_that_must_be_awaited_is_refused_with_the_remedy(
    make_client: MakeClient, connection: asyncpg.Connection
) -> None:
    app = make_client()
    with pytest.raises(ConfigError, match=r"await app\.enqueue"):
        await beside(lambda: app.sync.enqueue(noted.new(1), conn=connection))
    assert await app.count_jobs() == {}


async def test_threads_with_connections_of_their_own_write_at_once(
    make_client: MakeClient, dsn: str
) -> None:
    app = make_client()
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        with psycopg.connect(dsn) as connection:
            barrier.wait()
            for each in range(5):
                noted.options(conn=connection).enqueue_sync(10 * number + each)
            if number % 2:
                connection.rollback()

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(8) as threads:
        await asyncio.gather(*(loop.run_in_executor(threads, write, n) for n in range(8)))
    assert sum((await app.count_jobs()).values()) == 20


async def test_a_job_in_a_thread_wakes_the_queues_it_wrote_to_in_its_transaction(
    make_client: MakeClient, dsn: str, events: Recorder
) -> None:
    @job(queue="other")
    def follow() -> None: ...

    @job
    def write() -> None:
        with psycopg.connect(dsn) as connection:
            follow.options(conn=connection).enqueue_sync()
            assert current_job().id

    app = make_client(queues={"default": 1, "other": 1}, poll=3600)
    async with app:
        await app.enqueue(write.new())
        ended = await events.wait("staffa.job.completed", 2)
        assert ended[1].data["job"].queue == "other"


async def test_django_like_autocommit_writes_at_once(make_client: MakeClient, dsn: str) -> None:
    app: Staffa = make_client()

    def write() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            app.sync.enqueue_many([noted.options(unique=True).new(n) for n in range(3)],
                                  conn=connection)  # fmt: skip

    await beside(write)
    assert sum((await app.count_jobs()).values()) == 3
