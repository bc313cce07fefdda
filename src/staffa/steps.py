"""The steps of a schema: their names, which were taken, and the connections that they run on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

ADOPTED = "adopted_"
"""How the name of the first step begins where the jobs table was adopted, before its maker's."""


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

    @property
    def adopted(self) -> str | None:
        """Who made what this step would have made; None where it was made by the step.

        Example:
            >>> Migration(1, "adopted_elixir").adopted, Migration(1, "oban_jobs").adopted
            ('elixir', None)
        """
        return self.name.removeprefix(ADOPTED) if self.name.startswith(ADOPTED) else None


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Where a schema stands.

    Args:
        applied: The steps that were taken.
        pending: The steps that were not.
        foreign: Whether another implementation made the jobs table, and it was not adopted.
    """

    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]
    foreign: bool = False

    @property
    def version(self) -> int:
        """The version of the schema; 0 where nothing was applied."""
        return self.applied[-1].version if self.applied else 0

    @property
    def adopted(self) -> str | None:
        """Who made the jobs table, where it was adopted."""
        return self.applied[0].adopted if self.applied else None


@dataclass(frozen=True, slots=True)
class Addition:
    """Something that a step adds to a schema.

    Args:
        version: Of the step.
        kind: ``table``, ``function`` or ``index``, the latter on the jobs table.
        name: Its name.
    """

    version: int
    kind: str
    name: str
