"""Fixtures of the tests beside other implementations, on schemas whose names need no quotes."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from staffa.client.backend import make_migrator
from tests.support.oban_peer import ObanPeer, oban_peer
from tests.support.rows import Rows

RUNS = "CREATE TABLE {prefix}.runs (job_id bigint, side text, at timestamptz DEFAULT now())"


@pytest.fixture
async def prefix(dsn: str, connection: asyncpg.Connection) -> AsyncIterator[str]:
    """A migrated schema of this test alone, with a table in which jobs note that they ran."""
    name = f"peers_{uuid.uuid4().hex[:8]}"
    await make_migrator(dsn, name).up()
    await connection.execute(RUNS.format(prefix=name))
    yield name
    await connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def rows(connection: asyncpg.Connection, prefix: str) -> Rows:
    """The tables, beside Staffa."""
    return Rows(connection, prefix)


@pytest.fixture
async def peer(dsn: str, prefix: str, tmp_path: Path) -> AsyncIterator[ObanPeer]:
    """A running client of the Python package `oban` on our tables, whose queue is `theirs`."""
    queues = {"theirs": 5}
    async with oban_peer(dsn, prefix, tmp_path / "peer.log", queues=queues) as made:
        await made.install()
        await made.start()
        yield made
