"""Fixtures of the tests of migrations: a migrator of a schema that does not exist yet."""

from __future__ import annotations

import pytest

from staffa.client.backend import make_migrator
from staffa.migrate import Migrator


@pytest.fixture
def migrator(dsn: str, empty_prefix: str) -> Migrator:
    """The migrations of the engine."""
    return make_migrator(dsn, empty_prefix)
