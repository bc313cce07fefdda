"""The rows of a test's schema, read and written beside Staffa, as another program does it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import asyncpg

from staffa._internal.identifiers import quote_identifier
from tests.support.events import TIMEOUT_SECONDS, eventually

_OURS = "FROM pg_stat_activity WHERE application_name = 'staffa' AND datname = current_database()"

Heard = list[str]
"""The queues that were notified of, in that order."""

_TYPES = {
    "args": "jsonb",
    "meta": "jsonb",
    "tags": "text[]",
    "attempted_by": "text[]",
    "errors": "jsonb[]",
    "priority": "int",
    "attempt": "int",
    "max_attempts": "int",
}


class Rows:
    """What a test asks of the tables.

    Args:
        connection: A connection that nothing else uses.
        prefix: The schema.
    """

    def __init__(self, connection: asyncpg.Connection, prefix: str) -> None:
        self.connection = connection
        self.prefix = prefix
        self.jobs = f"{quote_identifier(prefix)}.oban_jobs"
        self.producers = f"{quote_identifier(prefix)}.staffa_producers"
        self.leaders = f"{quote_identifier(prefix)}.staffa_leaders"
        self.queues = f"{quote_identifier(prefix)}.staffa_queues"
        self._others: set[int] = set()

    async def get(self, number: int | None) -> dict[str, Any]:
        """Return a job's row, JSON decoded where Python can; an empty one if there is none."""
        found = await self.connection.fetchrow(f"SELECT * FROM {self.jobs} WHERE id = $1", number)
        if found is None:
            return {}
        row = dict(found)
        for column in ("args", "meta"):
            row[column] = _loads(row[column])
        row["errors"] = [json.loads(error) for error in row["errors"]]
        return row

    async def errors(self, number: int | None) -> list[str]:
        """Return the texts of a job's errors."""
        return [error["error"] for error in (await self.get(number))["errors"]]

    async def insert(self, **columns: Any) -> int:
        """Insert a job by plain SQL, its values as text where they are text."""
        names = ", ".join(columns)
        marks = ", ".join(
            f"${place}::text::{self._type(name)}" for place, name in enumerate(columns, start=1)
        )
        statement = f"INSERT INTO {self.jobs} ({names}) VALUES ({marks}) RETURNING id"
        return int(await self.connection.fetchval(statement, *map(str, columns.values())))

    async def count(self) -> Counter[str]:
        """Return how many jobs there are of each state."""
        found = await self.connection.fetch(
            f"SELECT state::text AS state, count(*) AS count FROM {self.jobs} GROUP BY 1"
        )
        return Counter({row["state"]: row["count"] for row in found})

    async def until(
        self, number: int | None, state: str, within: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Return a job's row once it is in a state."""

        async def there() -> bool:
            return (await self.get(number)).get("state") == state

        try:
            await eventually(there, f"job {number} in state {state}", within)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {await self.get(number)}") from None
        return await self.get(number)

    async def until_count(self, **wanted: int) -> None:
        """Wait until the jobs of all states are these and no others, as long as that comes nearer.

        How long that takes depends on the machine alone; that nothing comes of it does not.
        """
        best = -1
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + TIMEOUT_SECONDS
        while True:
            began = loop.time()
            found = await self.count()
            if dict(found) == wanted:
                return
            near = sum(min(found[state], count) for state, count in wanted.items())
            if near > best:
                best, patient_until = near, loop.time() + TIMEOUT_SECONDS
            elif loop.time() > patient_until:
                raise AssertionError(f"waited in vain for the states {wanted}; there are {found}")
            await asyncio.sleep(max(loop.time() - began, 0.005))  # it must not slow down the others

    async def beats(self) -> int:
        """Return how many heartbeats there were."""
        return int(await self.connection.fetchval(f"SELECT sum(beats) FROM {self.producers}"))

    async def producer_count(self) -> int:
        """Return how many producers are known."""
        return int(await self.connection.fetchval(f"SELECT count(*) FROM {self.producers}"))

    async def leave_out_others(self) -> None:
        """Take no note of connections that are there now: those of earlier tests may still be."""
        self._others = await self.backends()

    async def connection_count(self) -> int:
        """Return how many connections Staffa has to this database."""
        return len(await self.backends())

    async def backends(self) -> set[int]:
        """Return the server's processes that serve Staffa in this database."""
        found = await self.connection.fetch(f"SELECT pid {_OURS}")
        return {row["pid"] for row in found} - self._others

    async def terminate(self) -> int:
        """End Staffa's connections to this database, and return how many."""
        return int(
            await self.connection.fetchval(f"SELECT count(pg_terminate_backend(pid)) {_OURS}")
        )

    async def notify(self, channel: str, payload: str) -> None:
        """Send a notification as a peer does."""
        await self.connection.execute(
            "SELECT pg_notify($1, $2)", f"{self.prefix}.oban_{channel}", payload
        )

    def _type(self, column: str) -> str:
        if column == "state":
            return f"{quote_identifier(self.prefix)}.oban_job_state"
        if column.endswith("_at"):
            return "timestamp"
        return _TYPES.get(column, "text")


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
