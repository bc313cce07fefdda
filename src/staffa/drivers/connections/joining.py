"""How statements run on a user's connection: what all libraries have in common.

A single statement runs as it is. Several take effect together: in the transaction that is open, or
else in one of their own, at READ COMMITTED, as a statement must see what those have committed that
it has waited for. A dialogue may find out late that it can't be: in the user's transaction it has a
savepoint, so that nothing of it is left if the user goes on. Rows come back as the engine's own
connections have them, whatever the user has set: times in UTC, text as `str`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from datetime import UTC, datetime
from typing import Any, TypeVar

from staffa.dialogues import all_of, hold, hold_here, is_dialogue
from staffa.drivers.connections.texts import (
    RELEASE_SAVEPOINT,
    ROLLBACK_TO_SAVEPOINT,
    SAVEPOINT,
)
from staffa.engine import Dialect, Statement, Statements
from staffa.errors import ConfigError

T = TypeVar("T")
Rows = Sequence[Mapping[str, Any]]

_DATABASES: dict[Dialect, str] = {"postgres": "PostgreSQL", "sqlite": "SQLite"}


class Inline(ABC):
    """A user's connection that is used on the calling thread."""

    @abstractmethod
    def run(self, statements: Statements[T]) -> T:
        """Run statements.

        Raises:
            ConfigError: If they are for another database.
            DatabaseError: If the database refuses them.
        """

    @abstractmethod
    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Have something called after the outermost commit; tell whether that can be observed."""


class Awaited(ABC):
    """A user's connection whose calls are awaited."""

    @abstractmethod
    async def run(self, statements: Statements[T]) -> T:
        """Run statements.

        Raises:
            ConfigError: If they are for another database.
            DatabaseError: If the database refuses them.
        """

    @abstractmethod
    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Have something called after the outermost commit; tell whether that can be observed."""


class _Stepwise(ABC):
    """What runs statements one by one, and how it stands."""

    @property
    @abstractmethod
    def dialect(self) -> Dialect:
        """The database that it speaks to."""

    @abstractmethod
    def joins(self) -> bool:
        """Tell whether what is run now belongs to a transaction of the user's."""

    @abstractmethod
    def failures(self) -> AbstractContextManager[object]:
        """Return what raises the library's errors as ours."""

    def after_commit(self, callback: Callable[[], object]) -> bool:
        """Have something called after the outermost commit; tell whether that can be observed."""
        if self.joins():
            return False
        callback()  # what was run has been committed already
        return True

    def check(self, statements: Statements[Any]) -> None:
        """Refuse statements of another database.

        Raises:
            ConfigError: If they are of another one.
        """
        if statements.dialect != self.dialect:
            raise ConfigError(
                f"conn= is a connection to {_DATABASES[self.dialect]}, but the client's jobs are "
                f"in {_DATABASES[statements.dialect]}: give a connection to the database of the "
                "client"
            )


class InlineSteps(_Stepwise, Inline):
    """A connection of the calling thread, which runs statements one by one."""

    @abstractmethod
    def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """Begin a transaction of our own."""

    def prepare(self, hook: Callable[[Any], None]) -> None:  # PostgreSQL needs none
        """Call a hook with the connection of the database's driver."""

    def run(self, statements: Statements[T]) -> T:
        """Run statements."""
        self.check(statements)
        with self.failures():
            if statements.prepare is not None:
                self.prepare(statements.prepare)
            if not self.joins() and len(statements.parts) != 1:
                with self.transaction():
                    return self._run_all(statements)
            if is_dialogue(statements):
                with self._savepoint():
                    return self._run_all(statements)
            return self._run_all(statements)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._say(SAVEPOINT)
        try:
            yield
        except BaseException:
            with suppress(Exception):  # what the caller hears of is the error that led here
                self._say(ROLLBACK_TO_SAVEPOINT)
                self._say(RELEASE_SAVEPOINT)
            raise
        self._say(RELEASE_SAVEPOINT)

    def _say(self, sql: str) -> None:
        self.execute(Statement(sql, (), list, self.dialect))

    def _run_all(self, statements: Statements[T]) -> T:
        return hold_here(all_of(statements), self._run_one)

    def _run_one(self, statement: Statement[T]) -> T:
        return statement.decode(self.execute(statement))


class AwaitedSteps(_Stepwise, Awaited):
    """A connection whose calls are awaited, which runs statements one by one."""

    @abstractmethod
    async def execute(self, statement: Statement[Any]) -> Rows:
        """Run a statement."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Begin a transaction of our own."""

    async def prepare(self, hook: Callable[[Any], None]) -> None:
        """Call a hook with the connection of the database's driver."""

    async def run(self, statements: Statements[T]) -> T:
        """Run statements."""
        self.check(statements)
        with self.failures():
            if statements.prepare is not None:
                await self.prepare(statements.prepare)
            if not self.joins() and len(statements.parts) != 1:
                async with self.transaction():
                    return await self._run_all(statements)
            if is_dialogue(statements):
                async with self._savepoint():
                    return await self._run_all(statements)
            return await self._run_all(statements)

    @asynccontextmanager
    async def _savepoint(self) -> AsyncIterator[None]:
        await self._say(SAVEPOINT)
        try:
            yield
        except BaseException:
            with suppress(Exception):  # what the caller hears of is the error that led here
                await self._say(ROLLBACK_TO_SAVEPOINT)
                await self._say(RELEASE_SAVEPOINT)
            raise
        await self._say(RELEASE_SAVEPOINT)

    async def _say(self, sql: str) -> None:
        await self.execute(Statement(sql, (), list, self.dialect))

    async def _run_all(self, statements: Statements[T]) -> T:
        return await hold(all_of(statements), self._run_one)

    async def _run_one(self, statement: Statement[T]) -> T:
        return statement.decode(await self.execute(statement))


def numbered(statement: Statement[Any]) -> dict[str, Any]:
    """Return a statement's parameters by their numbers.

    Example:
        >>> numbered(Statement("SELECT $1", ("a",), list))
        {'1': 'a'}
    """
    return {str(number): value for number, value in enumerate(statement.params, start=1)}


def as_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return rows by the names of their columns, in the form that the decoders expect."""
    return [dict(zip(names, map(_usual, row), strict=True)) for row in rows]


def _usual(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, bytes | memoryview):  # of a session without an encoding, or text_factory
        return bytes(value).decode("utf-8")
    return value
