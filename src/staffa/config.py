"""The settings of a client: defaults < file < environment < arguments.

The file is ``staffa.toml``, or the table ``[tool.staffa]`` of ``pyproject.toml``, in the current
directory. A variable is the setting's name in capitals with ``STAFFA_`` before it;
``STAFFA_QUEUES`` is written ``default:10,mail:5``, lists with commas.
"""

from __future__ import annotations

import os
import re
import socket
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from staffa._internal.identifiers import is_storable_name
from staffa.errors import ConfigError, NotYetAvailable, UnknownOption
from staffa.instance import DEFAULT_NAME
from staffa.queue import MaxDepth, Queue, parse_max_depth, parse_queues
from staffa.types import Seconds, to_seconds

DEFAULT_PREFIX = "public"

_LATER_SCHEMES = ("sqlite", "mysql", "mariadb")
_SCHEMES = ("postgresql", "postgres")
_MAX_PREFIX_BYTES = 49  # with ".oban_" and a channel it makes a channel name, at most 63
_LEAST_HEARTBEATS = 4  # a freeze of the watcher itself counts as two
_VARIABLE = "STAFFA_"
_NO_SETTINGS = frozenset({"STAFFA_TEST_DSN", "STAFFA_REQUIRE", "STAFFA_EMBEDDED_BINARIES"})


class ClientOptions(TypedDict, total=False):
    """The settings that a client takes by keyword; see `Config`."""

    prefix: str
    name: str
    node: str
    imports: Sequence[str]
    max_depth: Mapping[str, int | MaxDepth | Mapping[str, Any]]
    pool_size: int
    shutdown_grace: Seconds
    heartbeat: Seconds
    dead_after: Seconds
    foreign_dead_after: Seconds
    max_rescues: int
    unknown_after: Seconds
    poll: Seconds
    leader_lease: Seconds
    loop_blocked_after: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a client. Lengths of time are seconds, or a timedelta.

    Args:
        dsn: ``postgresql://user:password@host/database``; without one, an embedded PostgreSQL is
            started for this project.
        prefix: The schema of the tables.
        name: The instance's name. The default is the one that Elixir nodes use, so that what they
            address to a node by name reaches ours.
        node: The name of this machine or container.
        queues: What this process runs, by queue: a limit, or a `Queue`.
        imports: Packages from which workers may be imported by the name that a row holds.
        max_depth: By queue, from how many waiting jobs on this client adds no more: a number, or a
            `MaxDepth`.
        pool_size: Database connections for statements that stand alone; three more have a task
            each.
        shutdown_grace: How long running jobs may go on when the process is asked to stop.
        heartbeat: How often a process shows that it lives.
        dead_after: How long a process must be seen without a sign of life to be given up.
        foreign_dead_after: How old a running job of another implementation must be to be given up.
        max_rescues: How often a job may lose its process before it is discarded.
        unknown_after: How long jobs of unknown workers are put back before their attempts fail.
        poll: How often due jobs are looked for; three times as long while there is nothing to do.
        leader_lease: How long a leader leads without a renewal.
        loop_blocked_after: How long a job may block the event loop before it is named in the log.

    Raises:
        ConfigError: If a value can't be used.
    """

    dsn: str | None = field(default=None, repr=False)
    prefix: str = DEFAULT_PREFIX
    name: str = DEFAULT_NAME
    node: str = field(default_factory=socket.gethostname)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    max_depth: Mapping[str, MaxDepth] = field(default_factory=dict)
    pool_size: int = 5
    shutdown_grace: float = 15.0
    heartbeat: float = 5.0
    dead_after: float = 20.0
    foreign_dead_after: float = 3600.0
    max_rescues: int = 3
    unknown_after: float = 86_400.0
    poll: float = 1.0
    leader_lease: float = 30.0
    loop_blocked_after: float = 1.0

    def __post_init__(self) -> None:
        _check_dsn(self.dsn)
        _check_prefix(self.prefix)
        for setting in ("name", "node"):
            if not is_storable_name(getattr(self, setting)):
                raise ConfigError(
                    f"{setting} {getattr(self, setting)!r:.200} is no name: "
                    "give 1 to 127 characters"
                )
        object.__setattr__(self, "queues", parse_queues(self.queues))
        object.__setattr__(self, "max_depth", parse_max_depth(self.max_depth))
        object.__setattr__(self, "imports", _check_imports(self.imports))
        for setting, low in (("pool_size", 1), ("max_rescues", 0)):
            _check_whole(setting, getattr(self, setting), low)
        for setting in _LENGTHS:
            seconds = to_seconds(getattr(self, setting), setting)
            if seconds == 0 and setting != "shutdown_grace":
                raise ConfigError(f"{setting} is 0: give a length of time above 0")
            object.__setattr__(self, setting, seconds)
        if self.dead_after < _LEAST_HEARTBEATS * self.heartbeat:
            raise ConfigError(
                f"dead_after is {self.dead_after} s and heartbeat {self.heartbeat} s: give at "
                f"least {_LEAST_HEARTBEATS} heartbeats, or living processes are taken for dead"
            )

    @classmethod
    def load(cls, *, folder: Path | None = None, **arguments: Any) -> Config:
        """Return the settings of all sources, the arguments going before the rest.

        Args:
            folder: Where the file is looked for; the current directory if not given.
            **arguments: Settings by name; None means not given.

        Raises:
            ConfigError: For a wrong value or file; UnknownOption for a key that does not exist.

        Example:
            >>> Config.load(dsn="postgresql://localhost/app", queues={"default": 5}).queues
            {'default': Queue(limit=5, paused=False)}
        """
        given = {key: value for key, value in arguments.items() if value is not None}
        _check_keys(given, "setting")
        return cls(**{**_from_file(folder or Path()), **_from_environment(os.environ), **given})

    def with_dsn(self, dsn: str) -> Config:
        """Return the same settings for another database."""
        return replace(self, dsn=dsn)

    def with_queues(self, queues: Mapping[str, Queue]) -> Config:
        """Return the same settings with other queues."""
        return replace(self, queues=queues)


_LENGTHS = (
    "shutdown_grace", "heartbeat", "dead_after", "foreign_dead_after", "unknown_after", "poll",
    "leader_lease", "loop_blocked_after",
)  # fmt: skip


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


def _from_file(folder: Path) -> dict[str, Any]:
    """Return the settings of the folder's file, if there is one."""
    path = folder / "staffa.toml"
    if path.is_file():
        found = _read_toml(path)
    elif (path := folder / "pyproject.toml").is_file():
        found = _read_toml(path)
        for key in ("tool", "staffa"):
            found = found.get(key, {})
            if not isinstance(found, dict):
                raise ConfigError(f"{path} has {key!r} as {found!r:.100}: make it a table")
    else:
        return {}
    _check_keys(found, f"setting in {path.name}:")
    return found


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the variables; each is text, so it is parsed by its setting's type."""
    found = {}
    for variable, text in environment.items():
        if not variable.startswith(_VARIABLE) or variable in _NO_SETTINGS:
            continue
        key = variable.removeprefix(_VARIABLE).lower()
        if key not in _SETTINGS:
            raise UnknownOption(
                "environment variable", variable, [_VARIABLE + known.upper() for known in _SETTINGS]
            )
        try:
            found[key] = _PARSERS.get(key, str)(text)
        except ValueError as error:
            shown = mask_password(text)
            raise ConfigError(f"environment variable {variable}={shown!r}: {error}") from None
    return found


