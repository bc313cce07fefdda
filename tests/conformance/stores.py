"""The places that engines are tested on: what a test may do there beside an engine.

One more engine joins the suite as a class here and a parameter of the fixture `store`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from staffa._internal import json
from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engine import Engine
from staffa.engines.postgres import PostgresEngine
from tests.support.foreign_schemas import PYTHON
from tests.support.schemas import Schemas

DATA = Path(__file__).parent / "data"


class Store(Protocol):
    """A migrated, empty place for jobs."""

    def engine(self) -> Engine:
        """Return one more engine on it, as one more process would have it."""

    async def row(self, job_id: int | None) -> dict[str, Any]:
        """Return the columns of a job as JSON has them, whatever an engine makes of them."""

    async def write(self, job_id: int | None, **columns: Any) -> None:
        """Overwrite columns of a job, as another client could; values are those of JSON."""

    async def delete(self, job_id: int | None) -> None:
        """Delete a job's row."""

    async def rows(self) -> list[dict[str, Any]]:
        """Return the columns of all jobs."""

    async def flow(self, flow: str) -> dict[str, Any]:
        """Return the columns of a flow."""

    async def flows(self) -> list[dict[str, Any]]:
        """Return the columns of all flows."""

    async def raise_flow(self, flow: str, *columns: str, by: int = 1) -> None:
        """Raise counts of a flow."""

    async def suspend(self, numbers: Sequence[int]) -> None:
        """Suspend jobs."""

    async def age_flows(self, checked_at: datetime) -> None:
        """Have all flows been looked at last at a time."""

    async def insert_many(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows of one of our tables that have the same columns."""

    async def enlist(self, numbers: Sequence[int], *flows: str) -> None:
        """Note that jobs belong to each of the flows, where that is not found by their rows."""

    def holding(self, root: str) -> AbstractAsyncContextManager[Any]:
        """Hold the row of a root in a transaction, where rows can be held."""

    async def insert(self, table: str, **columns: Any) -> None:
        """Write a row of one of our tables; values are those of JSON."""

    async def select(self, table: str) -> list[dict[str, Any]]:
        """Return the columns of all rows of one of our tables."""

    async def write_cron(self, name: str, **columns: Any) -> None:
        """Overwrite columns of an entry of cron; values are those of JSON."""

    async def write_producer(self, uuid: UUID, **columns: Any) -> None:
        """Overwrite columns of a producer; values are those of JSON."""

    async def producers(self) -> set[str]:
        """Return the uuids of the producers that are known."""

    async def now(self) -> datetime:
        """Return the time on the store's clock."""

    past_times: Sequence[str]
    """Texts of columns of time that are beyond what Python can tell, or no time: long past."""

    future_times: Sequence[str]
    """The same, far ahead."""

    connection: Any
    """A connection of the test's own, of the library for it."""

    @property
    def limits_names(self) -> bool:
        """Whether the table refuses names that are too long."""

    async def open(self) -> None:
        """Make the place."""

    async def close(self) -> None:
        """Close the engines and whatever else is open."""


class PostgresStore:
    """A schema of a PostgreSQL database.

    Args:
        schemas: Where its schema comes from.
        way: Where engines connect, if not to the database directly.
    """

    past_times: Sequence[str] = ("-infinity", "4000-01-01 BC", "0044-03-15 BC")
    future_times: Sequence[str] = ("infinity", "20000-01-01", "12345-01-01")

    def __init__(self, schemas: Schemas, way: str | None = None) -> None:
        self._schemas = schemas
        self._way = way or schemas.dsn
        self._prefix = ""
        self._engines: list[Engine] = []
        self.connection: asyncpg.Connection

    @property
    def limits_names(self) -> bool:
        """Whether it is not a table of Python's oban, which does not."""
        return self._schemas.maker != PYTHON

    async def open(self) -> None:
        """Take the schema."""
        self._prefix = await self._schemas.take()
        self.connection = await asyncpg.connect(self._schemas.dsn)

    def engine(self) -> Engine:
        """Return one more engine."""
        self._engines.append(PostgresEngine(ConnectionSettings(self._way), self._prefix, 5))
        return self._engines[-1]

    @property
    def _table(self) -> str:
        return f"{quote_identifier(self._prefix)}.oban_jobs"

    async def row(self, job_id: int | None) -> dict[str, Any]:
        """Return the columns of a job."""
        found = await self.connection.fetchval(
            f"SELECT to_jsonb(job)::text FROM {self._table} AS job WHERE id = $1", job_id
        )
        row: dict[str, Any] = json.loads(found)
        if (
            self._schemas.maker == PYTHON
        ):  # whose column must not be null: nobody is told by an empty array
            row["attempted_by"] = row["attempted_by"] or None
        return row

    async def write(self, job_id: int | None, **columns: Any) -> None:
        """Overwrite columns of a job."""
        if self._schemas.maker == PYTHON and "attempted_by" in columns:  # as `row` reads it
            columns["attempted_by"] = columns["attempted_by"] or []
        names = ", ".join(columns)
        await self.connection.execute(
            f"UPDATE {self._table} AS job SET ({names}) = (SELECT {names} FROM "
            f"jsonb_populate_record(job, $2::text::jsonb)) WHERE id = $1",
            job_id,
            json.dumps({name: _plain(value) for name, value in columns.items()}),
        )

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
        await self.connection.execute(
            f"UPDATE {self._table} SET state = 'suspended' WHERE id = ANY ($1)", list(numbers)
        )

    async def age_flows(self, checked_at: datetime) -> None:
        """Have all flows been looked at last at a time."""
        await self.connection.execute(
            f"UPDATE {quote_identifier(self._prefix)}.staffa_flows SET checked_at = $1",
            checked_at.astimezone(UTC).replace(tzinfo=None),
        )

    @asynccontextmanager
    async def holding(self, root: str) -> AsyncIterator[Any]:
        """Hold the row of a root in a transaction."""
        async with self.connection.transaction():
            await self.connection.execute(
                f"SELECT FROM {quote_identifier(self._prefix)}.staffa_flows WHERE id = $1 "
                "FOR UPDATE",
                root,
            )
            yield

    @asynccontextmanager
    async def holding_step(self, job: int) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        """Hold the row of a step in a transaction; yield what returns once so many wait for it."""

        async def waiters(count: int) -> None:
            while True:
                await self.connection.execute("SELECT pg_stat_clear_snapshot()")
                found = await self.connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                    "AND datname = current_database()"
                )
                if found >= count:
                    return
                await asyncio.sleep(0.01)

        async with self.connection.transaction():
            await self.connection.execute(
                f"SELECT FROM {quote_identifier(self._prefix)}.staffa_steps WHERE job_id = $1 "
                "FOR UPDATE",
                job,
            )
            async with asyncio.timeout(30):
                yield waiters

    async def raise_flow(self, flow: str, *columns: str, by: int = 1) -> None:
        """Raise counts of a flow."""
        changes = ", ".join(f"{name} = {name} + {by}" for name in columns)
        await self.connection.execute(
            f"UPDATE {quote_identifier(self._prefix)}.staffa_flows SET {changes}, "
            "finished_at = NULL WHERE id = $1",
            flow,
        )

    async def insert(self, table: str, **columns: Any) -> None:
        """Write a row of one of our tables."""
        await self.insert_many(table, [columns])

    async def insert_many(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows of one of our tables that have the same columns."""
        if not rows:
            return
        names = ", ".join(rows[0])
        name = f"{quote_identifier(self._prefix)}.{table}"
        given = [{key: _plain(value) for key, value in row.items()} for row in rows]
        await self.connection.execute(
            f"INSERT INTO {name} ({names}) "
            f"SELECT {names} FROM jsonb_populate_recordset(null::{name}, $1::text::jsonb)",
            json.dumps(given),
        )

    async def enlist(self, numbers: Sequence[int], *flows: str) -> None:
        """Note that jobs belong to each of the flows."""
        rows = [{"flow": flow, "job_id": number} for flow in flows for number in numbers]
        await self.insert_many("staffa_members", rows)

    async def select(self, table: str) -> list[dict[str, Any]]:
        """Return the columns of all rows of one of our tables."""
        name = f"{quote_identifier(self._prefix)}.{table}"
        found = await self.connection.fetch(f"SELECT to_jsonb(one)::text AS row FROM {name} AS one")
        return [json.loads(record["row"]) for record in found]

    async def write_cron(self, name: str, **columns: Any) -> None:
        """Overwrite columns of an entry of cron."""
        await self._overwrite("staffa_crons", "name = $1", name, columns)

    async def write_producer(self, uuid: UUID, **columns: Any) -> None:
        """Overwrite columns of a producer."""
        await self._overwrite("staffa_producers", "uuid = $1::text::uuid", str(uuid), columns)

    async def _overwrite(self, table: str, which: str, key: str, columns: dict[str, Any]) -> None:
        names = ", ".join(columns)
        await self.connection.execute(
            f"UPDATE {quote_identifier(self._prefix)}.{table} AS row SET ({names}) = "
            f"(SELECT {names} FROM jsonb_populate_record(row, $2::text::jsonb)) WHERE {which}",
            key,
            json.dumps({name: _plain(value) for name, value in columns.items()}),
        )

    async def delete(self, job_id: int | None) -> None:
        """Delete a job's row."""
        await self.connection.execute(f"DELETE FROM {self._table} WHERE id = $1", job_id)

    async def producers(self) -> set[str]:
        """Return the uuids of the producers."""
        table = f"{quote_identifier(self._prefix)}.staffa_producers"
        rows: list[Mapping[str, Any]] = list(
            map(dict, await self.connection.fetch(f"SELECT uuid::text AS uuid FROM {table}"))
        )
        return {row["uuid"] for row in rows}

    async def now(self) -> datetime:
        """Return the server's time."""
        found: datetime = await self.connection.fetchval("SELECT clock_timestamp()")
        return found

    async def close(self) -> None:
        """Close the engines and the connection, and give the schema back."""
        for engine in self._engines:
            await engine.close()
        await self.connection.close()
        self._schemas.give_back(self._prefix)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; times as the columns have them, in UTC without a zone."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return value
