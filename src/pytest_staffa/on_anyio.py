"""Ends the clients of tests that anyio runs, on the loop of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from staffa import Staffa


@pytest.fixture
async def _staffa_ending_anyio(anyio_backend: object) -> AsyncIterator[list[Staffa]]:
    opened: list[Staffa] = []
    yield opened
    for app in opened:
        await app.stop()
