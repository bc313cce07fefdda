"""The DSN of a SQLite file; what is needed to use the file is imported once there is one."""

from __future__ import annotations

from pathlib import Path

from staffa.errors import ConfigError

_SCHEME = "sqlite"
_TEMPORARY = ("", "/", "/:memory:")


def is_file(dsn: str) -> bool:
    """Tell whether a DSN names a SQLite file.

    Example:
        >>> is_file("sqlite:///jobs.db"), is_file("postgresql://localhost/app")
        (True, False)
    """
    return dsn.partition("://")[0].partition("+")[0] == _SCHEME


def path_of(dsn: str) -> Path | None:
    """Return the file of a DSN; None for a temporary one.

    Raises:
        ConfigError: If it is written wrongly.

    Example:
        >>> path_of("sqlite:///jobs.db"), path_of("sqlite:////srv/jobs.db"), path_of("sqlite://")
        (PosixPath('jobs.db'), PosixPath('/srv/jobs.db'), None)
    """
    rest = dsn.partition("://")[2]
    if rest in _TEMPORARY:
        return None
    if not rest.startswith("/") or "?" in rest or "#" in rest:
        raise ConfigError(
            f"dsn {dsn!r} can't be used: write sqlite:///relative.db, sqlite:////absolute.db, or "
            "sqlite:// for a temporary file"
        )
    return Path(rest[1:])
