"""What settings may hold: checks of their values, and parsers of the texts of variables."""

from __future__ import annotations

import re

from staffa._internal.identifiers import is_storable_name
from staffa._internal.shown import shown
from staffa.errors import ConfigError, NotYetAvailable

_LATER_SCHEMES = ("mysql", "mariadb")
_FILE_SCHEME = "sqlite"
_SCHEMES = ("postgresql", "postgres")
_MAX_PREFIX_BYTES = 49  # with ".oban_" and a channel it makes a channel name, at most 63


def mask_password(dsn: str) -> str:
    """Return a DSN that may be shown.

    Example:
        >>> mask_password("postgresql://ada:secret@db/app?password=secret")
        'postgresql://ada:***@db/app?password=***'
    """
    dsn = re.sub(r"(://[^:/@]*:).*@", r"\1***@", dsn)
    return re.sub(r"(password=)[^&\s]*", r"\1***", dsn, flags=re.IGNORECASE)


def _hide_credentials(text: str) -> str:
    """Return what is no DSN without all that may be a password in it."""
    text = re.sub(r"(password\s*=).*", r"\1***", text, flags=re.IGNORECASE | re.DOTALL)
    return re.sub(r".*@", "***@", text, flags=re.DOTALL)


def parse_queue_list(text: str) -> dict[str, int]:
    """Return queues from ``default:10,mail:5``.

    Raises:
        ConfigError: If it is not written so.

    Example:
        >>> parse_queue_list("default:10,mail:5")
        {'default': 10, 'mail': 5}
    """
    queues = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, limit = part.rpartition(":")
        if not separator or not re.fullmatch(r"[0-9]{1,9}", limit.strip()):
            raise ConfigError(f"queue {part!r} has no limit: write it as {part.strip(':')}:10")
        queues[name.strip()] = int(limit)
    return queues


def check_dsn(setting: str, dsn: object) -> None:
    """Refuse what is no DSN of a database that can be used.

    Raises:
        ConfigError: Without showing what may be a password.
    """
    if dsn is None:
        return
    scheme = dsn.partition("://")[0].partition("+")[0] if isinstance(dsn, str) else ""
    if scheme in _LATER_SCHEMES:
        raise NotYetAvailable(f"a database of scheme {scheme!r}")
    if scheme == _FILE_SCHEME and setting == "dsn" and "://" in str(dsn):
        return
    if scheme not in _SCHEMES or "://" not in str(dsn):
        raise ConfigError(
            f"{setting} {_hide_credentials(str(dsn))!r} can't be used: write "
            "postgresql://user:password@host:5432/database"
            + (", or sqlite:///jobs.db" if setting == "dsn" else "")
        )


def check_prefix(prefix: object) -> None:
    """Refuse what is no schema, or too long for the names of channels.

    Raises:
        ConfigError: Saying so.
    """
    if not isinstance(prefix, str) or not is_storable_name(prefix):
        raise ConfigError(f"prefix {prefix!r} is no name of a schema: give a name such as 'public'")
    size = len(prefix.encode())
    if size > _MAX_PREFIX_BYTES:
        raise ConfigError(
            f"prefix {prefix!r} has {size} bytes: at most {_MAX_PREFIX_BYTES} fit into names of "
            "notification channels"
        )


def check_imports(imports: object) -> tuple[str, ...]:
    """Return names of packages.

    Raises:
        ConfigError: If one of them is none.
    """
    if isinstance(imports, str):
        raise ConfigError(f"imports is the string {imports!r}: give a list such as [{imports!r}]")
    packages = tuple(imports) if isinstance(imports, list | tuple) else (imports,)
    for package in packages:
        if not isinstance(package, str) or not all(
            part.isidentifier() for part in package.split(".")
        ):
            raise ConfigError(f"imports has {package!r}, which is no package: write 'myapp.jobs'")
    return packages


def check_whole(setting: str, value: object, low: int) -> None:
    """Refuse what is no whole number from a lowest one.

    Raises:
        ConfigError: Naming both.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ConfigError(f"{setting} is {shown(value)}: give a whole number from {low}")


def parse_cron_switch(text: str) -> bool:
    """Return that cron is off, all that a variable can say of it.

    Raises:
        ConfigError: For anything else.
    """
    if text.strip().lower() != "off":
        raise ConfigError("only off can be given so: entries are written in code or staffa.toml")
    return False


def check_switch(setting: str, value: object) -> None:
    """Refuse what is neither on nor off; None leaves it open.

    Raises:
        ConfigError: Naming the setting.
    """
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{setting} is {shown(value, 100)}: give true or false")


def parse_switch(text: str) -> bool:
    """Return what a variable turns on or off.

    Raises:
        ValueError: If it is neither.
    """
    known = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
    if text.strip().lower() not in known:
        raise ValueError("give on or off")
    return known[text.strip().lower()]


def parse_list(text: str) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
