"""Fixtures of the guards of plans: a migrated schema whose statistics change only when told to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from staffa.drivers.asyncpg import ConnectionSettings
from tests.plans.tables import stop_autovacuum
from tests.support.schemas import Schemas


@pytest.fixture
async def prefix(schemas: Schemas) -> AsyncIterator[str]:
    """A schema that is new: emptied ones keep the statistics of what other tests have written."""
    name = await schemas.make()
    yield name
    schemas.drop(name)


@pytest.fixture
async def planner(dsn: str, prefix: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the settings of the engine's own."""
    connection = await ConnectionSettings(dsn).connect()
    await stop_autovacuum(connection, prefix)
    yield connection
    await connection.close()
