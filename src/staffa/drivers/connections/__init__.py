"""Users' own connections: how statements join the transaction that they have begun.

One module for each library; which one serves a connection is told by the modules of its classes, so
that no library is imported unless somebody uses it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from staffa._internal.lazy import load
from staffa.drivers.connections.joining import Awaited, Inline
from staffa.engine import Statements
from staffa.errors import ConfigError

T = TypeVar("T")

_LIBRARIES = {
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psycopg_pool": "psycopg",
    "sqlalchemy": "sqlalchemy",
    "django": "django",
    "sqlite3": "sqlite",
    "aiosqlite": "sqlite",
}
_KNOWN = "asyncpg, psycopg, SQLAlchemy, sqlite3 or aiosqlite, or the alias of a Django database"


async def run_on(connection: Any, statements: Statements[T]) -> T:
    """Run statements on a user's connection, in the transaction that is open there.

    If none is open, several statements get one of their own. A connection whose calls are not
    awaited is used on this thread.

    Raises:
        ConfigError: If connections of that library can't be used, or it is to another database.
        DatabaseError: If the database refuses it.
    """
    joined = _join(connection)
    if isinstance(joined, Inline):
        return joined.run(statements)
    return await joined.run(statements)


def run_on_sync(connection: Any, statements: Statements[T]) -> T:
    """Do the same without an event loop.

    Raises:
        ConfigError: If the connection is one whose calls are awaited, or can't be used.
        DatabaseError: If the database refuses it.
    """
    joined = _join(connection)
    if isinstance(joined, Inline):
        return joined.run(statements)
    kind = type(connection)
    raise ConfigError(
        f"conn= is a {kind.__module__}.{kind.__qualname__}, whose calls are awaited: call "
        "await app.enqueue(..., conn=...), or give a connection of synchronous code"
    )


def after_commit(connection: Any, callback: Callable[[], object]) -> bool:
    """Have something called once after the outermost commit, on the thread that commits.

    Returns:
        Whether the library tells of it. After a rollback, of a savepoint too, nothing is called.
    """
    return _join(connection).after_commit(callback)


def _join(connection: Any) -> Inline | Awaited:
    """Return a user's connection as its library has it."""
    libraries = (base.__module__.partition(".")[0] for base in type(connection).__mro__)
    name = next((_LIBRARIES[library] for library in libraries if library in _LIBRARIES), None)
    if isinstance(connection, str) and _is_alias(connection):
        name = "django"
    if name is None:
        kind = type(connection)
        raise ConfigError(
            f"conn= is of type {kind.__module__}.{kind.__qualname__}: give a connection of {_KNOWN}"
        )
    join: Callable[[Any], Inline | Awaited] = load(f"staffa.drivers.connections.{name}:join")
    return join(connection)


def _is_alias(text: str) -> bool:
    """Tell whether a text is the alias of a database of Django; false where Django is not used."""
    if "django" not in sys.modules:
        return False
    knows: Callable[[str], bool] = load("staffa.drivers.connections.django:knows")
    return knows(text)


def find_atomic(alias: str, dsn: str | None) -> str | None:
    """Return the alias of Django's database if this thread is in an `atomic` block there.

    Args:
        alias: The alias; empty for none.
        dsn: The client's database; Django's must be the same.
    """
    if not alias or dsn is None or "django" not in sys.modules:
        return None
    find: Callable[[str, str], str | None] = load("staffa.drivers.connections.django:find_atomic")
    return find(alias, dsn)
