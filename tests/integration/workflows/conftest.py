"""Clients on both engines: what a workflow does is the same on each."""

from __future__ import annotations

import pytest

from tests.conftest import MakeClient


@pytest.fixture
def make_client(make: MakeClient) -> MakeClient:
    """Makes clients on a database of either kind, each stopped at the end."""
    return make
