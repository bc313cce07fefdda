"""Where a database is, told without what may be secret."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote

from staffa.settings import mask_password


def place_of(dsn: str) -> str:
    """Return the database and the server of a DSN, without user and password.

    What stands before the last `@` may be part of a password, and so may parameters: of all these
    only the host is shown, which may be the directory of a socket.

    Example:
        >>> place_of("postgresql://ada:secret@db:5432/app?sslmode=require")
        "database 'app' at db:5432"
        >>> place_of("postgresql://postgres@/shop?host=/run/postgresql&port=5433")
        "database 'shop' at /run/postgresql"
        >>> place_of("sqlite:///jobs.db")
        'the file jobs.db'
    """
    scheme, _, rest = mask_password(dsn).partition("://")
    if scheme.startswith("sqlite"):
        return f"the file {rest.removeprefix('/').partition('?')[0]}"
    path, _, query = rest.rpartition("@")[2].partition("?")
    server, _, name = path.partition("/")
    server = server or ", ".join(parse_qs(query).get("host", [])) or "the default server"
    return f"database {unquote(name)!r} at {server}" if name else server
