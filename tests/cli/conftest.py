"""The program on the test's own schema."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from staffa.config import Config
from tests.support.program import Place, Program
from tests.support.rows import Rows
from tests.support.terminal import Terminal


@pytest.fixture
def program(dsn: str, prefix: str, tmp_path: Path) -> Program:
    """The program on a migrated schema."""
    return Program(tmp_path, STAFFA_DSN=dsn, STAFFA_PREFIX=prefix)


@pytest.fixture
def bare_program(dsn: str, empty_prefix: str, tmp_path: Path) -> Program:
    """The program on a schema that does not exist yet."""
    return Program(tmp_path, STAFFA_DSN=dsn, STAFFA_PREFIX=empty_prefix)


@pytest.fixture(params=["postgres", "sqlite"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, dsn: str, prefix: str) -> Place:
    """The program on either kind of database, and what leads to its tables."""
    if request.param == "sqlite":
        file = f"sqlite:///{tmp_path}/jobs.db"
        program = Program(tmp_path, STAFFA_DSN=file)
        assert (await program.run("migrate", "up")).code == 0
        return program, Config(dsn=file)
    return Program(tmp_path, STAFFA_DSN=dsn, STAFFA_PREFIX=prefix), Config(dsn=dsn, prefix=prefix)


@pytest.fixture
async def terminal() -> AsyncIterator[Terminal]:
    """A terminal."""
    made = Terminal()
    yield made
    made.close()


@pytest.fixture
def rows(connection: asyncpg.Connection, prefix: str) -> Rows:
    """The rows of the schema."""
    return Rows(connection, prefix)
