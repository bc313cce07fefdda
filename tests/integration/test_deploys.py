"""Deploys: processes of two versions side by side, migrations under load, renamed workers.

The version before this one is not at hand where tests run, so a stand-in takes its place: this code
on tables that are one step newer than it knows. That shows what the older of two versions does with
columns, tables, keys and options that it has never heard of, which is clause 10 as far as reading
goes. It can't show whether this code writes anything that the last release can't read: for that,
the tests of the last release have to run on the tables of this one.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from staffa import Cron, Job, JobFilter, Snooze, Staffa, Unique, current_job, job
from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from staffa.types import State
from tests.conftest import QUICK, MakeClient
from tests.support.app import steps
from tests.support.events import Recorder, eventually
from tests.support.files import JobsFile
from tests.support.processes import Spawn
from tests.support.rows import Rows

TABLES = (
    "oban_jobs", "staffa_producers", "staffa_leaders", "staffa_queues", "staffa_queue_versions",
    "staffa_crons", "staffa_unique", "staffa_dynamic_queues",
)  # fmt: skip


def newer_step(prefix: str = "") -> list[str]:
    """Return what a newer version may add: columns of each table, a table, an index, its record."""
    return [
        *(f"ALTER TABLE {prefix}{table} ADD COLUMN newer text" for table in TABLES),
        *(f"ALTER TABLE {prefix}{table} ADD COLUMN newest text DEFAULT 'x'" for table in TABLES),
        f"CREATE TABLE {prefix}staffa_newer (id bigint PRIMARY KEY)",
        f"CREATE INDEX staffa_jobs_newer ON {prefix}oban_jobs (newer) WHERE state = 'available'",
        f"INSERT INTO {prefix}staffa_migrations (version, name) VALUES (1001, 'newer')",
        f"""INSERT INTO {prefix}staffa_queues
                (name, queue, scope, option, value, version, changed_at)
            VALUES ('shop', 'mail', '*', 'newer', '{{"of": 8}}', 1, '2026-01-01 00:00:00.000000')
        """,
    ]


async def live_through_a_day(app: Staffa, events: Recorder) -> None:
    """Do what an older version does, and look what comes of it."""

    yearly = Cron("0 0 1 1 *", args={"what": "work"}, name="yearly")

    @job(name="shop.daily", queue="mail", cron=yearly, recorded=True)
    async def daily(what: str) -> Snooze | str:
        if what == "fail":
            raise LookupError("nothing there")
        snoozes = what == "snooze" and "snoozed" not in current_job().meta
        return Snooze(0.01) if snoozes else "done"

    newer = {"newer": {"plan": [1, 2]}, "staffa_newer": {"since": 8}}
    async with app:
        plain = await app.enqueue(daily.options(meta=newer).new("work"))
        snoozing = await app.enqueue(daily.new("snooze"))
        failing = await app.enqueue(daily.new("fail"))
        once = daily.options(queue="later", unique=Unique(), scheduled_in=3600)
        again = [await app.enqueue(once.new("work")) for _ in range(2)]
        assert [each.conflict for each in again] == [False, True]

        async def done() -> bool:
            found = [await app.get_job(each) for each in (plain, snoozing, failing)]
            wanted = [State.COMPLETED, State.COMPLETED, State.RETRYABLE]
            return [each.state for each in found if each is not None] == wanted

        await eventually(done, "three ways for a run to end")
        stored = await app.get_job(plain)
        assert stored is not None
        assert newer.items() <= stored.meta.items()
        updated = await app.update_job(again[0], priority=2)
        assert updated is not None
        assert updated.priority == 2
        assert await app.cancel_job(again[0])
        assert await app.retry_job(failing)
        await app.pause_queue("mail")
        await events.wait("staffa.queue.paused")
        await app.resume_queue("mail")
        await events.wait("staffa.queue.resumed")
        assert [entry.name for entry in await app.list_crons()] == ["yearly"]
        ended = JobFilter(states=["completed"], queues=["mail"])
        assert await app.delete_many_jobs(ended) == 2
    assert not events.of("staffa.error")


async def test_a_process_works_on_a_schema_that_a_newer_version_has_migrated(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    for statement in newer_step(f"{quote_identifier(rows.prefix)}."):
        await rows.connection.execute(statement)
    await live_through_a_day(make_client(name="shop", queues={"mail": 5}), events)


async def test_a_process_works_on_a_file_that_a_newer_version_has_migrated(
    tmp_path: Path, events: Recorder
) -> None:
    file = JobsFile(tmp_path / "newer.db")
    await make_migrator(file.dsn, "public").up()
    for statement in newer_step():
        file.query(statement)
    await live_through_a_day(Staffa(file.dsn, name="shop", queues={"mail": 5}, **QUICK), events)


RUNNABLE = 3
"""The first version that has what a worker process needs: earlier ones have no table of queues."""


@pytest.mark.parametrize("version", range(1, 7))
async def test_nothing_is_lost_while_a_schema_is_migrated_under_load(
    version: int, dsn: str, empty_prefix: str, make_client: MakeClient, events: Recorder
) -> None:
    """Jobs come all the while, through a client and by SQL; each runs once."""
    ran: list[int] = []

    @job(name="shop.count")
    async def count(number: int) -> None:
        ran.append(number)

    migrator = make_migrator(dsn, empty_prefix)
    await migrator.up(version)
    sender = make_client(prefix=empty_prefix)
    worker = make_client(prefix=empty_prefix, queues={"default": 5})
    stop = asyncio.Event()
    sent: list[int] = []

    async def send() -> None:
        while not stop.is_set():
            sent.append(len(sent))
            await sender.enqueue(count.new(sent[-1]))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        await eventually(lambda: len(sent) > 20, "the first jobs")
        if version >= RUNNABLE:
            await worker.start()
            await eventually(lambda: len(ran) > 20, "the first runs")
        before = len(sent)
        await migrator.up()
        if version < RUNNABLE:
            await worker.start()
        await eventually(lambda: len(sent) > before + 20, "jobs after the migration")
        stop.set()
    await eventually(lambda: len(ran) >= len(sent), "all jobs")
    assert sorted(ran) == sent
    assert not events.of("staffa.job.rescued")


@pytest.mark.parametrize("newer", ["new_names", "new_names_alone"])
async def test_a_worker_that_is_renamed_in_a_rolling_deploy_loses_no_job(
    newer: str, spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    """Each process puts back what it does not know, until one claims it that does.

    The seconds until it is claimed again are shortened. With an alias, new code runs old jobs as
    well; without one, old jobs wait for old code.
    """
    old = spawn(module="tests.support.old_names")
    await old.running()
    args = {"folder": str(tmp_path)}
    sender = make_client()
    (waiting,) = await sender.enqueue_many([Job(worker="shop.new", args=args)])
    row = await rows.until(waiting.id, "scheduled")
    assert (row["attempt"], row["errors"]) == (0, [])
    assert row["meta"]["unknown_worker"]["count"] == 1

    new = spawn(module=f"tests.support.{newer}")
    await new.running()
    names = ["shop.old", "shop.new"] * 10
    stored = await sender.enqueue_many(Job(worker=name, args=args) for name in names)

    async def all_completed() -> bool:
        await rows.connection.execute(
            f"UPDATE {rows.jobs} SET scheduled_at = timezone('UTC', now())"
            " WHERE state = 'scheduled'"
        )
        return dict(await rows.count()) == {"completed": 21}

    await eventually(all_completed, "the end of all jobs")
    ran = {step.id: step.kind for step in steps(tmp_path)}
    assert len(steps(tmp_path)) == len(ran) == 21, "each has run once"
    for each in [waiting, *stored]:
        row = await rows.get(each.id)
        assert (row["attempt"], row["errors"]) == (1, [])
        if each.worker == "shop.new":
            assert ran[each.id or 0] == "new"
        elif newer == "new_names_alone":
            assert ran[each.id or 0] == "old"

    new.kill()
    if newer == "new_names":
        return
    old.kill()
    backwards = await sender.enqueue(Job(worker="shop.old", args=args))
    spawn(module="tests.support.new_names_alone")
    row = await rows.until(backwards.id, "scheduled")
    assert row["meta"]["unknown_worker"]["count"] == 1
