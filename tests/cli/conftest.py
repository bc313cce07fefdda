"""The program on the test's own schema."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.program import Program
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
