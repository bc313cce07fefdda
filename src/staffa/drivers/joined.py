"""A pool in name only: everything runs on one connection of the user's, in its open transaction.

So an engine sees what the transaction has written and nobody else does: what a test needs that
rolls back at its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from staffa.drivers.asyncpg import Pool, Run
from staffa.drivers.connections import run_on
from staffa.engine import Statement, Statements

T = TypeVar("T")


class Joined(Pool):
    """Runs statements on a connection that is not ours.

    Args:
        connection: Of any library that is known.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, statement: Statement[T]) -> T:
        """Run a statement."""
        return await run_on(self._connection, Statements.of(statement))

    async def run_together(self, statements: Statements[T]) -> T:
        """Run statements; none is repeated: a transaction that lost is not ours to repeat."""
        return await run_on(self._connection, statements)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        """Lend what runs statements in the user's transaction."""
        yield self.run

    async def close(self) -> None:
        """Leave the connection to the user."""
