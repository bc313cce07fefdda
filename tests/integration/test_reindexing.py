"""Indexes that have grown out of proportion are built anew beside their use, and no others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from staffa import Reindexer, job
from staffa._internal.clock import SYSTEM_CLOCK
from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engines.postgres import PostgresEngine
from staffa.engines.postgres.maintenance import maintenance_settings
from staffa.maintenance import IndexSize
from staffa.services import reindexer as module
from staffa.services.reindexer import ReindexerLoop
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

CLAIM = "staffa_jobs_claim"
ANY_SIZE = Reindexer(min_bytes=0)


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[PostgresEngine]:
    """The engine of a leader that knows the owner of the tables."""
    made = PostgresEngine(ConnectionSettings(dsn), prefix, 2, owner=maintenance_settings(dsn))
    yield made
    await made.close()


def loop(
    engine: PostgresEngine, options: Reindexer = ANY_SIZE, *, leads: bool = True
) -> ReindexerLoop:
    return ReindexerLoop(engine, options, leading=lambda: leads, clock=SYSTEM_CLOCK)


async def sizes(engine: PostgresEngine) -> dict[str, IndexSize]:
    assert engine.maintenance is not None
    return {index.name: index for index in await engine.maintenance.read_indexes()}


async def bloat(rows: Rows) -> None:
    """Let the index of the claim grow, and empty it."""
    await rows.connection.execute(
        f"INSERT INTO {rows.jobs} (worker) SELECT 'w' FROM generate_series(1, 20000)"
    )
    await rows.connection.execute(f"DELETE FROM {rows.jobs}")
    await rows.connection.execute(f"VACUUM ANALYZE {rows.jobs}")


async def test_a_bloated_index_is_rebuilt_and_others_are_not(
    rows: Rows, engine: PostgresEngine, events: Recorder
) -> None:
    await bloat(rows)
    before = await sizes(engine)
    await loop(engine).tick()
    after = await sizes(engine)
    assert before[CLAIM].bytes > 10 * after[CLAIM].bytes
    rebuilt = {event.data["index"] for event in events.of("staffa.reindexer.rebuilt")}
    assert rebuilt == {CLAIM, "oban_jobs_pkey"}
    assert all(index.valid for index in after.values())


async def test_small_indexes_and_full_ones_are_left_alone(
    rows: Rows, engine: PostgresEngine, events: Recorder
) -> None:
    await bloat(rows)
    await loop(engine, Reindexer()).tick()
    await rows.connection.execute(
        f"INSERT INTO {rows.jobs} (worker) SELECT 'w' FROM generate_series(1, 20000)"
    )
    await rows.connection.execute(f"REINDEX TABLE {rows.jobs}")
    await rows.connection.execute(f"ANALYZE {rows.jobs}")
    await loop(engine).tick()
    assert events.of("staffa.reindexer.rebuilt") == []


async def test_the_estimate_comes_near_the_size_of_a_fresh_index(
    rows: Rows, engine: PostgresEngine
) -> None:
    await rows.connection.execute(
        f"INSERT INTO {rows.jobs} (worker, queue, scheduled_at)"
        " SELECT 'w', 'q' || n % 50, now() + n * interval '1 ms'"
        "   FROM generate_series(1, 50000) AS n"
    )
    await rows.connection.execute(f"ANALYZE {rows.jobs}")
    await rows.connection.execute(f"REINDEX TABLE {rows.jobs}")
    await rows.connection.execute(f"ANALYZE {rows.jobs}")
    found = await sizes(engine)
    for name in (CLAIM, "oban_jobs_pkey"):
        expected = found[name].expected_bytes
        assert expected is not None
        assert 0.5 < found[name].bytes / expected < 1.5


async def test_indexes_that_can_not_be_judged_are_left_alone(
    rows: Rows, engine: PostgresEngine, events: Recorder
) -> None:
    await rows.connection.execute(f"CREATE INDEX of_args ON {rows.jobs} USING gin (args)")
    assert (await sizes(engine))["of_args"].expected_bytes is None
    await loop(engine, Reindexer(min_bytes=0, ratio=1)).tick()
    assert "of_args" not in {event.data["index"] for event in events.of("staffa.reindexer.rebuilt")}


async def test_tables_and_schemas_of_others_are_not_touched(
    rows: Rows, engine: PostgresEngine, connection: asyncpg.Connection
) -> None:
    schema = quote_identifier(rows.prefix)
    await connection.execute(
        f"CREATE TABLE {schema}.shop (id int PRIMARY KEY);"
        f"CREATE INDEX shop_ccnew ON {schema}.shop (id);"
        "UPDATE pg_index SET indisvalid = false"
        f" WHERE indexrelid = '{schema}.shop_ccnew'::regclass"
    )
    assert not {"shop_pkey", "shop_ccnew"} & set(await sizes(engine))
    await loop(engine).tick()
    assert await connection.fetchval("SELECT to_regclass($1)::text", f"{schema}.shop_ccnew")


async def test_a_rebuild_that_can_not_have_its_lock_is_reported_and_leaves_nothing_for_long(
    dsn: str, rows: Rows, prefix: str, events: Recorder
) -> None:
    settings = {"lock_timeout": "100ms"}
    engine = PostgresEngine(
        ConnectionSettings(dsn), prefix, 2, owner=ConnectionSettings(dsn, settings)
    )
    await bloat(rows)
    async with rows.connection.transaction():
        await rows.connection.execute(f"INSERT INTO {rows.jobs} (worker) VALUES ('w')")
        await loop(engine).tick()  # it waits in vain for this transaction
    assert events.of("staffa.reindexer.rebuilt") == []
    assert any(CLAIM in event.data["what"] for event in events.of("staffa.error"))
    await loop(engine).tick()
    found = await sizes(engine)
    assert [index for index in found.values() if not index.valid] == []
    assert {event.data["index"] for event in events.of("staffa.reindexer.rebuilt")} >= {CLAIM}
    await engine.close()


async def test_jobs_run_while_indexes_are_rebuilt(
    make_client: MakeClient, dsn: str, rows: Rows, events: Recorder
) -> None:
    @job
    async def note() -> None: ...

    await bloat(rows)
    async with make_client(
        queues={"default": 5},
        maintenance_dsn=dsn,
        reindexer={"min_bytes": 0, "interval": 0.05},
    ) as app:
        for _ in range(20):
            await app.enqueue(note.new())
            await asyncio.sleep(0)
        await events.wait("staffa.job.completed", 20)
        await events.wait("staffa.reindexer.rebuilt")


async def test_without_the_owner_no_index_is_touched_and_vacuums_are_looked_at(
    dsn: str,
    rows: Rows,
    prefix: str,
    events: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "LEAST_DEAD", 100)
    engine = PostgresEngine(ConnectionSettings(dsn), prefix, 2)
    assert engine.maintenance is None
    await rows.connection.execute(f"ALTER TABLE {rows.jobs} SET (autovacuum_enabled = false)")
    await rows.connection.execute(
        f"INSERT INTO {rows.jobs} (worker) SELECT 'w' FROM generate_series(1, 500)"
    )
    await rows.connection.execute(f"DELETE FROM {rows.jobs}")
    if rows.connection.get_server_version() >= (15,):  # else the server takes its time
        await rows.connection.execute("SELECT pg_stat_force_next_flush()")

    async def told() -> bool:
        await loop(engine).tick()  # the server counts a little later
        return bool(events.of("staffa.vacuum.overdue"))

    with caplog.at_level(logging.WARNING):
        await eventually(told, "a warning of dead rows")
    (event,) = events.of("staffa.vacuum.overdue")
    assert event.data["dead"] >= 500
    assert "autovacuum" in caplog.text
    assert events.of("staffa.reindexer.rebuilt") == []
    await engine.close()


async def test_nobody_but_the_leader_does_anything(
    rows: Rows, engine: PostgresEngine, events: Recorder
) -> None:
    await bloat(rows)
    await loop(engine, leads=False).tick()
    assert events.of("staffa.reindexer.rebuilt") == []


@pytest.mark.parametrize("options", [{"interval": 3600}, {"interval": 0.5}])
async def test_indexes_are_looked_at_once_in_each_interval(
    rows: Rows, engine: PostgresEngine, events: Recorder, options: dict[str, Any]
) -> None:
    await bloat(rows)
    one = loop(engine, Reindexer(min_bytes=0, **options))
    await one.tick()
    count = len(events.of("staffa.reindexer.rebuilt"))
    assert count > 0
    await bloat(rows)
    if options["interval"] == 3600:
        await one.tick()
        assert len(events.of("staffa.reindexer.rebuilt")) == count
    else:
        await one.start()
        await events.wait("staffa.reindexer.rebuilt", count + 1)
        await one.stop()
