"""Migrations: numbered pairs of SQL files that bring a schema up or down, each in a transaction.

The runner is handed the folder that holds them: ``0001_name.up.sql`` and ``0001_name.down.sql``,
in ``indexes/`` those on the jobs table, and in ``runner/`` the statements of the bookkeeping. What
was applied is recorded in ``staffa_migrations``. Workers never migrate; they tell when it has to be
done.

A jobs table that another implementation made is adopted: in place of the first step one is recorded
whose name tells who made the table. Nothing is run for that, neither up nor down; all other steps
add to the table and take away again what they have added.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from staffa._internal.backoff import Backoff
from staffa._internal.sql import load_sql, set_prefix
from staffa.errors import DatabaseError, MigrationError, SchemaMissing, StatementConflict
from staffa.indexing import StepIndexes
from staffa.steps import ADOPTED, Addition, Connects, Migration, MigrationStatus, Session

Examine = Callable[[Session], Awaitable[str]]

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)\.up\.sql")
LONGEST_WAIT_SECONDS = 300.0
_MADE = re.compile(r'^CREATE (TABLE|FUNCTION) (?:IF NOT EXISTS )?"public"\.(\w+)', re.MULTILINE)
_MADE_MEANWHILE = frozenset({"23505", "42710", "42P06", "42P07"})


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
        self._indexes = StepIndexes(settings, package, prefix)
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
                    f"{self.place} has a table oban_jobs that Staffa did not make: " + self._remedy
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

    async def adopt(self, examine: Examine) -> Migration | None:
        """Record that another implementation's jobs table takes the place of ours.

        Nothing else is done: what is pending then is for `up`.

        Args:
            examine: Tells who made the table, or raises an error if it can't be adopted. Called
                before anything is written, and again where nobody else can migrate.

        Returns:
            What was recorded; None if a step was taken before, so that there is nothing to adopt.

        Raises:
            DatabaseError: If the database refuses.
        """
        async with self._settings.session() as session:
            if (await self._status(session)).applied:
                return None
            await examine(session)
            await self._prepare(session)
            async with session.transaction():
                if not await self._lock(session):
                    raise self._taken_down()
                if (await self._status(session)).applied:
                    return None
                step = Migration(self.migrations[0].version, ADOPTED + await examine(session))
                await self._execute(session, "runner/record.sql", step.version, step.name)
                return step

    def additions(self, after: int, *, bookkeeping: bool) -> list[Addition]:
        """Return what the steps above a version add, without what belongs to a table of theirs.

        Args:
            after: The version.
            bookkeeping: Whether that is still to be made as well.
        """
        found = self._made(0, "runner/create_table.sql") if bookkeeping else []
        for step in self.migrations:
            if step.version > after:
                found += self._made(step.version, f"{step.stem}.up.sql")
                found += [
                    Addition(step.version, "index", index.name)
                    for index in self._indexes.of_step(step.version)
                ]
        return found

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
                *self._indexes.texts(migration.version),
                record.replace(name, f"'{migration.name}'"),
            ]
        if self._file is None:
            parts.insert(0, set_prefix('CREATE SCHEMA IF NOT EXISTS :"prefix";\n', self.prefix))
        return parts

    async def _run(self, session: Session, direction: str, target: int) -> list[Migration]:
        # Where the jobs table goes as well, it is locked in any case.
        spared = direction == "up" or target > 0
        in_use = spared and await self._has_rows(session)
        done = []
        while (step := await self._step(session, direction, target, in_use)) is not None:
            done.append(step)
        return done

    async def _step(
        self, session: Session, direction: str, target: int, in_use: bool
    ) -> Migration | None:
        """Take one step in a transaction; the lock makes others wait and then see it done."""
        async with session.transaction():
            if not await self._lock(session):
                if direction == "up":
                    raise self._taken_down()
                return None
            status = await self._status(session)
            step = _next_step(status, direction, target)
            if step is None:
                if direction == "down" and not status.applied:
                    await self._execute(session, "runner/drop_table.sql")
                return None
            if step not in self.migrations and step.adopted is None:
                raise MigrationError(
                    f"step {step.stem} of {self.place} belongs to a newer version of "
                    "Staffa: take it back with that version"
                )
            beside = in_use or status.adopted is not None
            if direction == "up":
                await self._take(session, step, beside)
            else:
                await self._take_back(session, step, beside)
            return step

    async def _take(self, session: Session, step: Migration, beside: bool) -> None:
        if beside:
            await self._let_go(session)
            await self._indexes.build(step.version)
        await self._execute(session, f"{step.stem}.up.sql")
        if not beside:
            await self._execute_all(session, self._indexes.texts(step.version))
        await self._execute(session, "runner/record.sql", step.version, step.name)

    async def _take_back(self, session: Session, step: Migration, beside: bool) -> None:
        if step.adopted is not None:
            await self._let_go(session)
            await self._indexes.drop_above(step.version)
        elif beside:
            await self._let_go(session)
            # Before our tables are locked: who waits for them may have a lock on the jobs table,
            # and the drop waits for that.
            await self._indexes.drop(step.version)
            try:
                await self._execute(session, f"{step.stem}.down.sql")
            except DatabaseError:
                await self._indexes.build(step.version)  # the step is not taken back
                raise
        else:
            await self._execute(session, f"{step.stem}.down.sql")
            await self._execute_all(session, self._indexes.texts(step.version, "down"))
        await self._execute(session, "runner/forget.sql", step.version)

    async def _let_go(self, session: Session) -> None:
        """Keep nothing in this transaction that something beside it would wait for."""
        await self._execute(session, "runner/let_go.sql")

    async def _execute_all(self, session: Session, texts: Iterable[str]) -> None:
        for text in texts:
            await session.execute(text)

    async def _lock(self, session: Session) -> bool:
        """Ask for the turn until it has come, in savepoints; tell if there is any bookkeeping."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_WAIT_SECONDS
        backoff = Backoff(first_seconds=0.02, cap_seconds=1.0)
        while True:
            try:
                async with session.transaction():
                    await self._execute(session, "runner/lock.sql")
            except SchemaMissing:
                return False
            except StatementConflict as error:
                if loop.time() >= until:
                    raise MigrationError(
                        f"somebody else has been migrating {self.place} for long: wait for that, "
                        f"then run this again ({error})"
                    ) from error
            else:
                return True
            await asyncio.sleep(backoff.next_seconds())

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

    async def _has_rows(self, session: Session) -> bool:
        """Tell whether the jobs table has any, and may so be in use; not in a transaction."""
        if not self._indexes or not await self._has_table(session, "oban_jobs"):
            return False
        try:
            (row,) = await session.fetch(self._text("runner/has_rows.sql"))
        except SchemaMissing:  # somebody has just dropped it
            return False
        return bool(row["found"])

    async def _has_table(self, session: Session, table: str) -> bool:
        (row,) = await session.fetch(self._text("runner/has_table.sql"), self.prefix, table)
        return bool(row["found"])

    async def _execute(self, session: Session, path: str, *params: Any) -> None:
        await session.execute(self._text(path), *params)

    @property
    def _remedy(self) -> str:
        if self._file is None:
            return "run 'staffa adopt', or choose another schema with --prefix"
        return "choose another file"

    def _taken_down(self) -> MigrationError:
        return MigrationError(
            f"{self.place} was taken down by somebody else at the same time: run it again"
        )

    def _made(self, version: int, path: str) -> list[Addition]:
        text = load_sql(self._package, f"migrations/{path}", "public")
        return [Addition(version, kind.lower(), name) for kind, name in _MADE.findall(text)]

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
