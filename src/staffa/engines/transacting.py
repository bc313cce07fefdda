"""What the verbs that engines share are built on: each engine runs statements in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from staffa.dialogues import Dialogue
from staffa.engine import Statement, Statements

T = TypeVar("T")


class Transacting:
    """The base of the bases of engines."""

    async def _hold(self, dialogue: Dialogue[T]) -> T:
        """Hold a dialogue in a transaction."""
        raise NotImplementedError

    async def _hold_claim(self, dialogue: Dialogue[T]) -> T:
        """Hold the dialogue of a claim, of which there are many."""
        return await self._hold(dialogue)

    async def _hold_apart(self, dialogue: Dialogue[T]) -> T:
        """Hold a dialogue each of whose statements is a transaction of its own."""
        raise NotImplementedError

    async def _follow(self, begin: Callable[[], Dialogue[T]], *, acks: bool = False) -> T:
        """Hold a dialogue in a transaction, again if it loses against another one's locks.

        Args:
            begin: Begins it.
            acks: Whether it is about outcomes, which must not wait for other work.
        """
        raise NotImplementedError

    async def _run_together(self, statements: Statements[T]) -> T:
        """Run statements in one transaction, again if it loses against another one's locks."""
        raise NotImplementedError

    async def _change(self, statement: Statement[T]) -> T:
        """Run a statement that is a transaction of its own."""
        raise NotImplementedError

    async def _read(self, statement: Statement[T]) -> T:
        """Run a statement that changes nothing."""
        raise NotImplementedError
