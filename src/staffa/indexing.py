"""The indexes that steps put on the jobs table, which may be in use, and be somebody else's.

Each is a pair of files in the folder ``indexes`` of the migrations, named by its step's number and
its own name. A table in use must be neither locked for the time of a build nor, which is worse, for
the time that the build waits for a long transaction, with everybody behind it. So there they are
built and dropped CONCURRENTLY, which PostgreSQL does outside of transactions only: on a second
connection, while the first one holds the migrations' lock. The first one must not have touched the
jobs table in its transaction, or the second would wait for it for ever.

What is interrupted leaves an index that is not used; the next build drops it and begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from staffa._internal.sql import find_folder, load_sql
from staffa.errors import DatabaseError, MigrationError
from staffa.steps import Connects, Session

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)\.up\.sql")
_FOLDER = "migrations/indexes"
_MARK = "/* CONCURRENTLY */"
_LOCK_TIMEOUT = "55P03"


@dataclass(frozen=True, slots=True)
class StepIndex:
    """An index of a step.

    Args:
        version: The step.
        name: Its name.
    """

    version: int
    name: str


class StepIndexes:
    """The indexes of all steps.

    Args:
        settings: Where to connect.
        package: The package that holds the engine's folder ``migrations``.
        prefix: The schema.
    """

    def __init__(self, settings: Connects, package: str, prefix: str) -> None:
        self._settings = settings
        self._package = package
        self._prefix = prefix
        folder = find_folder(package).joinpath(_FOLDER)
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        matches = filter(None, map(_NAME.fullmatch, names))
        self._all = tuple(StepIndex(int(found["version"]), found["name"]) for found in matches)

    def __bool__(self) -> bool:
        return bool(self._all)

    def of_step(self, version: int) -> list[StepIndex]:
        """Return the indexes of a step."""
        return [index for index in self._all if index.version == version]

    def texts(self, version: int, direction: str = "up") -> list[str]:
        """Return the statements that make or drop the indexes of a step, within a transaction."""
        return [self._text(index, direction) for index in self.of_step(version)]

    async def build(self, version: int) -> None:
        """Build the indexes of a step beside the use of the table, but those that are there.

        Raises:
            MigrationError: If a transaction that is older than the build does not end.
            DatabaseError: If the database refuses.
        """
        async with self._settings.session() as session:
            for index in self.of_step(version):
                valid = await self._is_valid(session, index)
                if valid:
                    continue
                if valid is False:
                    await self._run(session, index, "down")
                await self._run(session, index, "up")

    async def drop(self, version: int) -> None:
        """Drop the indexes of a step beside the use of the table, those that are there."""
        await self._drop(self.of_step(version))

    async def drop_above(self, version: int) -> None:
        """Drop what interrupted builds of the steps above a version have left."""
        await self._drop(index for index in self._all if index.version > version)

    async def _drop(self, indexes: Iterable[StepIndex]) -> None:
        async with self._settings.session() as session:
            for index in indexes:
                if await self._is_valid(session, index) is not None:
                    await self._run(session, index, "down")

    async def _run(self, session: Session, index: StepIndex, direction: str) -> None:
        try:
            await session.execute(self._text(index, direction).replace(_MARK, "CONCURRENTLY"))
        except DatabaseError as error:
            if error.sqlstate != _LOCK_TIMEOUT:
                raise
            raise MigrationError(
                f"index {index.name} still waits for a transaction that began before it, so it was "
                "given up: end that one (the oldest xact_start of pg_stat_activity), and give the "
                "command again, which goes on where this one stopped"
            ) from error

    async def _is_valid(self, session: Session, index: StepIndex) -> bool | None:
        """Tell whether an index is used; None where it is not there."""
        text = load_sql(self._package, "migrations/runner/index_state.sql", self._prefix)
        rows = await session.fetch(text, self._prefix, index.name)
        return bool(rows[0]["valid"]) if rows else None

    def _text(self, index: StepIndex, direction: str) -> str:
        path = f"{_FOLDER}/{index.version:04}_{index.name}.{direction}.sql"
        return load_sql(self._package, path, self._prefix)
