"""A SQLite file that engines are tested on, and what a test may do there beside an engine."""

from __future__ import annotations

import json as plain_json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from staffa._internal import json
from staffa.drivers.sqlite import FileSettings
from staffa.engine import Engine
from staffa.engines.sqlite import SqliteEngine
from staffa.engines.sqlite.functions import install
from tests.support.files import make_file

_JSON = frozenset(
    {"args", "meta", "tags", "errors", "attempted_by", "configured"}
    | {"options", "callbacks", "needs", "fired", "fields", "cursors", "sweep"}
)


class SqliteStore:
    """A file with tables.

    Args:
        path: The file.
        durable: Whether commits are on the disk when they return.
    """

    past_times: Sequence[str] = ("-infinity", "0000-00-00 00:00:00", "1999-99-99 99:99:99.000000")
    future_times: Sequence[str] = ("infinity", "garbage", "9999-99-99 99:99:99.999999")

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.path = path
        self._durable = durable
        self._engines: list[SqliteEngine] = []
        self.connection: sqlite3.Connection

    @property
    def limits_names(self) -> bool:
        """Whether the table refuses names that are too long: it does."""
        return True

    async def open(self) -> None:
        """Make the file."""
        await make_file(self.path)
        self.connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.row_factory = sqlite3.Row

    def engine(self) -> Engine:
        """Return one more engine."""
        settings = FileSettings(self.path, install, durable=self._durable)
        self._engines.append(SqliteEngine(settings))
        return self._engines[-1]

    async def row(self, job_id: int | None) -> dict[str, Any]:
        """Return the columns of a job."""
        found = self.connection.execute("SELECT * FROM oban_jobs WHERE id = ?", (job_id,))
        return {name: _from_column(name, value) for name, value in dict(found.fetchone()).items()}

    async def write(self, job_id: int | None, **columns: Any) -> None:
        """Overwrite columns of a job."""
        self._overwrite("oban_jobs", "id", job_id, columns)

    async def rows(self) -> list[dict[str, Any]]:
        """Return the columns of all jobs."""
        return await self.select("oban_jobs")

    async def flow(self, flow: str) -> dict[str, Any]:
        """Return the columns of a flow."""
        (found,) = [row for row in await self.flows() if row["id"] == flow]
        return found

    async def flows(self) -> list[dict[str, Any]]:
        """Return the columns of all flows."""
        return await self.select("staffa_flows")

    async def suspend(self, numbers: Sequence[int]) -> None:
        """Suspend jobs."""
        self.connection.executemany(
            "UPDATE oban_jobs SET state = 'suspended' WHERE id = ?", [(one,) for one in numbers]
        )

    async def age_flows(self, checked_at: datetime) -> None:
        """Have all flows been looked at last at a time."""
        self.connection.execute(
            "UPDATE staffa_flows SET checked_at = ?", (_to_column("checked_at", checked_at),)
        )

    @asynccontextmanager
    async def holding(self, root: str) -> AsyncIterator[Any]:
        """Refuse: a file has one writer."""
        raise NotImplementedError("a file has one writer")
        yield  # type: ignore[unreachable]  # makes it a context manager

    async def raise_flow(self, flow: str, *columns: str, by: int = 1) -> None:
        """Raise counts of a flow."""
        changes = ", ".join(f"{name} = {name} + {by}" for name in columns)
        self.connection.execute(
            f"UPDATE staffa_flows SET {changes}, finished_at = NULL WHERE id = ?", (flow,)
        )

    async def insert(self, table: str, **columns: Any) -> None:
        """Write a row of one of our tables."""
        if table == "staffa_flows":
            now = datetime.now(UTC)
            columns = {"inserted_at": now, "checked_at": now, **columns}
        await self.insert_many(table, [columns])

    async def insert_many(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows of one of our tables that have the same columns."""
        if not rows:
            return
        marks = ", ".join("?" for _ in rows[0])
        values = [[_to_column(name, given) for name, given in row.items()] for row in rows]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(
            f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({marks})", values
        )
        self.connection.execute("COMMIT")

    async def enlist(self, numbers: Sequence[int], *flows: str) -> None:
        """Note nothing: an index finds them."""

    async def select(self, table: str) -> list[dict[str, Any]]:
        """Return the columns of all rows of one of our tables."""
        found = self.connection.execute(f"SELECT * FROM {table}").fetchall()
        return [
            {name: _from_column(name, value) for name, value in dict(row).items()} for row in found
        ]

    async def write_cron(self, name: str, **columns: Any) -> None:
        """Overwrite columns of an entry of cron."""
        self._overwrite("staffa_crons", "name", name, columns)

    async def write_producer(self, uuid: UUID, **columns: Any) -> None:
        """Overwrite columns of a producer."""
        self._overwrite("staffa_producers", "uuid", str(uuid), columns)

    def _overwrite(self, table: str, key: str, value: Any, columns: dict[str, Any]) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        values = [_to_column(name, given) for name, given in columns.items()]
        self.connection.execute(f"UPDATE {table} SET {names} WHERE {key} = ?", (*values, value))

    async def delete(self, job_id: int | None) -> None:
        """Delete a job's row."""
        self.connection.execute("DELETE FROM oban_jobs WHERE id = ?", (job_id,))

    async def producers(self) -> set[str]:
        """Return the uuids of the producers."""
        return {row["uuid"] for row in self.connection.execute("SELECT uuid FROM staffa_producers")}

    async def now(self) -> datetime:
        """Return the machine's time."""
        return datetime.now(UTC)

    async def close(self) -> None:
        """Close the engines and the connection."""
        for engine in self._engines:
            await engine.close()
        self.connection.close()


def _from_column(name: str, value: Any) -> Any:
    """Return a value as JSON has it, with times written as PostgreSQL writes them there."""
    if value is None:
        return None
    if name in _JSON:
        return json.loads(value)
    if name.endswith("_at"):
        return datetime.fromisoformat(value).isoformat()
    return value


def _to_column(name: str, value: Any) -> Any:
    """Return a value of JSON as the column has it."""
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None)
        return naive.isoformat(sep=" ", timespec="microseconds")
    if name in _JSON:
        return None if value is None and name == "attempted_by" else plain_json.dumps(value)
    return value
