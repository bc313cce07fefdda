"""The life of jobs on each engine, compared with a model of a few lines; see `machine`.

Each run takes other ways. ``STAFFA_MODEL_EXAMPLES=5000`` makes a long one, of some half an hour; what
fails is printed as the steps that lead there, and is tried first by the next run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine
from tests.model.worlds import BEGIN, PostgresWorld, SqliteWorld, World
from tests.support.clocks import ServerClock
from tests.support.database import create_database, drop_database

PHASES = [p for p in Phase if p is not Phase.shrink] if os.environ.get("NOSHRINK") else list(Phase)
EXAMPLES = int(os.environ.get("STAFFA_MODEL_EXAMPLES", "30"))


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
    runner.run(clock.install())
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


@pytest.mark.parametrize("name", ["postgres", "sqlite"])
def test_whatever_happens_to_jobs_the_engine_does_what_the_model_says(
    name: str, runner: asyncio.Runner, request: pytest.FixtureRequest
) -> None:
    made: World = request.getfixturevalue(name)

    class OnThisEngine(Machine):
        run = runner.run
        world = made

    run_state_machine_as_test(
        OnThisEngine,
        settings=settings(
            phases=PHASES,
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