def _check_keys(found: Mapping[str, Any], kind: str) -> None:
    for key in found:
        if key not in _SETTINGS:
            raise UnknownOption(kind, key, _SETTINGS)


def _check_dsn(dsn: object) -> None:
    if dsn is None:
        return
    scheme = dsn.partition("://")[0].partition("+")[0] if isinstance(dsn, str) else ""
    if scheme in _LATER_SCHEMES:
        raise NotYetAvailable(f"a database of scheme {scheme!r}")
    if scheme not in _SCHEMES or "://" not in str(dsn):
        raise ConfigError(
            f"dsn {_hide_credentials(str(dsn))!r} can't be used: write postgresql://user:password@host:5432/database"
        )


def _check_prefix(prefix: object) -> None:
    if not isinstance(prefix, str) or not is_storable_name(prefix):
        raise ConfigError(f"prefix {prefix!r} is no name of a schema: give a name such as 'public'")
    size = len(prefix.encode())
    if size > _MAX_PREFIX_BYTES:
        raise ConfigError(
            f"prefix {prefix!r} has {size} bytes: at most {_MAX_PREFIX_BYTES} fit into names of "
            "notification channels"
        )


def _check_imports(imports: object) -> tuple[str, ...]:
    if isinstance(imports, str):
        raise ConfigError(f"imports is the string {imports!r}: give a list such as [{imports!r}]")
    packages = tuple(imports) if isinstance(imports, list | tuple) else (imports,)
    for package in packages:
        if not isinstance(package, str) or not all(
            part.isidentifier() for part in package.split(".")
        ):
            raise ConfigError(f"imports has {package!r}, which is no package: write 'myapp.jobs'")
    return packages


def _check_whole(setting: str, value: object, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ConfigError(f"{setting} is {value!r}: give a whole number from {low}")


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_SETTINGS = frozenset(setting.name for setting in fields(Config))
_PARSERS: dict[str, Callable[[str], Any]] = {
    "queues": parse_queue_list,
    "max_depth": parse_queue_list,
    "imports": _split,
    "pool_size": int,
    "max_rescues": int,
    **dict.fromkeys(_LENGTHS, float),
}
