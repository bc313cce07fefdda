"""What cron asks every minute reads the entries of one instance, not those of all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.cron.changes import HeldCron, change, spread
from staffa.cron.stored import Entry, StoredCron
from staffa.engine import Producer, Statement
from staffa.engines.statements.crons import CronStatements
from staffa.jobs import Job
from tests.plans.explain import explain
from tests.plans.tables import PRODUCERS

TABLE = "staffa_crons"
PRODUCER = Producer(PRODUCERS[0], "instance 7", "node.1")
ENTRIES = [
    Entry(f"entry {number}", "* * * * *", "UTC", "cron", Job(worker="tests.Worker"))
    for number in range(50)
]
NOW = datetime(2040, 1, 1, tzinfo=UTC)
HELD = StoredCron(
    **ENTRIES[1].as_row(), active=True, last_tick=NOW, last_job_id=None, booted_at=NOW,
    registered_at=NOW, updated_at=NOW, read_at=NOW,
)  # fmt: skip
CHANGE = change(HeldCron(HELD, None), {**spread(HELD.as_row()), "paused": True}, timedelta())

Build = Callable[[CronStatements], Statement[Any]]
STATEMENTS: dict[str, Build] = {
    "read": lambda crons: crons.read(PRODUCER.name, reader=PRODUCER.uuid, dead_after=20),
    "hold": lambda crons: crons.hold(PRODUCER.name, None, dead_after=20),
    "hold one": lambda crons: crons.hold(PRODUCER.name, ["entry 1"], dead_after=20),
    "write": lambda crons: crons.write(PRODUCER.name, [CHANGE]),
    "delete": lambda crons: crons.delete(PRODUCER.name, "entry 1", dead_after=20),
    "sync": lambda crons: crons.sync(PRODUCER, dead_after=20),
    "take": lambda crons: crons.take(PRODUCER.name, "entry 1", NOW),
    "note": lambda crons: crons.note(PRODUCER.name, "entry 1", 5),
    "declare": lambda crons: crons.declare(PRODUCER, ENTRIES, dead_after=20),
    "tend": lambda crons: crons.tend(PRODUCER.name, dead_after=20, forget_after=60),
}


@pytest.mark.parametrize("analyzed", [False, True])
async def test_they_read_through_the_primary_key(
    planner: asyncpg.Connection, prefix: str, analyzed: bool
) -> None:
    table = f"{quote_identifier(prefix)}.{TABLE}"
    await planner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await planner.execute(
        f"""
        INSERT INTO {table} (instance, name, expression, timezone, dst, worker)
        SELECT 'instance ' || number % 300, 'entry ' || number / 300, '@daily', 'UTC', 'cron', 'w'
          FROM generate_series(1, 30000) AS number
        """
    )
    if analyzed:
        await planner.execute(f"ANALYZE {table}")
    crons = CronStatements(prefix)
    wrong = []
    for name, build in STATEMENTS.items():
        for generic in (False, True):
            scans = await explain(planner, build(crons), generic=generic, table=TABLE)
            if not scans or {scan.index for scan in scans} != {f"{TABLE}_pkey"}:
                wrong.append(f"{name}, generic {generic}: {scans}")
    assert wrong == []
