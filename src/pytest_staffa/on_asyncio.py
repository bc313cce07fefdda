"""Ends the clients of tests that pytest-asyncio runs, each on the loop of its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest_asyncio

if TYPE_CHECKING:
    from staffa import Staffa


def _on(scope: Any) -> Any:
    @pytest_asyncio.fixture(loop_scope=scope, name=f"_staffa_ending_asyncio_{scope}")
    async def ending() -> AsyncIterator[list[Staffa]]:  # one for each: it is marked by the scope
        opened: list[Staffa] = []
        yield opened
        for app in opened:
            await app.stop()

    return ending


on_function = _on("function")
on_class = _on("class")
on_module = _on("module")
on_package = _on("package")
on_session = _on("session")
