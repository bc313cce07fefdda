"""The settings of a client: defaults < file < environment < arguments.

The file is ``staffa.toml``, or the table ``[tool.staffa]`` of ``pyproject.toml``, in the current
directory. A variable is the setting's name in capitals with ``STAFFA_`` before it;
``STAFFA_QUEUES`` is written ``default:10,mail:5``, lists with commas.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from staffa._internal.identifiers import is_storable_name
from staffa._internal.kill_points import KILL_POINT, parse_kill_point
from staffa._internal.lazy import load
from staffa.ageing import Prioritizer
from staffa.args.encryption import NO_KEYS, KeyRing, parse_key_list
from staffa.cron.entries import Cron, parse_setting
from staffa.cron.zones import load_zone
from staffa.dynamic import SYNC_MODES
from staffa.errors import ConfigError, UnknownOption
from staffa.instance import DEFAULT_NAME
from staffa.modes import TestingMode, check_mode
from staffa.queue import MaxDepth, Queue, keep_options, parse_max_depth, parse_queues
from staffa.settings import (
    check_dsn,
    check_host,
    check_imports,
    check_port,
    check_prefix,
    check_switch,
    check_whole,
    mask_password,
    parse_cron_switch,
    parse_list,
    parse_queue_list,
    parse_switch,
)
from staffa.share import WHOLE, Share
from staffa.types import to_seconds
from staffa.upkeep import Pruner, Reindexer, parse_service

DEFAULT_PREFIX = "public"

_LEAST_CRON_GRACE_SECONDS = 120.0
_LEAST_HEARTBEATS = 4  # a freeze of the watcher itself counts as two
_VARIABLE = "STAFFA_"
_NO_SETTING = "no setting"
_NO_SETTINGS = frozenset({"STAFFA_TEST_DSN", "STAFFA_REQUIRE", "STAFFA_EMBEDDED_BINARIES"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a client. Lengths of time are seconds, or a timedelta.

    Args:
        dsn: ``postgresql://user:password@host/database``, ``sqlite:///jobs.db`` or ``sqlite://``
            for a temporary file; without one, an embedded PostgreSQL is started for this project.
        prefix: The schema of the tables.
        name: The instance's name. The default is the one that Elixir nodes use, so that what they
            address to a node by name reaches ours.
        node: The name of this machine or container.
        queues: What this process runs, by queue: a limit, or a `Queue`.
        dynamic_queues: Keeps the queues in the database, where they can be changed at run time:
            "manual" leaves queues there alone that are not among `queues`, "automatic" deletes
            them; None runs what is configured.
        imports: Packages from which workers may be imported by the name that a row holds.
        max_depth: By queue, from how many waiting jobs on this client adds no more: a number, or a
            `MaxDepth`.
        node_limit: How many jobs of all queues together run at once here; None for no such limit.
        pool_size: Database connections for statements that stand alone; five more have a task
            each, two are for outcomes of jobs of workflows, batches and chains, and two for claims
            where queues have limits of all nodes.
        shutdown_grace: How long running jobs may go on when the process is asked to stop.
        heartbeat: How often a process shows that it lives.
        dead_after: How long a process must be seen without a sign of life to be given up.
        foreign_dead_after: How old a running job of another implementation must be to be given up.
        max_rescues: How often a job may lose its process before it is discarded.
        unknown_after: How long jobs of unknown workers are put back before their attempts fail.
        poll: How often due jobs are looked for; three times as long while there is nothing to do.
        leader_lease: How long a leader leads without a renewal.
        loop_blocked_after: How long a job may block the event loop before it is named in the log.
        health_port: Where a process that runs queues tells over HTTP whether it is well; 0 takes
            a free one, None none.
        health_host: The address that this port is opened on.
        encryption_keys: What encrypted args are written and read with: keys by id, the newest
            first, each 32 bytes or their base64; or a function that returns them.
        processes: How many processes run jobs that compute; one for each core if not given.
        process_max_jobs: After how many jobs such a process is replaced; never if not given.
        process_max_age: How old it becomes before it is replaced.
        process_max_memory: From how many bytes of resident memory it is replaced.
        cron: Entries of cron beside those of the decorators: `Cron` objects or tables, each with a
            worker. False (or None) turns cron off in this process.
        cron_sync: "automatic" deletes entries at the start that the configuration lacks, those that
            were made at run time as well; "manual" leaves them.
        timezone: Where cron expressions are read that do not say it.
        listen_dsn: A direct connection for notifications, where `dsn` goes through a pooler.
        maintenance_dsn: A direct connection as the owner of the tables, to rebuild indexes.
        pooler: Whether `dsn` goes through a pooler; None finds out.
        notifier: "postgres" listens, "local" carries within this process alone, "polling" does
            neither; None is "postgres" there and "local" with SQLite.
        sonar: Whether it is watched if notifications arrive.
        metrics: Whether dashboards are told of queues, jobs and cron, every second.
        pruner: What is kept of finished jobs; None or False keeps all.
        prioritizer: Which jobs become more urgent while they wait; None or False none.
        reindexer: When indexes are rebuilt; None or False never.
        testing: "manual" or "inline" in tests: see `staffa.testing.mode`.
        django_alias: The Django database whose `atomic` blocks synchronous calls without `conn=`
            join by themselves, if it is the client's; empty for none.
        worker_processes: How many processes `staffa start` runs, which share the limits.
        share: This process's part of the limits; no setting, `staffa start` sets it.

    Raises:
        ConfigError: If a value can't be used.
    """

    dsn: str | None = field(default=None, repr=False)
    prefix: str = DEFAULT_PREFIX
    name: str = DEFAULT_NAME
    node: str = field(default_factory=socket.gethostname)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    dynamic_queues: str | None = None
    imports: tuple[str, ...] = ()
    max_depth: Mapping[str, MaxDepth] = field(default_factory=dict)
    node_limit: int | None = None
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
    health_port: int | None = None
    health_host: str = "127.0.0.1"
    encryption_keys: KeyRing = field(default=NO_KEYS, repr=False)
    processes: int | None = None
    process_max_jobs: int | None = None
    process_max_age: float | None = None
    process_max_memory: int | None = None
    cron: tuple[Cron, ...] | None = ()
    cron_sync: str = "manual"
    timezone: str = "UTC"
    listen_dsn: str | None = field(default=None, repr=False)
    maintenance_dsn: str | None = field(default=None, repr=False)
    pooler: bool | None = None
    notifier: str | None = None
    sonar: bool = True
    metrics: bool = False
    pruner: Pruner | None = field(default_factory=Pruner)
    prioritizer: Prioritizer | None = None
    reindexer: Reindexer | None = field(default_factory=Reindexer)
    testing: TestingMode | None = None
    django_alias: str = "default"
    worker_processes: int = 1
    share: Share = field(default=WHOLE, repr=False, metadata={_NO_SETTING: True})

    def __post_init__(self) -> None:
        for setting in _DSNS:
            check_dsn(setting, getattr(self, setting))
        check_prefix(self.prefix)
        for setting in ("name", "node"):
            if not is_storable_name(getattr(self, setting)):
                raise ConfigError(
                    f"{setting} {getattr(self, setting)!r:.200} is no name: "
                    "give 1 to 127 characters"
                )
        object.__setattr__(self, "queues", parse_queues(self.queues))
        object.__setattr__(self, "max_depth", parse_max_depth(self.max_depth))
        object.__setattr__(self, "imports", check_imports(self.imports))
        object.__setattr__(self, "encryption_keys", KeyRing.of(self.encryption_keys))
        object.__setattr__(self, "cron", parse_setting(self.cron))
        load_zone(self.timezone)
        for setting, low in (("pool_size", 1), ("max_rescues", 0), ("worker_processes", 1)):
            check_whole(setting, getattr(self, setting), low)
        for setting in ("node_limit", *_PROCESS_NUMBERS):
            if getattr(self, setting) is not None:
                check_whole(setting, getattr(self, setting), 1)
        for setting in ("pooler", "sonar", "metrics"):
            check_switch(setting, getattr(self, setting))
        for setting, choices in _CHOICES.items():
            _check_choice(setting, getattr(self, setting), choices)
        object.__setattr__(self, "pruner", parse_service(Pruner, self.pruner, "pruner"))
        prioritizer = parse_service(Prioritizer, self.prioritizer, "prioritizer")
        object.__setattr__(self, "prioritizer", prioritizer)
        object.__setattr__(self, "reindexer", parse_service(Reindexer, self.reindexer, "reindexer"))
        if self.testing is not None:
            check_mode(self.testing)
        check_port("health_port", self.health_port)
        check_host("health_host", self.health_host)
        self._check_lengths()

    def _check_lengths(self) -> None:
        for setting in _LENGTHS:
            value = getattr(self, setting)
            if setting == "process_max_age" and value is None:
                continue
            seconds = to_seconds(value, setting)
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

        A queue that is given as a number keeps the other options that an earlier source has for it.

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
        found = _from_file(folder or Path())
        for source in (_from_environment(os.environ), given):
            if "queues" in source and "queues" in found:
                source["queues"] = keep_options(source["queues"], found["queues"])
            found |= source
        return cls(**found)

    @property
    def cron_grace(self) -> float:
        """Seconds within which a tick of cron is not too late: another leader has taken over."""
        return max(_LEAST_CRON_GRACE_SECONDS, 2 * self.leader_lease)

    @property
    def runs_queues(self) -> bool:
        """Whether a client with these settings runs queues; else it only sends."""
        return bool(self.queues) or self.dynamic_queues is not None

    def with_dsn(self, dsn: str | None) -> Config:
        """Return the same settings for another database."""
        return replace(self, dsn=dsn)

    def with_queues(self, queues: Mapping[str, Queue]) -> Config:
        """Return the same settings with other queues."""
        return replace(self, queues=queues)

    def with_dynamic_queues(self, mode: str | None) -> Config:
        """Return the same settings with another way to keep queues in the database."""
        return replace(self, dynamic_queues=mode)

    def with_share(self, share: Share) -> Config:
        """Return the same settings for one of several processes that share the limits."""
        return replace(self, share=share)

    def with_health(self, host: str | None, port: int | None) -> Config:
        """Return the same settings with what is given of another health port."""
        return replace(
            self,
            health_host=self.health_host if host is None else host,
            health_port=self.health_port if port is None else port,
        )


