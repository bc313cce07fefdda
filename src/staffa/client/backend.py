"""Chooses the engine, the notifier and the migrations that belong to a DSN.

This module imports drivers, so the client loads it when it needs a database, not before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa._internal.lazy import load
from staffa._internal.sql import find_folder
from staffa.client.answers import MakeListener
from staffa.client.file_dsn import is_file
from staffa.client.temporary import TemporaryFolder
from staffa.config import Config
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.connections import after_commit
from staffa.engine import Engine
from staffa.engines.postgres import PostgresEngine
from staffa.engines.postgres.adoption import ForeignTables
from staffa.engines.postgres.maintenance import PostgresMaintenance, maintenance_settings
from staffa.errors import ConfigError, SchemaMissing
from staffa.maintenance import Maintenance
from staffa.migrate import Migrator
from staffa.notifier import Notifier
from staffa.notifiers.polling import PollingNotifier
from staffa.notifiers.postgres import PostgresNotifier

logger = logging.getLogger("staffa")

_PACKAGE = "staffa.engines.postgres"
_FILE_MIGRATOR = "staffa.client.file_backend:make_file_migrator"
_FILE_PARTS = "staffa.client.file_backend:make_file_parts"


@dataclass(frozen=True, slots=True)
class Backend:
    """What a client talks to.

    Args:
        engine: Stores jobs.
        notifier: Sends, and hears what a node is to know.
        migrator: Knows the schema.
        make_listener: Makes a notifier that hears something else, on a connection of its own.
    """

    engine: Engine
    notifier: Notifier
    migrator: Migrator
    make_listener: MakeListener

    def after_commit(self, conn: Any, callback: Callable[[], object]) -> bool:
        """Have something called once a user's connection has committed; tell if that works."""
        return after_commit(conn, callback)

    async def check_schema(self) -> None:
        """Refuse a schema without Staffa's tables, and warn of an outdated one.

        Raises:
            SchemaMissing: If there are none.
            DatabaseUnavailable: If the database can't be reached.
        """
        status = await self.migrator.status()
        if not status.applied:
            if status.foreign and self.engine.capabilities.schemas:
                raise SchemaMissing(
                    f"{self.migrator.place} has a table oban_jobs that another implementation "
                    "made, and no tables of Staffa: run 'staffa adopt' to share it"
                )
            raise SchemaMissing(
                f"{self.migrator.place} has no tables of Staffa: run 'staffa migrate up'"
                + (
                    ", with --prefix if they belong into another schema"
                    if self.engine.capabilities.schemas
                    else ""
                )
            )
        if status.pending:
            logger.warning(
                "the schema is at version %d of %d: run 'staffa migrate up'",
                status.version,
                status.pending[-1].version,
            )


def make_migrator(dsn: str, prefix: str, pooler: bool | None = None) -> Migrator:
    """Return the migrations of a schema, or of a file."""
    if is_file(dsn):
        migrator: Migrator = load(_FILE_MIGRATOR)(dsn, prefix)
        return migrator
    return _make_migrator(ConnectionSettings(dsn, pooler=pooler), prefix)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What adopts the tables of another implementation: looks at them, and adds to them."""

    tables: ForeignTables
    migrator: Migrator


def make_adoption(dsn: str, prefix: str) -> Adoption:
    """Return what the owner of another implementation's tables needs for their adoption.

    Raises:
        ConfigError: If there can't be any.
    """
    if is_file(dsn):
        raise ConfigError(
            "no other implementation keeps jobs in a SQLite file in our form: there is nothing to "
            "adopt; run 'staffa migrate up'"
        )
    settings = maintenance_settings(dsn)
    return Adoption(ForeignTables(settings, prefix), _make_migrator(settings, prefix))


def make_maintenance(dsn: str, prefix: str) -> Maintenance:
    """Return what the owner of a schema's tables may do.

    Raises:
        ConfigError: If there is nothing to be done.
    """
    if is_file(dsn):
        raise ConfigError("indexes of SQLite do not bloat: there is nothing to maintain")
    return PostgresMaintenance(maintenance_settings(dsn), prefix)


def make_backend(
    config: Config,
    dsn: str,
    on_reconnect: Callable[[], None],
    clock: Clock = SYSTEM_CLOCK,
    temporary: TemporaryFolder | None = None,
) -> Backend:
    """Return what a client talks to; connections are opened when they are needed.

    Args:
        config: The client's settings.
        dsn: Where the database is.
        on_reconnect: Called when notifications may have been missed.
        clock: The clock of a database that has none of its own, a file.
        temporary: Where a temporary file lies that all backends of a client share; without it a
            temporary database is refused.
    """
    if is_file(dsn):
        return Backend(*load(_FILE_PARTS)(config, dsn, clock, temporary))
    if config.notifier == "local":
        raise ConfigError(
            "the setting notifier can't be 'local' with PostgreSQL, whose notifications reach all "
            "processes: leave it out, or give 'polling'"
        )
    settings = ConnectionSettings(dsn, pooler=config.pooler)
    owner = None if config.maintenance_dsn is None else maintenance_settings(config.maintenance_dsn)
    engine = PostgresEngine(settings, config.prefix, config.pool_size, config.name, owner)
    listening = settings if config.listen_dsn is None else ConnectionSettings(config.listen_dsn)

    def make_notifier(missed: Callable[[], None]) -> Notifier:
        notifier = PostgresNotifier(listening, engine.pool, config.prefix, missed)
        return PollingNotifier(notifier) if config.notifier == "polling" else notifier

    migrator = _make_migrator(settings, config.prefix)
    return Backend(engine, make_notifier(on_reconnect), migrator, make_notifier)


def _make_migrator(settings: ConnectionSettings, prefix: str) -> Migrator:
    names = [entry.name for entry in find_folder(_PACKAGE).joinpath("migrations").iterdir()]
    return Migrator(settings, _PACKAGE, names, prefix)
