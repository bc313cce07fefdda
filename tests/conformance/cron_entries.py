"""Entries of cron, as a node registers them and a leader takes their ticks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from staffa.cron.stored import Entry, StoredCron
from staffa.engine import Engine, Producer
from staffa.jobs import Job

INSTANCE = "Staffa"
MINUTE = timedelta(minutes=1)
GRACE = timedelta(minutes=2)
DAY = 86_400.0
DEAD_AFTER = 3600.0


def new_entry(name: str = "minutely", **changes: Any) -> Entry:
    job = Job(
        worker="tests.Worker", queue="mail", args={"n": 2**70}, tags=["a"], meta={"m": "é"},
        priority=3, max_attempts=5,
    )  # fmt: skip
    return replace(Entry(name, "* * * * *", "Europe/Berlin", "skip", job), **changes)


async def register(engine: Engine, producer: Producer, *entries: Entry) -> None:
    """Register as a node does, whose heart beats."""
    heartbeat = engine.heartbeat()
    await heartbeat.beat(producer)
    await heartbeat.close()
    await engine.register_crons(producer, entries, dead_after=DEAD_AFTER)


async def read(
    engine: Engine, name: str = "minutely", reader: Producer | None = None
) -> StoredCron:
    board = await engine.read_crons(
        INSTANCE, reader=reader.uuid if reader else None, dead_after=DEAD_AFTER
    )
    return {entry.name: entry for entry in board.entries}[name]


async def take(engine: Engine, tick: datetime, name: str = "minutely") -> Job | None:
    entry = await read(engine, name)
    return await engine.enqueue_tick(INSTANCE, name, tick, entry.new_job(tick))