_DSNS = ("dsn", "listen_dsn", "maintenance_dsn")
_CHOICES: Mapping[str, Sequence[str | None]] = {
    "notifier": (None, "postgres", "local", "polling"),
    "dynamic_queues": (None, *SYNC_MODES),
    "cron_sync": SYNC_MODES,
}
_LENGTHS = (
    "shutdown_grace", "heartbeat", "dead_after", "foreign_dead_after", "unknown_after", "poll",
    "leader_lease", "loop_blocked_after", "process_max_age",
)  # fmt: skip
_SWITCHES = ("pooler", "sonar", "metrics", "pruner", "prioritizer", "reindexer")
_PROCESS_NUMBERS = ("processes", "process_max_jobs", "process_max_memory")


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
        found: dict[str, Any] = load("tomllib:loads")(path.read_text("utf-8"))
    except (ValueError, OSError) as error:  # no TOML, no UTF-8
        raise ConfigError(f"{path} can't be read: {error}") from None
    return found


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the variables; each is text, so it is parsed by its setting's type."""
    found = {}
    for variable, text in environment.items():
        if not variable.startswith(_VARIABLE) or variable in _NO_SETTINGS:
            continue
        if variable == KILL_POINT:
            _check(variable, text, parse_kill_point)  # it was read when the package was imported
            continue
        key = variable.removeprefix(_VARIABLE).lower()
        if key not in _SETTINGS:
            raise UnknownOption(
                "environment variable", variable, [_VARIABLE + known.upper() for known in _SETTINGS]
            )
        shown = "***" if key in _SECRETS else mask_password(text)
        found[key] = _check(variable, text, _PARSERS.get(key, str), shown)
    return found


