"""Where a database is, told without what may be secret."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote

_DSN = re.compile(
    r"postgres(ql)?://"
    r"([^:/?#@]*(:[^/?#@]*)?@)?"
    r"(?P<server>[\w.,:%\[\]-]*)"
    r"(/(?P<name>[^/?#@]*))?"
    r"(\?(?P<query>[^@]*))?"
)


def place_of(dsn: str) -> str | None:
    """Return the database and the server of a DSN, without user and password.

    None stands for a file, and for a DSN that is not written quite as it should be: there, what
    looks like a name may be part of a password.

    Example:
        >>> place_of("postgresql://ada:secret@db:5432/app?sslmode=require")
        "database 'app' at db:5432"
        >>> place_of("postgresql://postgres@/shop?host=/run/postgresql&port=5433")
        "database 'shop' at /run/postgresql"
        >>> place_of("postgresql://ada:a@secret@db:5432/app") is None
        True
    """
    found = _DSN.fullmatch(dsn)
    if found is None:
        return None
    hosts = parse_qs(found["query"] or "").get("host", [])
    server = unquote(found["server"]) or ", ".join(hosts) or "the default server"
    return f"database {unquote(found['name'])!r} at {server}" if found["name"] else server
