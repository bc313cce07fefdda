"""Django: the alias of a database, or its connection.

What runs statements is the driver's own connection below Django's (psycopg 3 or `sqlite3`), which
Django has put into the state that its transactions need; Django itself is asked for leave, and
tells of the commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django import conf
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import connections
from django.db.transaction import TransactionManagementError
from django.db.utils import Error
from django.utils.connection import ConnectionDoesNotExist

from staffa._internal.lazy import load
from staffa.drivers.connections.joining import Inline
from staffa.drivers.failures import translate
from staffa.engine import Statements
from staffa.errors import ConfigError, DatabaseError

T = TypeVar("T")

_MODULES = {"postgresql": "psycopg", "sqlite": "sqlite"}
_LOCAL = frozenset(
    {"", "localhost", "127.0.0.1", "::1", "/var/run/postgresql", "/run/postgresql", "/tmp"}  # noqa: S108
)
"""This machine's own server; a socket in any other folder may be that of another one."""


def knows(alias: str) -> bool:
    """Tell whether a database of an alias is set up."""
    try:
        return alias in connections.settings
    except ImproperlyConfigured:
        return False


def join(given: Any) -> Inline:
    """Return the calling thread's connection of an alias, or the connection given.

    Raises:
        ConfigError: If it is something else of Django.
    """
    try:
        wrapper = connections[given] if isinstance(given, str) else given
        alias = wrapper.alias
    except (ConnectionDoesNotExist, ImproperlyConfigured, AttributeError) as error:
        raise ConfigError(
            f"conn= is a {type(given).__name__}: give the alias of a database of Django, or "
            "its connection"
        ) from error
    return DjangoConnection(wrapper, alias)


class DjangoConnection(Inline):
    """A connection of Django.

    Args:
        wrapper: The connection.
        alias: The database.
    """

    def __init__(self, wrapper: Any, alias: str) -> None:
        self._wrapper = wrapper
        self._alias = alias

    def run(self, statements: Statements[T]) -> T:
        """Run statements."""
        with _translated_errors():
            with self._wrapper.cursor():  # connects, and refuses what Django refuses
                self._wrapper.validate_no_broken_transaction()
            raw = self._wrapper.connection
        found = type(raw).__mro__
        vendor = self._wrapper.vendor
        module = _MODULES.get(vendor)
        if module is None or not any(base.__module__.startswith(_ROOTS[module]) for base in found):
            raise ConfigError(
                f"Django's database {self._alias!r} is {vendor} by {found[0].__module__}: Staffa "
                "joins PostgreSQL by psycopg 3 (install 'psycopg[binary]') and SQLite"
            )
        inner: Inline = load(f"staffa.drivers.connections.{module}:join")(raw)
        return inner.run(statements)

    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Have something called after the outermost `atomic` block."""
        wrapper = self._wrapper
        if not wrapper.in_atomic_block and not wrapper.get_autocommit():
            return False
        wrapper.on_commit(callback, robust=True)
        return True


_ROOTS = {"psycopg": "psycopg.", "sqlite": "sqlite3"}


def find_atomic(alias: str, dsn: str) -> str | None:
    """Return an alias if this thread is in an `atomic` block there, in the database of a client.

    Args:
        alias: Of Django's database.
        dsn: Of the client's.
    """
    if not conf.settings.configured or not knows(alias):
        return None
    wrapper = connections[alias]
    if not wrapper.in_atomic_block or not is_same_database(wrapper.settings_dict, dsn):
        return None
    return alias


def is_same_database(options: dict[str, Any], dsn: str) -> bool:
    """Tell whether Django's settings of a database and a DSN name the same one.

    The database that Django's tests make of it counts as the same, too.

    Example:
        >>> django = {"NAME": "shop", "HOST": "localhost", "PORT": ""}
        >>> is_same_database(django, "postgresql://127.0.0.1:5432/shop")
        True
        >>> is_same_database(django, "postgresql://db.example.com/shop")
        False
    """
    parts = urlsplit(dsn)
    engine, name = str(options.get("ENGINE") or ""), str(options.get("NAME") or "")
    if parts.scheme.startswith("sqlite"):
        path = dsn.partition(":///")[2].partition("?")[0]
        return "sqlite" in engine and bool(path) and _is_same_file(name, path)
    if "sqlite" in engine:
        return False
    wanted = _database_of(parts)
    if re.fullmatch(f"(test_)?{re.escape(wanted)}|test_{re.escape(wanted)}_\\w+", name) is None:
        return False
    host, port = _place_of(parts)
    return _is_same_host(str(options.get("HOST") or ""), host) and (
        str(options.get("PORT") or "5432") == port
    )


def _database_of(parts: SplitResult) -> str:
    query = parse_qs(parts.query)
    user = query.get("user", [unquote(parts.username or "")])[0]
    return query.get("dbname", [unquote(parts.path.removeprefix("/"))])[0] or user


def _place_of(parts: SplitResult) -> tuple[str, str]:
    query = parse_qs(parts.query)
    host = query.get("host", [unquote(parts.hostname or "")])[0]
    try:
        port = query.get("port", [str(parts.port or 5432)])[0]
    except ValueError:  # several hosts: they can't be compared
        return "?", "?"
    return host, port


def _is_same_host(one: str, other: str) -> bool:
    one, other = (host.lower().rstrip("/") for host in (one, other))
    return one == other or (one in _LOCAL and other in _LOCAL)


def _is_same_file(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except SynchronousOnlyOperation as error:
        raise ConfigError(
            "a connection of Django can't be used on an event loop: call app.sync.enqueue(...) in "
            "synchronous code, for example by sync_to_async"
        ) from error
    except TransactionManagementError as error:
        raise DatabaseError(str(error)) from error
    except Error as error:
        cause = error.__cause__
        raise translate(error, getattr(cause, "sqlstate", None)) from error
