"""Pools of other libraries: where they connect to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from staffa._internal.lazy import load
from staffa.errors import ConfigError

_SCHEMES = ("postgresql://", "postgres://")
_KNOWN = (
    "host", "port", "user", "password", "dbname", "application_name", "target_session_attrs",
    "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword",
)  # fmt: skip
"""What both libraries understand of a connection string."""


def dsn_of(pool: Any) -> str:
    """Return the DSN to which a psycopg pool connects.

    Args:
        pool: A `ConnectionPool` or `AsyncConnectionPool` of psycopg, open or not.

    Raises:
        ConfigError: If it is none, or does not tell where it connects.
    """
    conninfo = getattr(pool, "conninfo", None)
    if not isinstance(conninfo, str):
        raise ConfigError(
            f"pool= is of type {type(pool).__module__}.{type(pool).__qualname__}, which does not "
            "tell where it connects: give a pool of psycopg_pool, or a DSN in place of it"
        )
    given = getattr(pool, "kwargs", None)
    more = {key: given[key] for key in _KNOWN if key in given} if isinstance(given, dict) else {}
    if conninfo.startswith(_SCHEMES) and not more:
        return conninfo
    parts = load("psycopg.conninfo:conninfo_to_dict")(conninfo, **more)
    return "postgresql://?" + urlencode({key: parts[key] for key in _KNOWN if key in parts})
