"""The engines that the model is compared with, each on a clock that the test sets.

Another engine joins as one more class here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.sqlite import FileSettings
from staffa.engine import Engine
from staffa.engines.postgres import PostgresEngine
from staffa.engines.sqlite import SqliteEngine
from staffa.engines.sqlite.functions import install
from tests.support.clocks import ServerClock, SteppedClock

BEGIN = datetime(2030, 10, 27, 0, 30, tzinfo=UTC)
"""In Berlin the clocks are put back half an hour later, in the middle of a run."""
ZONE = "Europe/Berlin"
TABLES = ("oban_jobs", "staffa_unique", "staffa_producers")
_TIMES = ("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at",
          "discarded_at")  # fmt: skip
_JSON = ("args", "meta", "errors", "attempted_by")
_COLUMNS = (
    "id", "state", "queue", "priority", "max_attempts", "attempt", *_JSON, *_TIMES
)  # fmt: skip


class World(Protocol):
    """An engine, its tables, and its clock."""

    engine: Engine

    versions_count_writes: bool
    """Whether a row that is written again as it was has another version."""

    async def begin(self) -> None:
        """Empty the tables."""

    async def set_time(self, moment: datetime) -> None:
        """Set the clock."""

    async def rows(self) -> dict[int, dict[str, Any]]:
        """Return all jobs, in the form of the model."""

    async def close(self) -> None:
        """Close everything."""


class PostgresWorld:
    """A schema of PostgreSQL.

    Args:
        dsn: A database whose clock can be set.
        prefix: The schema.
        clock: That clock.
    """

    versions_count_writes = True

    def __init__(self, dsn: str, prefix: str, clock: ServerClock) -> None:
        self._dsn = dsn
        self._prefix = prefix
        self._clock = clock
        self._schema = quote_identifier(prefix)

    async def open(self) -> None:
        """Make the tables."""
        await make_migrator(self._dsn, self._prefix).up()
        self._connection = await asyncpg.connect(self._dsn)
        self.engine: Engine = PostgresEngine(ConnectionSettings(self._dsn), self._prefix, 1)
        self._emptying = ", ".join(f"{self._schema}.{table}" for table in TABLES)

    async def begin(self) -> None:
        """Empty the tables."""
        await self._connection.execute(f"TRUNCATE {self._emptying}")

    async def set_time(self, moment: datetime) -> None:
        """Set the clock."""
        await self._clock.stop_at(moment)

    async def rows(self) -> dict[int, dict[str, Any]]:
        """Return all jobs."""
        found = await self._connection.fetch(
            f"SELECT to_jsonb(job)::text AS row FROM {self._schema}.oban_jobs AS job"
        )
        rows = [json.loads(record["row"]) for record in found]
        return {row["id"]: _in_form(row) for row in rows}

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.close()
        await self._connection.close()


class SqliteWorld:
    """A file of SQLite.

    Args:
        path: The file.
    """

    versions_count_writes = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock = SteppedClock(BEGIN)

    async def open(self) -> None:
        """Make the file."""
        await make_migrator(f"sqlite:///{self._path}", "public").up()
        settings = FileSettings(self._path, install, durable=False)
        self.engine: Engine = SqliteEngine(settings, clock=self._clock)
        self._connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        self._connection.row_factory = sqlite3.Row

    async def begin(self) -> None:
        """Empty the tables."""
        for table in TABLES:
            self._connection.execute(f"DELETE FROM {table}")

    async def set_time(self, moment: datetime) -> None:
        """Set the clock."""
        self._clock.moment = moment

    async def rows(self) -> dict[int, dict[str, Any]]:
        """Return all jobs."""
        found = [dict(row) for row in self._connection.execute("SELECT * FROM oban_jobs")]
        for row in found:
            row.update({name: json.loads(row[name]) for name in _JSON if row[name] is not None})
        return {row["id"]: _in_form(row) for row in found}

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.close()
        self._connection.close()


def _in_form(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that the model has, as it has them."""
    kept = {name: row[name] for name in _COLUMNS}
    for name in _TIMES:
        kept[name] = None if row[name] is None else _time(row[name])
    kept["errors"] = [{**error, "at": _time(error["at"]).isoformat()} for error in row["errors"]]
    return kept


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
