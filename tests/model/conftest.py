"""Fixtures of the model: an event loop, and the engines on clocks that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model.worlds import BEGIN, ZONE, PostgresWorld, SqliteWorld, World
from tests.support.clocks import ServerClock
from tests.support.database import create_database, drop_database


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for all steps."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def postgres(runner: asyncio.Runner, server_dsn: str) -> Iterator[World]:
    """A database whose clock can be set."""
    dsn = runner.run(create_database(server_dsn))
    clock = ServerClock(dsn)
    runner.run(clock.install(ZONE))
    runner.run(clock.stop_at(BEGIN))
    world = PostgresWorld(dsn, 'Jobs "of a model"', clock)
    runner.run(world.open())
    yield world
    runner.run(world.close())
    runner.run(clock.close())
    runner.run(drop_database(server_dsn, dsn))


@pytest.fixture
def sqlite(runner: asyncio.Runner, tmp_path: Path) -> Iterator[World]:
    """A file on a clock that can be set."""
    world = SqliteWorld(tmp_path / "jobs of a model.db")
    runner.run(world.open())
    yield world
    runner.run(world.close())


@pytest.fixture(params=["postgres", "sqlite"])
def world(request: pytest.FixtureRequest) -> World:
    """Each engine in turn."""
    found: World = request.getfixturevalue(request.param)
    return found
