"""A file in name only: everything runs on one connection of the user's, in its open transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from staffa.drivers.sqlite import FileConnection, Run
from staffa.engine import Statement, Statements
from staffa.errors import ConfigError
from staffa.rehearsal import Execute

T = TypeVar("T")


class JoinedFile(FileConnection):
    """Runs statements on a connection that is not ours.

    Args:
        execute: Runs statements there.
        prepare: Registers there what the statements need.
    """

    def __init__(self, execute: Execute, prepare: Callable[[Any], None]) -> None:
        self._execute = execute
        self._prepare = prepare

    async def read(self, statement: Statement[T]) -> T:
        """Run a statement."""
        return await self.write(statement)

    async def write(self, statements: Statement[T] | Statements[T]) -> T:
        """Run statements."""
        if isinstance(statements, Statement):
            statements = Statements.of(statements)
        result: T = await self._execute(replace(statements, prepare=self._prepare))
        return result

    async def transact(self, work: Callable[[Run], T]) -> T:
        """Refuse what runs on a thread of its own."""
        raise ConfigError("that can't be done in a transaction of yours: leave out conn=")

    async def close(self) -> None:
        """Leave the connection to the user."""
