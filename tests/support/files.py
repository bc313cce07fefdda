"""A SQLite file of jobs, looked at beside Staffa, as another program does it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from staffa.client.backend import make_migrator
from tests.support.events import TIMEOUT_SECONDS, eventually

_MIGRATED: list[bytes] = []
_JSON = ("args", "meta", "tags", "errors", "attempted_by")


async def make_file(path: Path) -> None:
    """Make a migrated file: a copy of the first one, which is far quicker than migrating."""
    if not _MIGRATED:
        await make_migrator(f"sqlite:///{path}", "public").up()
        _MIGRATED.append(await asyncio.to_thread(path.read_bytes))
    await asyncio.to_thread(path.write_bytes, _MIGRATED[0])


class JobsFile:
    """What a test asks of a file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def dsn(self) -> str:
        """The DSN of the file."""
        return f"sqlite:///{self.path}"

    def query(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Run a statement on a connection of its own, and return the rows."""
        with closing(sqlite3.connect(self.path, timeout=30)) as raw, raw:
            raw.row_factory = sqlite3.Row
            return [dict(row) for row in raw.execute(sql, params)]

    def get(self, number: int | None) -> dict[str, Any]:
        """Return a job's row, JSON decoded; an empty one if there is none."""
        found = self.query("SELECT * FROM oban_jobs WHERE id = ?", number)
        return {
            name: json.loads(value) if name in _JSON and value is not None else value
            for row in found
            for name, value in row.items()
        }

    def count(self) -> Counter[str]:
        """Return how many jobs there are of each state."""
        found = self.query("SELECT state, count(*) AS count FROM oban_jobs GROUP BY state")
        return Counter({row["state"]: row["count"] for row in found})

    def nodes(self) -> Counter[str]:
        """Return how many jobs each process has claimed last."""
        found = self.query(
            "SELECT json_extract(attempted_by, '$[1]') AS uuid, count(*) AS count FROM oban_jobs"
            " WHERE attempted_by IS NOT NULL GROUP BY 1"
        )
        return Counter({row["uuid"]: row["count"] for row in found})

    def leftovers(self) -> list[str]:
        """Return what lies beside the file that belongs to it."""
        found = self.path.parent.glob(f"{self.path.name}-*")
        return [path.name for path in found]

    async def until(
        self, number: int | None, state: str, within: float = TIMEOUT_SECONDS
    ) -> dict[str, Any]:
        """Return a job's row once it is in a state."""
        await eventually(
            lambda: self.get(number).get("state") == state, f"job {number} {state}", within
        )
        return self.get(number)

    async def until_count(self, within: float = TIMEOUT_SECONDS, **wanted: int) -> None:
        """Wait until the jobs of all states are these and no others."""
        await eventually(lambda: dict(self.count()) == wanted, f"the states {wanted}", within)

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """Hold the file, so that nobody else can write."""
        with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as raw:
            raw.execute("BEGIN IMMEDIATE")
            try:
                yield raw
            finally:
                raw.execute("ROLLBACK")
