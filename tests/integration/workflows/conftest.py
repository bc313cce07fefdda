"""Clients on both engines: what a workflow does is the same on each."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from staffa import Staffa
from tests.conftest import QUICK, MakeClient
from tests.support.files import JobsFile, make_file


@pytest.fixture(params=["postgres", "sqlite"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """The engine of the test."""
    name: str = request.param
    return name


@pytest.fixture
async def make_client(
    engine_name: str, dsn: str, prefix: str, tmp_path: Path
) -> AsyncIterator[MakeClient]:
    """Makes clients on the test's schema or file, each stopped at the end."""
    made: list[Staffa] = []
    file = JobsFile(tmp_path / "jobs.db")
    if engine_name == "sqlite":
        await make_file(file.path)

    def make(**options: Any) -> Staffa:
        where: dict[str, Any] = {"dsn": dsn, "prefix": prefix}
        if engine_name == "sqlite":
            where = {"dsn": file.dsn}
        name = f"test-{uuid.uuid4().hex[:8]}"
        made.append(Staffa(**{"name": name, **where, **QUICK, **options}))
        return made[-1]

    yield make
    for client in made:
        await client.stop(grace=0)
