"""Statements that are made one after the other, each of the results of those before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from staffa.engine import Statement

T = TypeVar("T")

Steps = Generator[Statement[Any], Any, T]
"""Yields statements, is sent their results, and returns what came of it."""


async def carry_out(steps: Steps[T], run: Callable[[Statement[Any]], Awaitable[Any]]) -> T:
    """Run all statements, and return what came of it."""
    result: Any = None
    while True:
        try:
            statement = steps.send(result)
        except StopIteration as end:
            returned: T = end.value
            return returned
        result = await run(statement)


def carry_out_sync(steps: Steps[T], run: Callable[[Statement[Any]], Any]) -> T:
    """Do the same without an event loop."""
    result: Any = None
    while True:
        try:
            statement = steps.send(result)
        except StopIteration as end:
            returned: T = end.value
            return returned
        result = run(statement)