def _check(variable: str, text: str, parse: Callable[[str], Any], shown: str | None = None) -> Any:
    """Return what the text of a variable stands for."""
    try:
        return parse(text)
    except ValueError as error:
        shown = text if shown is None else shown
        raise ConfigError(f"environment variable {variable}={shown!r:.200}: {error}") from None


def _check_choice(setting: str, value: object, choices: Sequence[str | None]) -> None:
    if value not in choices:
        raise ConfigError(f"{setting} is {value!r:.100}: give {' or '.join(filter(None, choices))}")


def _check_keys(found: Mapping[str, Any], kind: str) -> None:
    for key in found:
        if key not in _SETTINGS:
            raise UnknownOption(kind, key, _SETTINGS)


_SETTINGS = frozenset(
    setting.name for setting in fields(Config) if _NO_SETTING not in setting.metadata
)
_SECRETS = frozenset({"encryption_keys"})
_PARSERS: dict[str, Callable[[str], Any]] = {
    "queues": parse_queue_list,
    "max_depth": parse_queue_list,
    "imports": parse_list,
    "encryption_keys": parse_key_list,
    "node_limit": int,
    "pool_size": int,
    "max_rescues": int,
    "health_port": int,
    "worker_processes": int,
    **dict.fromkeys(_PROCESS_NUMBERS, int),
    "cron": parse_cron_switch,
    **dict.fromkeys(_LENGTHS, float),
    **dict.fromkeys(_SWITCHES, parse_switch),
}
