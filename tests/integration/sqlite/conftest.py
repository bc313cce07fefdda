"""Fixtures of tests on SQLite files: clients, processes, what is in the file."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from staffa import Staffa
from tests.conftest import QUICK, MakeClient
from tests.support.app import PROMPT
from tests.support.files import JobsFile, make_file
from tests.support.processes import Spawn, WorkerProcess


@pytest.fixture
async def file(tmp_path: Path) -> JobsFile:
    """A migrated file."""
    made = JobsFile(tmp_path / "jobs of a test.db")
    await make_file(made.path)
    return made


@pytest.fixture
async def make_client(file: JobsFile) -> AsyncIterator[MakeClient]:
    """Makes clients on the test's file, each stopped at the end."""
    made: list[Staffa] = []

    def make(dsn: str | None = None, **options: Any) -> Staffa:
        options = {"name": f"test-{uuid.uuid4().hex[:8]}", **QUICK, **options}
        made.append(Staffa(dsn or file.dsn, **options))
        return made[-1]

    yield make
    for client in made:
        await client.stop(grace=0)


@pytest.fixture
def spawn(file: JobsFile, tmp_path: Path) -> Iterator[Spawn]:
    """Starts worker processes on the test's file, each ended with the test."""
    made: list[WorkerProcess] = []

    def start(**options: Any) -> WorkerProcess:
        log = tmp_path / f"process-{len(made)}.log"
        made.append(WorkerProcess(file.dsn, "public", log, **{**PROMPT, **options}))
        return made[-1]

    yield start
    for process in made:
        process.kill()
