"""Clients on either kind of database, for tests of what has to work on both."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from staffa import Job, Staffa
from tests.conftest import QUICK
from tests.support.events import eventually
from tests.support.files import JobsFile, make_file

KINDS = ("postgres", "sqlite")


def make_place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return a migrated database, as a client takes it; called where no loop runs."""
    if kind == "sqlite":
        path = tmp_path / "jobs.db"
        asyncio.run(make_file(path))
        return {"dsn": JobsFile(path).dsn}
    return {"dsn": request.getfixturevalue("dsn"), "prefix": request.getfixturevalue("prefix")}


class Clients:
    """Makes clients on a database.

    Args:
        place: What `make_place` returned.
    """

    def __init__(self, place: dict[str, Any]) -> None:
        self._place = place
        self._made: list[Staffa] = []

    def __call__(self, **options: Any) -> Staffa:
        options = {"name": f"test-{uuid.uuid4().hex[:8]}", **QUICK, **self._place, **options}
        self._made.append(Staffa(options.pop("dsn"), **options))
        return self._made[-1]

    async def stop(self) -> None:
        """Stop all of them."""
        for client in self._made:
            await client.stop(grace=0)


async def until(app: Staffa, stored: Job, state: str) -> Job:
    """Return a job once it is in a state."""
    found: list[Job] = []

    async def there() -> bool:
        now = await app.get_job(stored)
        assert now is not None
        found.append(now)
        return now.state == state

    await eventually(there, f"job {stored.id} {state}")
    return found[-1]


async def until_awaiting(app: Staffa, stored: Job, signal: str = "signal") -> None:
    """Return once a running job has noted that it awaits a signal."""

    async def noted() -> bool:
        found = await app.get_job(stored)
        return found is not None and signal in found.meta.get("staffa_awaits", {})

    await eventually(noted, f"job {stored.id} to wait")
