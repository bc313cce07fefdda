"""A pool in name only: everything runs on one connection of the user's, in its open transaction.

So an engine sees what the transaction has written and nobody else does: what a test needs that
rolls back at its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from staffa.drivers.asyncpg_pool import Pool, Run
from staffa.engine import Statement, Statements
from staffa.rehearsal import Execute

T = TypeVar("T")


class Joined(Pool):
    """Runs statements on a connection that is not ours.

    Args:
        execute: Runs statements there.
    """

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    async def run(self, statement: Statement[T]) -> T:
        """Run a statement."""
        result: T = await self._execute(Statements.of(statement))
        return result

    async def run_together(self, statements: Statements[T]) -> T:
        """Run statements; none is repeated: a transaction that lost is not ours to repeat."""
        result: T = await self._execute(statements)
        return result

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        """Lend what runs statements in the user's transaction."""
        yield self.run

    async def close(self) -> None:
        """Leave the connection to the user."""
