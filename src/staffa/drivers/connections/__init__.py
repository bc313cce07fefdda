"""Users' own connections: how statements join the transaction that they have begun.

One module for each library; which one serves a connection is told by the modules of its classes, so
that no library is imported unless somebody uses it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from staffa._internal.lazy import load
from staffa.engine import Statements
from staffa.errors import ConfigError

T = TypeVar("T")
Run = Callable[[Any, Statements[T]], Awaitable[T]]

_ADAPTERS = {"asyncpg": "staffa.drivers.connections.asyncpg:run"}


async def run_on(connection: Any, statements: Statements[T]) -> T:
    """Run statements on a user's connection, in the transaction that is open there.

    If none is open, several statements get one of their own.

    Raises:
        ConfigError: If connections of that library can't be used.
        DatabaseError: If the database refuses it.
    """
    libraries = (base.__module__.partition(".")[0] for base in type(connection).__mro__)
    adapter = next((_ADAPTERS[library] for library in libraries if library in _ADAPTERS), None)
    if adapter is None:
        raise ConfigError(
            f"conn= is of type {type(connection).__module__}.{type(connection).__qualname__}: give "
            f"a connection of {', '.join(sorted(_ADAPTERS))}"
        )
    run: Run[T] = load(adapter)
    return await run(connection, statements)
