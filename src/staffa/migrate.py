"""Migrations: numbered pairs of SQL files that bring a schema up or down, each in a transaction.

The runner is handed the folder that holds them: ``0001_name.up.sql`` and ``0001_name.down.sql``,
and in ``runner/`` the statements of the bookkeeping. What was applied is recorded in
``staffa_migrations``. Workers never migrate; they tell when it has to be done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from staffa._internal.sql import load_sql, set_prefix
from staffa.errors import DatabaseError, MigrationError, SchemaMissing

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)\.up\.sql")
_MADE_MEANWHILE = frozenset({"23505", "42710", "42P06", "42P07"})


class Session(Protocol):
    """A connection for the statements of one call."""

    async def execute(self, sql: str, *params: Any) -> None:
        """Run a statement, or a script of several if it has no parameters."""

    async def fetch(self, sql: str, *params: Any) -> Sequence[Mapping[str, Any]]:
        """Run a statement and return its rows."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Open a transaction, or a savepoint inside of one; rolled back on errors."""


class Connects(Protocol):
    """Where a driver connects."""

    def session(self, *, create: bool = False) -> AbstractAsyncContextManager[Session]:
        """Connect, and make the database if asked, where that is possible."""


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
        file: What messages call the database, where it is a file and so has no schemas.
    """

    def __init__(
        self,
        settings: Connects,
        package: str,
        files: Sequence[str],
        prefix: str,
        *,
        file: str | None = None,
    ) -> None:
        self._settings = settings
        self._package = package
        self.prefix = prefix
        self._file = file
        matches = filter(None, (_NAME.fullmatch(name) for name in sorted(files)))
        self.migrations = tuple(
            Migration(int(found["version"]), found["name"]) for found in matches
        )

    @property
    def place(self) -> str:
        """What messages call the place of the tables."""
        return f"schema {self.prefix!r}" if self._file is None else f"file {self._file!r}"

    async def status(self) -> MigrationStatus:
        """Return where the schema stands.

        Raises:
            DatabaseUnavailable: If the database can't be reached.
        """
        try:
            async with self._settings.session() as session:
                return await self._status(session)
        except SchemaMissing:  # not even the file is there
            return MigrationStatus((), self.migrations)

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
        async with self._settings.session(create=True) as session:
            if (await self._status(session)).foreign:
                raise MigrationError(
                    f"{self.place} has a table oban_jobs that Staffa did not make: adopting it is "
                    f"not yet available; choose another {self._remedy}"
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
        async with self._settings.session() as session:
            return await self._run(session, "down", target)

    async def remove(self) -> None:
        """Take everything back, and the schema as well, which must hold nothing else.

        Raises:
            DatabaseError: If the database refuses.
        """
        await self.down(0)
        async with self._settings.session() as session:
            await self._execute(session, "runner/drop_schema.sql")

    def script(self) -> str:
        """Return all steps as one script without a transaction around it."""
        return "\n".join(self._parts())

    def sql(self) -> str:
        """Return all steps as one script for psql, for a schema that has none of them."""
        return "\n".join(["BEGIN;\n", *self._parts(), "COMMIT;\n"])

    def _parts(self) -> list[str]:
        number, name = ("$1::int", "$2::text") if self._file is None else ("$1", "$2")
        parts = [self._text("runner/create_table.sql")]
        for migration in self.migrations:
            record = self._text("runner/record.sql").replace(number, str(migration.version))
            parts += [
                self._text(f"{migration.stem}.up.sql"),
                record.replace(name, f"'{migration.name}'"),
            ]
        if self._file is None:
            parts.insert(0, set_prefix('CREATE SCHEMA IF NOT EXISTS :"prefix";\n', self.prefix))
        return parts

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
                        f"{self.place} was taken down by somebody else at the same time: "
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
                    f"step {step.stem} of {self.place} belongs to a newer version of "
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

    @property
    def _remedy(self) -> str:
        return "schema with --prefix" if self._file is None else "file"

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
