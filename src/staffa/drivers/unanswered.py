"""Statements that are sent without reading a reply: for the kill points of that name.

asyncpg writes to the socket in the first step of its coroutines, up to where they wait for the
reply. What was written reaches the server also if the process dies right then.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.transaction import Transaction

from staffa.statement import Statement


async def send_statement(
    connection: asyncpg.Connection | PoolConnectionProxy[asyncpg.Record],
    statement: Statement[Any],
    patience: float | None = None,
) -> bool:
    """Send a statement that is a transaction of its own, and tell whether this is one.

    Nobody waits for a reply, so there is no need of `patience`.
    """
    if connection.is_in_transaction():
        return False
    prepared = await connection.prepare(statement.sql)
    _begin(prepared.fetch(*statement.params))
    return True


async def send_commit(transaction: Transaction) -> bool:
    """Send the commit of a transaction."""
    _begin(transaction.commit())
    return True


def _begin(sending: Coroutine[Any, Any, Any]) -> None:
    sending.send(None)
