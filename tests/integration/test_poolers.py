"""Behind a pooler that shares sessions: everything works, and a node knows that it must poll."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from staffa import Connectivity, Pruner, Snooze, current_job, job
from staffa.client.backend import make_maintenance, make_migrator
from staffa.drivers.asyncpg import Access, ConnectionSettings
from staffa.drivers.asyncpg_pool import Pool
from staffa.engine import Producer, Statement
from staffa.engines.postgres import PostgresEngine
from staffa.errors import ConfigError, DatabaseUnavailable
from staffa.services import sonar
from tests.conftest import MakeClient
from tests.plans.tables import QUEUE, add_backlog, analyze, stop_autovacuum
from tests.support.app import PROMPT, hold, release, steps
from tests.support.events import Recorder, eventually
from tests.support.pgbouncer import PgBouncer
from tests.support.processes import WorkerProcess
from tests.support.rows import Rows

IGNORE = "ignore_startup_parameters = " + ", ".join(
    {**ConnectionSettings("").settings, **Access.ORDERED.value, **Access.PROBES.value}
)


@pytest.fixture(params=["refuses settings", "ignores settings"])
async def bouncer(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[PgBouncer]:
    """A PgBouncer in transaction mode, as it comes and as users mend it."""
    more = IGNORE if request.param == "ignores settings" else ""
    async with PgBouncer(dsn, more=more) as running:
        yield running


@pytest.fixture
async def plain_bouncer(dsn: str) -> AsyncIterator[PgBouncer]:
    """A PgBouncer in transaction mode, as it comes."""
    async with PgBouncer(dsn) as running:
        yield running


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping that has not come back is given up sooner."""
    monkeypatch.setattr(sonar, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(sonar, "_SHORTEST_SECONDS", 0.2)


def answer(value: int) -> Statement[int]:
    return Statement("SELECT $1::int AS n", (value,), lambda rows: int(rows[0]["n"]))


async def test_a_pooler_is_recognised_and_a_server_is_not_taken_for_one(
    bouncer: PgBouncer, dsn: str
) -> None:
    assert await ConnectionSettings(bouncer.dsn).is_pooled()
    assert not await ConnectionSettings(dsn).is_pooled()
    assert await ConnectionSettings(dsn, pooler=True).is_pooled()
    assert not await ConnectionSettings(bouncer.dsn, pooler=False).is_pooled()


@pytest.mark.parametrize("pooler", [None, True])
async def test_many_clients_share_few_sessions_without_named_statements(
    bouncer: PgBouncer, pooler: bool | None
) -> None:
    pools = [Pool(ConnectionSettings(bouncer.dsn, pooler=pooler), 4) for _ in range(4)]
    values = await asyncio.gather(*(pool.run(answer(n)) for n in range(100) for pool in pools))
    assert values == [n for n in range(100) for _ in pools]
    named = Statement(
        "SELECT count(*)::int AS n FROM pg_prepared_statements", (), lambda rows: rows[0]["n"]
    )
    assert await pools[0].run(named) == 0
    for pool in pools:
        await pool.close()


async def test_a_refused_setting_is_told_with_the_remedy(plain_bouncer: PgBouncer) -> None:
    with pytest.raises(DatabaseUnavailable, match="leave the setting 'pooler' out"):
        await ConnectionSettings(plain_bouncer.dsn, pooler=False).connect()


async def test_plans_are_made_for_each_execution_behind_a_pooler_too(
    plain_bouncer: PgBouncer, connection: asyncpg.Connection, prefix: str
) -> None:
    if connection.get_server_version() < (15,):
        pytest.skip("needs PostgreSQL 15: older servers keep no exact counters")
    await stop_autovacuum(connection, prefix)
    await analyze(connection, prefix)
    engine = PostgresEngine(ConnectionSettings(plain_bouncer.dsn), prefix, 1)
    producer = Producer(uuid.uuid4(), "Staffa", "node.1")
    for _ in range(10):
        assert await engine.claim_jobs(QUEUE, 500, producer) == []
    await add_backlog(connection, prefix, 50_000)
    scans: Statement[Any] = Statement(
        "SELECT pg_stat_force_next_flush(), (SELECT seq_scan FROM pg_stat_user_tables"
        " WHERE schemaname = $1 AND relname = 'oban_jobs') AS n",
        (prefix,),
        lambda rows: rows[0]["n"],
    )
    for _ in range(2):
        before = await engine.pool.run(scans)
    assert len(await engine.claim_jobs(QUEUE, 500, producer)) == 500
    for _ in range(2):
        after = await engine.pool.run(scans)
    await engine.close()
    assert after == before


async def test_migrations_go_through_a_pooler(bouncer: PgBouncer, empty_prefix: str) -> None:
    migrator = make_migrator(bouncer.dsn, empty_prefix)
    assert tuple(await migrator.up()) == migrator.migrations
    assert (await migrator.status()).pending == ()
    assert tuple(await migrator.down(0)) == migrator.migrations[::-1]


async def test_a_node_runs_retries_snoozes_cancels_and_prunes_by_polling(
    bouncer: PgBouncer,
    make_client: MakeClient,
    rows: Rows,
    events: Recorder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun = asyncio.Event()

    @job(backoff=0)
    async def fail_once() -> None:
        if current_job().attempt == 1:
            raise ValueError

    @job
    async def snooze_once() -> Snooze | None:
        return None if "snoozed" in current_job().meta else Snooze(0)

    @job
    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    sender = make_client(dsn=bouncer.dsn)
    with caplog.at_level(logging.WARNING):
        async with make_client(
            dsn=bouncer.dsn, queues={"default": 10}, pruner=Pruner(interval=0.1)
        ) as app:
            await events.wait("staffa.sonar.changed")
            assert app.connectivity is Connectivity.ISOLATED
            for found in (fail_once, snooze_once):
                await sender.enqueue(found.new())
            await events.wait("staffa.job.completed", 2)
            held = await sender.enqueue(wait.new())
            await begun.wait()
            assert await sender.cancel_job(held)
            await events.wait("staffa.job.lease_lost")
            old = await rows.insert(
                state="completed", worker="w", completed_at="2000-01-01 00:00:00"
            )
            await events.wait("staffa.pruner.pruned")
            assert await rows.get(old) == {}
    assert "listen_dsn" in caplog.text
    await rows.until_count(completed=2, cancelled=1)


async def test_a_direct_connection_for_notifications_is_all_that_a_node_lacks(
    plain_bouncer: PgBouncer, dsn: str, make_client: MakeClient, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    options = {"dsn": plain_bouncer.dsn, "listen_dsn": dsn, "queues": {"default": 1}}
    async with make_client(**options, poll=3600) as app:
        await events.wait("staffa.sonar.changed")
        assert app.connectivity is Connectivity.SOLITARY
        await make_client(dsn=plain_bouncer.dsn).enqueue(note.new())
        await events.wait("staffa.job.completed")


async def test_several_nodes_hear_each_other(
    dsn: str, make_client: MakeClient, events: Recorder
) -> None:
    options = {"queues": {"default": 1}, "node": "same host", "name": "shop"}
    async with make_client(**options) as one, make_client(**{**options, "name": "other"}) as two:

        def clustered() -> bool:
            return {one.connectivity, two.connectivity} == {Connectivity.CLUSTERED}

        await events.until(clustered, "both to hear each other")
    assert one.connectivity is Connectivity.UNKNOWN


async def test_who_says_that_he_polls_is_not_warned(
    plain_bouncer: PgBouncer,
    make_client: MakeClient,
    events: Recorder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @job
    async def note() -> None: ...

    async with make_client(dsn=plain_bouncer.dsn, queues={"default": 1}, notifier="polling") as app:
        assert app.connectivity is Connectivity.ISOLATED
        await make_client(dsn=plain_bouncer.dsn).enqueue(note.new())
        await events.wait("staffa.job.completed")
    assert "notifications do not arrive" not in caplog.text
    assert events.of("staffa.sonar.changed") == []


async def test_nothing_is_lost_or_repeated_while_the_pooler_restarts(
    plain_bouncer: PgBouncer, make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    count = 300
    ran: Counter[int | None] = Counter()

    @job
    async def note() -> None:
        ran[current_job().id] += 1
        await asyncio.sleep(0.001)

    await make_client().enqueue_many(note.new() for _ in range(count))
    async with make_client(dsn=plain_bouncer.dsn, queues={"default": 2}):
        for _ in range(4):
            done = len(events.of("staffa.job.completed"))
            if done < count:
                await events.until(lambda: len(events.of("staffa.job.completed")) > done)  # noqa: B023
            await plain_bouncer.stop()
            await plain_bouncer.start()
        await rows.until_count(completed=count)
        await events.wait("staffa.job.completed", count)
    assert set(ran.values()) == {1}
    assert len(ran) == count


async def test_the_jobs_of_a_dead_process_are_rescued_behind_a_pooler(
    plain_bouncer: PgBouncer, prefix: str, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    made: list[WorkerProcess] = []
    settings: dict[str, Any] = dict(PROMPT)
    try:
        for number in range(2):
            log = tmp_path / f"process-{number}.log"
            made.append(WorkerProcess(plain_bouncer.dsn, prefix, log, **settings))
            if number == 0:
                sender = make_client(dsn=plain_bouncer.dsn)
                stored = await sender.enqueue(hold.new(str(tmp_path)))
                await eventually(lambda: steps(tmp_path, "begun"), "the job to begin")
        await made[1].running()
        made[0].kill()
        await eventually(lambda: len(steps(tmp_path, "begun")) == 2, "the job to begin again")
        release(tmp_path)
        row = await rows.until(stored.id, "completed")
        assert (row["attempt"], row["meta"]) == (1, {"rescued": 1})
    finally:
        for process in made:
            process.kill()


async def test_indexes_are_not_rebuilt_through_a_pooler(
    plain_bouncer: PgBouncer, prefix: str
) -> None:
    with pytest.raises(ConfigError, match="give maintenance_dsn a direct connection"):
        await make_maintenance(plain_bouncer.dsn, prefix).read_indexes()


async def test_a_session_pooler_lets_notifications_through(
    dsn: str, make_client: MakeClient, events: Recorder
) -> None:
    async with (
        PgBouncer(dsn, mode="session", size=20) as bouncer,
        make_client(dsn=bouncer.dsn, queues={"default": 1}) as app,
    ):
        await events.wait("staffa.sonar.changed")
        assert app.connectivity is Connectivity.SOLITARY
