"""Entries of cron in a test's schema, and as much of a node as cron needs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from staffa import Job
from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa._internal.identifiers import quote_identifier
from staffa.cron.stored import Entry
from staffa.engine import Engine, Producer
from staffa.services.cron import Crontab
from tests.support.events import eventually
from tests.support.rows import Rows

MINUTE = timedelta(minutes=1)
LONG = 3600.0


class Crons:
    """The rows of cron's entries."""

    def __init__(self, rows: Rows) -> None:
        self._connection = rows.connection
        self._jobs = rows.jobs
        self.table = f"{quote_identifier(rows.prefix)}.staffa_crons"

    async def write(self, name: str, **columns: Any) -> None:
        """Overwrite columns of an entry."""
        for column, value in columns.items():
            await self._connection.execute(
                f"UPDATE {self.table} SET {column} = $2 WHERE name = $1", name, value
            )

    async def put_back(self, seconds: float) -> datetime:
        """Have the last tick of all entries so long ago, and return the time of the database."""
        now: datetime = await self._connection.fetchval(
            f"WITH entry AS (UPDATE {self.table} SET last_tick = timezone('UTC', now()) "
            "- make_interval(secs => $1)) SELECT now()",
            seconds,
        )
        return now

    async def names(self) -> set[str]:
        """Return the names of all entries."""
        return {row["name"] for row in await self._connection.fetch(f"SELECT * FROM {self.table}")}

    async def last_tick(self, name: str) -> datetime:
        """Return the last tick that was taken."""
        found: datetime = await self._connection.fetchval(
            f"SELECT last_tick AT TIME ZONE 'UTC' FROM {self.table} WHERE name = $1", name
        )
        return found

    async def jobs(self) -> Counter[tuple[str, str]]:
        """Return how many jobs there are of each entry and tick."""
        found = await self._connection.fetch(
            f"SELECT meta ->> 'cron_name' AS name, meta ->> 'cron_time' AS tick FROM {self._jobs}"
        )
        return Counter((row["name"], row["tick"]) for row in found)

    async def until_fired(self, ticks: set[str]) -> None:
        """Wait until there are jobs of all these ticks."""

        async def fired() -> bool:
            return {tick for _, tick in await self.jobs()} >= ticks

        await eventually(fired, f"jobs of the ticks {sorted(ticks)}")


class Node:
    """As much of a node as cron needs; once it has started it believes that it leads.

    Args:
        engine: Where.
        entries: What it declares.
        leading: Whether it does believe so.
        grace: Seconds within which a tick is not too late.
        clock: Measures how long to sleep.
    """

    def __init__(
        self,
        engine: Engine,
        entries: Sequence[Entry],
        *,
        leading: bool = True,
        grace: float = LONG,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.engine = engine
        self.leading = False
        self._leading = leading
        self.producer = Producer(uuid4(), "Staffa", "node")
        self.woken: list[str] = []
        self.crontab = Crontab(
            engine,
            self.producer,
            lambda: entries,
            leading=lambda: self.leading,
            grace=grace,
            dead_after=LONG,
            clock=clock,
            on_available=self.woken.extend,
        )

    async def start(self) -> None:
        """Register; nothing is enqueued, though a minute may begin right now."""
        heartbeat = self.engine.heartbeat()
        await heartbeat.beat(self.producer)
        await heartbeat.close()
        await self.crontab.tick()
        self.leading = self._leading


def new_entry(name: str, expression: str = "* * * * *", **options: Any) -> Entry:
    return Entry(name, expression, "UTC", "cron", Job(worker="tests.Worker", **options))


def minutes_until(now: datetime, seconds: float) -> set[str]:
    """Return the whole minutes of the last seconds."""
    last = now.astimezone(UTC).replace(second=0, microsecond=0)
    found = itertools.takewhile(
        lambda minute: minute > now - timedelta(seconds=seconds),
        (last - number * MINUTE for number in itertools.count()),
    )
    return {f"{minute:%Y-%m-%dT%H:%M:%SZ}" for minute in found}
