"""The engine, the notifier and the migrations of a SQLite file, and what is refused with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from staffa._internal.clock import Clock
from staffa._internal.sql import find_folder
from staffa.capabilities import Capabilities
from staffa.client.answers import MakeListener
from staffa.client.file_dsn import path_of
from staffa.client.temporary import TemporaryFolder
from staffa.config import DEFAULT_PREFIX, Config
from staffa.drivers.sqlite import FileSettings
from staffa.engines.sqlite import SqliteEngine
from staffa.engines.sqlite.engine import CAPABILITIES
from staffa.engines.sqlite.functions import install
from staffa.errors import ConfigError
from staffa.migrate import Migrator
from staffa.notifier import Notifier
from staffa.notifiers.local import LocalNotifier
from staffa.notifiers.polling import PollingNotifier
from staffa.upkeep import Reindexer

_PACKAGE = "staffa.engines.sqlite"

_REFUSED: dict[str, tuple[Callable[[Config], bool], Callable[[Capabilities], bool], str]] = {
    "prefix": (
        lambda config: config.prefix != DEFAULT_PREFIX,
        lambda able: able.schemas,
        "a file has no schemas: leave it out, and give each instance a file of its own",
    ),
    "listen_dsn": (
        lambda config: config.listen_dsn is not None,
        lambda able: able.listens,
        "a file carries no notifications: leave it out, jobs are found by polling",
    ),
    "notifier": (
        lambda config: config.notifier == "postgres",
        lambda able: able.listens,
        "a file carries no notifications: give 'local' or 'polling', or leave it out",
    ),
    "pooler": (
        lambda config: bool(config.pooler),
        lambda able: able.poolers,
        "there is no server that a pooler could stand before: leave it out",
    ),
    "maintenance_dsn": (
        lambda config: config.maintenance_dsn is not None,
        lambda able: able.rebuilds_indexes,
        "indexes of SQLite do not bloat and are never rebuilt: leave it out",
    ),
    "reindexer": (
        lambda config: config.reindexer not in {None, Reindexer()},
        lambda able: able.rebuilds_indexes,
        "indexes of SQLite do not bloat and are never rebuilt: leave it out",
    ),
}


def check_config(config: Config) -> None:
    """Refuse settings that make no sense with a file.

    Raises:
        ConfigError: For the first of them, with the reason.
    """
    for setting, (is_given, can, reason) in _REFUSED.items():
        if is_given(config) and not can(CAPABILITIES):
            raise ConfigError(f"the setting {setting} can't be used with SQLite: {reason}")


def make_file_migrator(dsn: str, prefix: str) -> Migrator:
    """Return the migrations of a file.

    Raises:
        ConfigError: If a schema is named, or the file is a temporary one.
    """
    check_config(Config(prefix=prefix))
    path = path_of(dsn)
    if path is None:
        raise _no_file()
    return _migrator(FileSettings(path.absolute(), install))


def make_file_parts(
    config: Config, dsn: str, clock: Clock, temporary: TemporaryFolder | None
) -> tuple[SqliteEngine, Notifier, Migrator, MakeListener]:
    """Return what a client talks to; the file is opened when it is needed.

    Args:
        config: The client's settings.
        dsn: The file.
        clock: The database's clock.
        temporary: Where a client's temporary file lies; None where nobody would keep it.

    Raises:
        ConfigError: If a setting makes no sense with a file, or a temporary one has no keeper.
    """
    path = path_of(dsn)
    if path is not None or config.testing is None:  # a program's server is no mistake of its tests
        check_config(config)
    if path is None:
        if temporary is None:
            raise _no_file()
        if not config.share.is_whole:
            raise ConfigError(
                "a temporary database is seen by one process alone: name a file, such as "
                "sqlite:///jobs.db, or leave --processes out"
            )
        settings = FileSettings(temporary.path / "jobs.db", install, durable=False)
        settings = replace(settings, script=_migrator(settings).script())
    else:
        settings = FileSettings(path.absolute(), install)

    def make_notifier(missed: Callable[[], None]) -> Notifier:
        notifier = LocalNotifier(str(settings.path.resolve()))
        return PollingNotifier(notifier) if config.notifier == "polling" else notifier

    engine = SqliteEngine(settings, config.name, clock)
    return engine, make_notifier(_miss_nothing), _migrator(settings), make_notifier


def _miss_nothing() -> None:
    """Nothing is missed: there is no connection that could be lost."""


def _no_file() -> ConfigError:
    return ConfigError(
        "a temporary database makes its tables itself, and is gone when its client stops: name a "
        "file, such as sqlite:///jobs.db"
    )


def _migrator(settings: FileSettings) -> Migrator:
    names = [entry.name for entry in find_folder(_PACKAGE).joinpath("migrations").iterdir()]
    return Migrator(settings, _PACKAGE, names, DEFAULT_PREFIX, file=str(settings.path))
