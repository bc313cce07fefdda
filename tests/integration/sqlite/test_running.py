"""A client on a SQLite file: jobs run in every executor, and what is unusual about the file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import threading
import time
import warnings
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from staffa import Job, Reindexer, Staffa, current_job, job
from staffa.errors import ConfigError, DatabaseError, DatabaseUnavailable, SchemaMissing
from staffa.types import Connectivity
from tests.conftest import QUICK, MakeClient
from tests.support.app import hold_process, note, release, steps
from tests.support.events import Recorder, eventually
from tests.support.files import JobsFile


async def test_jobs_run_in_every_executor(
    file: JobsFile, make_client: MakeClient, tmp_path: Path
) -> None:
    @job
    async def on_the_loop(n: int) -> None:
        await current_job().update_meta(seen=n)

    @job
    def in_a_thread(n: int) -> None:
        current_job().update_meta(seen=n)

    release(tmp_path)
    async with make_client(queues={"default": 5}) as app:
        stored = [
            await app.enqueue(on_the_loop.new(1)),
            await app.enqueue(in_a_thread.new(2)),
            await app.enqueue(hold_process.new(str(tmp_path))),
        ]
        rows = [await file.until(entry.id, "completed") for entry in stored]
    assert [row["meta"].get("seen") for row in rows] == [1, 2, None]
    assert {step.pid for step in steps(tmp_path)} != {os.getpid()}
    assert [row["errors"] for row in rows] == [[], [], []]


async def test_a_failed_job_is_retried_and_a_scheduled_one_waits_for_its_time(
    file: JobsFile, make_client: MakeClient
) -> None:
    @job(backoff=lambda *_: 0.1)
    async def fail_once() -> None:
        if current_job().attempt == 1:
            raise ValueError("at first")

    @job
    async def later() -> None: ...

    async with make_client(queues={"default": 5}) as app:
        failing = await app.enqueue(fail_once.new())
        waiting = await app.enqueue(later.options(scheduled_in=timedelta(hours=1)).new())
        row = await file.until(failing.id, "completed")
        assert file.get(waiting.id)["state"] == "scheduled"
        await app.retry_job(waiting.id or 0)
        await file.until(waiting.id, "completed")
    assert row["attempt"] == 2
    assert "at first" in row["errors"][0]["error"]


async def test_two_clients_of_a_process_wake_each_other(
    file: JobsFile, make_client: MakeClient, tmp_path: Path
) -> None:
    sender = make_client()
    async with make_client(queues={"default": 5}, poll=3600, heartbeat=900, dead_after=3600) as app:
        assert app.connectivity is Connectivity.ISOLATED
        stored = await sender.enqueue(note.new(str(tmp_path)))
        await file.until(stored.id, "completed")


async def test_nothing_is_lost_over_a_restart(
    file: JobsFile, make_client: MakeClient, tmp_path: Path
) -> None:
    app = make_client(queues={"default": 5})
    stored = [await app.enqueue(note.new(str(tmp_path))) for _ in range(3)]
    await app.stop()
    assert file.leftovers() == [], "the last one to leave tidies up"
    async with app:
        for entry in stored:
            await file.until(entry.id, "completed")


async def test_a_temporary_database_makes_its_tables_and_is_gone_at_the_stop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_client: MakeClient
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for dsn in ("sqlite://", "sqlite:///:memory:"):
        app = make_client(dsn, queues={"default": 5})
        async with app:
            await app.enqueue(note.new(str(tmp_path)))
            await eventually(lambda: steps(tmp_path, "noted"), "the job")
            assert len(list((tmp_path / "temporary").iterdir())) == 1
        assert list((tmp_path / "temporary").iterdir()) == []
        (tmp_path / "history").unlink()
        assert await app.count_jobs() == {}, "another one begins empty"
        await app.stop()
        assert list((tmp_path / "temporary").iterdir()) == []


async def test_two_temporary_databases_have_nothing_in_common(make_client: MakeClient) -> None:
    one, other = make_client("sqlite://"), make_client("sqlite://")
    await one.enqueue(Job(worker="w"))
    assert sum((await one.count_jobs()).values()) == 1
    assert await other.count_jobs() == {}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"prefix": "jobs"}, "no schemas"),
        ({"listen_dsn": "postgresql://localhost/app"}, "no notifications"),
        ({"notifier": "postgres"}, "no notifications"),
        ({"pooler": True}, "no server"),
        ({"maintenance_dsn": "postgresql://localhost/app"}, "do not bloat"),
        ({"reindexer": Reindexer(ratio=5)}, "do not bloat"),
    ],
    ids=str,
)
async def test_what_makes_no_sense_with_a_file_is_refused_with_the_reason(
    make_client: MakeClient, options: dict[str, object], reason: str
) -> None:
    (setting,) = options
    with pytest.raises(ConfigError, match=f"{setting} can't be used with SQLite: .*{reason}"):
        await make_client(**options).start()


async def test_a_transaction_carries_no_notification(
    file: JobsFile, make_client: MakeClient
) -> None:
    with (
        closing(sqlite3.connect(file.path)) as own,
        pytest.raises(ConfigError, match="in_transaction"),
    ):
        await make_client().enqueue(Job(worker="w"), conn=own, notify="in_transaction")
    assert file.count() == {}


async def test_a_file_that_is_not_there_is_not_made_by_a_worker(
    make_client: MakeClient, tmp_path: Path
) -> None:
    app = make_client(f"sqlite:///{tmp_path}/none.db", queues={"default": 1})
    with pytest.raises(SchemaMissing, match=r"none.db.*staffa migrate up"):
        await app.start()
    with pytest.raises(SchemaMissing, match=r"none.db.*staffa migrate up"):
        await app.enqueue(Job(worker="w"))
    assert not (tmp_path / "none.db").exists()


async def test_a_folder_that_is_not_there_is_named(make_client: MakeClient, tmp_path: Path) -> None:
    app = make_client(f"sqlite:///{tmp_path}/no/such/jobs.db", queues={"default": 1})
    with pytest.raises(DatabaseUnavailable, match=r"folder .*no/such"):
        await app.start()


async def test_a_file_that_is_no_database_is_told(make_client: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear reader, " * 1000)
    app = make_client(f"sqlite:///{tmp_path}/letter.db", queues={"default": 1})
    with pytest.raises(DatabaseError, match=r"letter.db.*no SQLite database"):
        await app.start()


async def test_a_file_without_tables_says_what_to_do(
    make_client: MakeClient, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "empty.db")) as raw:
        raw.execute("CREATE TABLE mine (id INTEGER)")
    app = make_client(f"sqlite:///{tmp_path}/empty.db", queues={"default": 1})
    with pytest.raises(SchemaMissing, match="staffa migrate up"):
        await app.start()
    with pytest.raises(SchemaMissing, match="staffa migrate up"):
        await app.enqueue(Job(worker="w"))


async def test_several_loops_may_use_a_client_one_after_the_other(
    file: JobsFile, make_client: MakeClient
) -> None:
    app = make_client()
    await app.enqueue(Job(worker="w"))
    thread = threading.Thread(target=lambda: asyncio.run(app.enqueue(Job(worker="w"))))
    thread.start()
    await asyncio.to_thread(thread.join)
    await app.enqueue(Job(worker="w"))
    assert file.count() == {"available": 3}


async def test_a_forked_child_opens_the_file_anew(file: JobsFile, make_client: MakeClient) -> None:
    app = make_client()
    await app.enqueue(Job(worker="w"))
    with warnings.catch_warnings(action="ignore"):  # newer Pythons warn of forks beside threads
        child = os.fork()
    if child == 0:
        thread = threading.Thread(target=lambda: asyncio.run(app.enqueue(Job(worker="child"))))
        thread.start()
        thread.join(20)
        os._exit(0)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert status == 0
    await app.enqueue(Job(worker="w"))
    assert [row["worker"] for row in file.query("SELECT worker FROM oban_jobs ORDER BY id")] == [
        "w", "child", "w",
    ]  # fmt: skip
    assert file.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


async def test_hostile_rows_do_not_stop_the_others(
    file: JobsFile, make_client: MakeClient, tmp_path: Path
) -> None:
    file.query(
        "INSERT INTO oban_jobs (worker, scheduled_at, inserted_at, tags)"
        " VALUES ('tests.Unknown', 'garbage', 'yesterday', '[1, null]')"
    )
    file.query(
        "INSERT INTO oban_jobs (worker, state, scheduled_at) VALUES ('a', 'scheduled', 'infinity')"
    )
    file.query("INSERT INTO oban_jobs (worker, meta) VALUES (CAST(x'ff61' AS TEXT), '[1]')")
    async with make_client(queues={"default": 5}) as app:
        stored = await app.enqueue(note.new(str(tmp_path)))
        await file.until(stored.id, "completed")
        assert len(await app.list_jobs()) == 4


async def test_jobs_with_other_spellings_of_times_become_due_in_time(
    file: JobsFile, make_client: MakeClient, tmp_path: Path
) -> None:
    spellings = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%f")
    for spelling in spellings:
        for offset in ("-1 minute", "+1 hour"):
            file.query(
                "INSERT INTO oban_jobs (worker, args, state, scheduled_at)"
                " VALUES ('tests.support.app.note', json_object('folder', ?), 'scheduled',"
                " strftime(?, 'now', ?))",
                str(tmp_path), spelling, offset,
            )  # fmt: skip
    async with make_client(queues={"default": 5}):
        await file.until_count(completed=3, scheduled=3)


async def test_a_cancelled_caller_leaves_no_transaction_open(
    file: JobsFile, make_client: MakeClient
) -> None:
    app = make_client()
    await app.enqueue(Job(worker="w"))
    with file.held():
        calls = [asyncio.ensure_future(app.enqueue(Job(worker="w"))) for _ in range(5)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await app.enqueue(Job(worker="last"))
    with file.held():
        pass
    assert file.count()["available"] <= 3, "at most the one that had begun was written"


async def test_a_busy_file_fails_nothing(
    file: JobsFile, make_client: MakeClient, tmp_path: Path, events: Recorder
) -> None:
    async with make_client(queues={"default": 5}) as app:
        await app.enqueue(note.new(str(tmp_path)))
        await file.until_count(completed=1)
        beats = "SELECT sum(beats) AS beats FROM staffa_producers"
        with file.held():
            calls = [asyncio.ensure_future(app.enqueue(note.new(str(tmp_path)))) for _ in range(20)]
            before = file.query(beats)
            until = time.monotonic() + 4 * QUICK["dead_after"]
            await eventually(lambda: time.monotonic() > until, "some seconds")
            assert file.query(beats) == before
            assert not any(call.done() for call in calls)
        await asyncio.gather(*calls)
        await file.until_count(completed=21)
    assert events.of("staffa.job.rescued") == []
    assert all(row["errors"] == "[]" for row in file.query("SELECT errors FROM oban_jobs"))


async def test_a_file_that_is_busy_for_too_long_is_unavailable_and_nothing_is_written(
    file: JobsFile, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staffa.drivers.sqlite.BUSY_SECONDS", 0.2)
    app = make_client()
    with file.held(), pytest.raises(DatabaseUnavailable, match="writing for too long"):
        await app.enqueue(Job(worker="w"))
    assert file.count() == {}


async def test_of_64_inserters_at_once_one_writes(file: JobsFile, make_client: MakeClient) -> None:
    apps = [make_client() for _ in range(8)]
    stored = await asyncio.gather(
        *(apps[n % 8].enqueue(Job(worker="w", args={"id": 1}, unique=True)) for n in range(64))
    )
    assert len({entry.id for entry in stored}) == 1
    assert sum(not entry.conflict for entry in stored) == 1


async def test_a_stopped_client_refuses_calls_that_are_under_way(
    file: JobsFile, make_client: MakeClient
) -> None:
    app: Staffa = make_client()
    await app.enqueue(Job(worker="w"))
    await app.stop()
    await app.stop()
    assert file.count() == {"available": 1}
