"""Clients of these tests: on a server, and on a file without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from staffa import Staffa
from tests.conftest import MakeClient

OPTIONS: dict[str, Any] = {"testing": "manual", "encryption_keys": {"k1": b"k" * 32}}


@pytest.fixture
def server_app(make_client: MakeClient) -> Staffa:
    """A client on a server."""
    return make_client(**OPTIONS)


@pytest.fixture
async def file_app() -> AsyncIterator[Staffa]:
    """A client on a temporary file."""
    app = Staffa("sqlite://", **OPTIONS)
    yield app
    await app.stop()


@pytest.fixture(params=["server", "file"])
def app(request: pytest.FixtureRequest) -> Staffa:
    """A client on each of them in turn."""
    found: Staffa = request.getfixturevalue(f"{request.param}_app")
    return found
