"""The helpers of synchronous tests, on their own thread and transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from staffa import Job, Staffa, current_job, job
from staffa.client.backend import make_migrator
from staffa.errors import ConfigError, LoopRunning
from staffa.testing import VirtualClock, mode, process_job
from staffa.testing.sync import (
    all_enqueued,
    assert_enqueued,
    drain_queue,
    perform_job,
    refute_enqueued,
    reset,
    tick_crons,
)


@pytest.fixture
def app() -> Iterator[Staffa]:
    app = Staffa("sqlite://", testing="manual", clock=VirtualClock())
    yield app
    app.sync.stop()


@pytest.fixture
def server_app(dsn: str, prefix: str) -> Iterator[Staffa]:
    app = Staffa(dsn, prefix=prefix, testing="manual")
    yield app
    app.sync.stop()


@pytest.fixture
def psycopg_connection(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn) as connection:
        yield connection
        connection.rollback()


def test_jobs_are_asserted_and_drained_on_the_tests_thread(app: Staffa) -> None:
    threads: list[int] = []

    @job
    def plain(number: int) -> None:
        threads.append(threading.get_ident())
        if number:
            plain.enqueue_sync(number - 1)

    @job
    async def waits() -> None:
        threads.append(threading.get_ident())

    plain.enqueue_sync(1)
    waits.enqueue_sync()
    assert_enqueued(worker=plain, args={"number": 1})
    refute_enqueued(worker=plain, args={"number": 2})
    assert len(all_enqueued()) == 2

    assert drain_queue()["completed"] == 3

    here = threading.get_ident()
    assert (threads.count(here), len(threads)) == (2, 3)
    refute_enqueued()


def test_an_error_comes_back_and_the_test_goes_on(app: Staffa) -> None:
    @job
    def fail() -> None:
        raise LookupError("gone")

    @job
    def leave() -> None:
        raise SystemExit(2)

    fail.enqueue_sync()
    with pytest.raises(LookupError):
        drain_queue()
    assert isinstance(perform_job(leave).error, SystemExit)
    assert len(all_enqueued(state="retryable")) == 1
    reset()
    assert app.sync.count_jobs() == {}


def test_plain_jobs_know_their_job_and_their_time(app: Staffa) -> None:
    @job(timeout=0.01)
    def slow() -> str:
        while not current_job().cancelled():
            threading.Event().wait(0.001)
        return "told to stop"

    assert perform_job(slow).result == "told to stop"


def test_inline_runs_plain_jobs_on_the_callers_thread(app: Staffa) -> None:
    threads: list[int] = []

    @job
    def run() -> None:
        threads.append(threading.get_ident())

    with mode("inline"):
        assert run.enqueue_sync().state == "completed"
        app.sync.enqueue_many(run.new(), run.new())

    assert threads == [threading.get_ident()] * 3


def test_jobs_are_processed_without_awaiting() -> None:
    @job
    def double(number: int) -> int:
        return 2 * number

    assert process_job(double.new(21)) == 42


def test_cron_ticks_without_awaiting(app: Staffa) -> None:
    @job(cron="@hourly")
    def run() -> None: ...

    tick_crons()
    app._clock.advance(hours=1)  # type: ignore[attr-defined]  # it is a virtual one
    tick_crons()

    assert_enqueued(worker=run)


def test_the_transaction_of_a_psycopg_connection_is_seen_and_drained(
    server_app: Staffa, psycopg_connection: psycopg.Connection
) -> None:
    ran: list[int] = []

    @job
    def run(number: int) -> None:
        ran.append(number)

    server_app.sync.enqueue(run.new(1), conn=psycopg_connection)
    server_app.sync.enqueue(run.new(2).delayed(60), conn=psycopg_connection)

    refute_enqueued(worker=run)
    assert_enqueued(worker=run, args={"number": 1}, conn=psycopg_connection)
    assert drain_queue(conn=psycopg_connection)["completed"] == 2
    assert ran == [1, 2]
    refute_enqueued(conn=psycopg_connection)

    psycopg_connection.rollback()
    assert server_app.sync.count_jobs() == {}


def test_the_transaction_of_a_sqlite_connection_is_seen_and_drained(tmp_path: Path) -> None:
    @job
    def run() -> None: ...

    dsn = f"sqlite:///{tmp_path}/jobs.db"
    asyncio.run(make_migrator(dsn, "public").up())
    app = Staffa(dsn, testing="manual", clock=VirtualClock(datetime(2030, 1, 1, tzinfo=UTC)))
    raw = sqlite3.connect(tmp_path / "jobs.db")
    raw.execute("BEGIN")

    stored = app.sync.enqueue(run.new(), conn=raw)
    app.sync.enqueue(Job(worker="a.b", scheduled_in=60), conn=raw)

    assert stored.inserted_at == datetime(2030, 1, 1, tzinfo=UTC)
    refute_enqueued()
    assert len(all_enqueued(conn=raw)) == 2
    assert drain_queue(conn=raw, with_safety=True, limit=1)["completed"] == 1
    raw.rollback()
    refute_enqueued(conn=raw)
    raw.close()
    app.sync.stop()


def test_a_connection_whose_calls_are_awaited_is_refused(server_app: Staffa, dsn: str) -> None:
    connection = psycopg.AsyncConnection.__new__(psycopg.AsyncConnection)

    with pytest.raises(ConfigError, match="whose calls are awaited"):
        all_enqueued(conn=connection)


async def test_on_a_loop_they_say_what_to_call() -> None:
    with pytest.raises(LoopRunning, match=r"await staffa\.testing\.drain_queue"):
        drain_queue()
    with pytest.raises(LoopRunning, match=r"await staffa\.testing\.assert_enqueued"):
        assert_enqueued(worker="a.b")


def test_an_unknown_job_is_a_job_all_the_same() -> None:
    assert perform_job(Job(worker="nobody.knows")).state == "scheduled"
