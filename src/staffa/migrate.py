"""Migrations: numbered pairs of SQL files that bring a schema up or down, each in a transaction.

The runner is handed the folder that holds them: ``0001_name.up.sql`` and ``0001_name.down.sql``,
and in ``runner/`` the statements of the bookkeeping. What was applied is recorded in
``staffa_migrations``. Workers never migrate; they tell when it has to be done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staffa._internal.sql import load_sql, set_prefix
from staffa.drivers.asyncpg import ConnectionSettings, Session, open_session
from staffa.errors import DatabaseError, MigrationError, SchemaMissing

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)\.up\.sql")
_MADE_MEANWHILE = frozenset({"23505", "42710", "42P06", "42P07"})


@dataclass(frozen=True, slots=True)
class Migration:
    """One step.

    Args:
        version: Its number, from 1.
        name: What it is about.
    """

    version: int
    name: str

    @property
    def stem(self) -> str:
        """The beginning of its files' names."""
        return f"{self.version:04}_{self.name}"


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Where a schema stands.

    Args:
        applied: The steps that were taken.
        pending: The steps that were not.
        foreign: Whether another implementation made the jobs table.
    """

    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]
    foreign: bool = False

    @property
    def version(self) -> int:
        """The version of the schema; 0 where nothing was applied."""
        return self.applied[-1].version if self.applied else 0


class Migrator:
    """Brings one schema to the version asked for.

    Args:
        settings: Where to connect, as the owner of the schema.
        package: The package that holds the engine's folder ``migrations``.
        files: The names of the files there.
        prefix: The schema.
    """

    def __init__(
        self, settings: ConnectionSettings, package: str, files: Sequence[str], prefix: str
    ) -> None:
        self._settings = settings
        self._package = package
        self.prefix = prefix
        matches = filter(None, (_NAME.fullmatch(name) for name in sorted(files)))
        self.migrations = tuple(
            Migration(int(found["version"]), found["name"]) for found in matches
        )

    async def status(self) -> MigrationStatus:
        """Return where the schema stands.

        Raises:
            DatabaseUnavailable: If the database can't be reached.
        """
        async with open_session(self._settings) as session:
            return await self._status(session)

    async def up(self, to: int | None = None) -> list[Migration]:
        """Apply what is pending, and return it.

        Args:
            to: The last version to apply; the newest if not given.

        Raises:
            MigrationError: If another implementation made the jobs table, or there is no such
                version.
            DatabaseError: If the database refuses.
        """
        target = self._check_target(self.migrations[-1].version if to is None else to)
        async with open_session(self._settings) as session:
            if (await self._status(session)).foreign:
                raise MigrationError(
                    f"schema {self.prefix!r} has a table oban_jobs that Staffa did not make: "
                    "adopting it is not yet available; choose another schema with --prefix"
                )
            await self._prepare(session)
            return await self._run(session, "up", target)

    async def down(self, to: int) -> list[Migration]:
        """Take back what is above a version, and return it.

        Args:
            to: The version that remains; 0 removes everything.

        Raises:
            MigrationError: If there is no such version, or a step belongs to a newer Staffa.
            DatabaseError: If the database refuses.
        """
        target = self._check_target(to)
        async with open_session(self._settings) as session:
            return await self._run(session, "down", target)

    async def remove(self) -> None:
        """Take everything back, and the schema as well, which must hold nothing else.

        Raises:
            DatabaseError: If the database refuses.
        """
        await self.down(0)
        async with open_session(self._settings) as session:
            await self._execute(session, "runner/drop_schema.sql")

    def sql(self) -> str:
        """Return all steps as one script for psql, for a schema that has none of them."""
        parts = [self._text("runner/create_table.sql")]
        for migration in self.migrations:
            record = self._text("runner/record.sql").replace("$1::int", str(migration.version))
            parts += [
                self._text(f"{migration.stem}.up.sql"),
                record.replace("$2::text", f"'{migration.name}'"),
            ]
        schema = set_prefix('CREATE SCHEMA IF NOT EXISTS :"prefix";\n', self.prefix)
        return "\n".join(["BEGIN;\n", schema, *parts, "COMMIT;\n"])

    async def _run(self, session: Session, direction: str, target: int) -> list[Migration]:
        done = []
        while (step := await self._step(session, direction, target)) is not None:
            done.append(step)
        return done

    async def _step(self, session: Session, direction: str, target: int) -> Migration | None:
        """Take one step in a transaction; the lock makes others wait and then see it done."""
        async with session.transaction():
            if not await self._lock(session):
                if direction == "up":
                    raise MigrationError(
                        f"schema {self.prefix!r} was taken down by somebody else at the same time: "
                        "run 'up' again"
                    )
                return None
            status = await self._status(session)
            step = _next_step(status, direction, target)
            if step is None:
                if direction == "down" and not status.applied:
                    await self._execute(session, "runner/drop_table.sql")
                return None
            if step not in self.migrations:
                raise MigrationError(
                    f"step {step.stem} of schema {self.prefix!r} belongs to a newer version of "
                    "Staffa: take it back with that version"
                )
            await self._execute(session, f"{step.stem}.{direction}.sql")
            if direction == "up":
                await self._execute(session, "runner/record.sql", step.version, step.name)
            else:
                await self._execute(session, "runner/forget.sql", step.version)
            return step

    async def _lock(self, session: Session) -> bool:
        """Wait for the turn, in a savepoint; tell whether there is any bookkeeping."""
        try:
            async with session.transaction():
                await self._execute(session, "runner/lock.sql")
        except SchemaMissing:
            return False
        return True

    async def _status(self, session: Session) -> MigrationStatus:
        # The jobs table comes first: somebody may commit it, together with its record, in between.
        has_jobs = await self._has_table(session, "oban_jobs")
        rows: Sequence[Mapping[str, Any]] = ()
        if await self._has_table(session, "staffa_migrations"):
            rows = await session.fetch(self._text("runner/applied.sql"))
        applied = tuple(Migration(row["version"], row["name"]) for row in rows)
        versions = {migration.version for migration in applied}
        pending = tuple(step for step in self.migrations if step.version not in versions)
        return MigrationStatus(applied, pending, foreign=has_jobs and not applied)

    async def _prepare(self, session: Session) -> None:
        """Create the schema and the bookkeeping; somebody else may be doing so at this moment."""
        while not await self._has_table(session, "staffa_migrations"):
            try:
                (row,) = await session.fetch(self._text("runner/has_schema.sql"), self.prefix)
                if not row["found"]:
                    await self._execute(session, "runner/create_schema.sql")
                await self._execute(session, "runner/create_table.sql")
            except DatabaseError as error:
                if error.sqlstate not in _MADE_MEANWHILE:
                    raise

    async def _has_table(self, session: Session, table: str) -> bool:
        (row,) = await session.fetch(self._text("runner/has_table.sql"), self.prefix, table)
        return bool(row["found"])

    async def _execute(self, session: Session, path: str, *params: Any) -> None:
        await session.execute(self._text(path), *params)

    def _text(self, path: str) -> str:
        return load_sql(self._package, f"migrations/{path}", self.prefix)

    def _check_target(self, version: int) -> int:
        known = [0, *(step.version for step in self.migrations)]
        if version not in known:
            raise MigrationError(
                f"there is no version {version}: known are {', '.join(map(str, known))}"
            )
        return version


def _next_step(status: MigrationStatus, direction: str, target: int) -> Migration | None:
    if direction == "up":
        return next((step for step in status.pending if step.version <= target), None)
    return next((step for step in reversed(status.applied) if step.version > target), None)
