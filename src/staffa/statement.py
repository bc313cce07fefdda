"""What is run in a database, by whoever runs it: an engine, or a user's own connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar, cast

T = TypeVar("T")

Dialect = Literal["postgres", "sqlite"]
"""Which database a statement is for."""


@dataclass(frozen=True, slots=True)
class Statement(Generic[T]):
    """A statement that is ready to run, whoever runs it.

    Args:
        sql: Its text, with ``$1`` and so on for the parameters.
        params: The parameters.
        decode: Makes the result of the rows.
        dialect: The database that it is for; on another one it is refused.
    """

    sql: str
    params: tuple[Any, ...]
    decode: Callable[[Sequence[Mapping[str, Any]]], T]
    dialect: Dialect = "postgres"


Part = Callable[[], Statement[Any] | None]


@dataclass(frozen=True, slots=True)
class Alone(Generic[T]):
    """A statement that mostly does what several would do, and otherwise nothing.

    Args:
        make: Makes it; it results in None where it has done nothing.
        on_failure: Called where that is so, or where it lost against somebody else's statement.
    """

    make: Callable[[], Statement[T | None]]
    on_failure: Callable[[], None]

    def begun(self) -> Alone[T]:
        """Return the same with the statement made already."""
        made = self.make()
        return Alone(lambda: made, self.on_failure)


@dataclass(frozen=True, slots=True)
class Statements(Generic[T]):
    """Statements that take effect together: run in their order in one transaction.

    Args:
        parts: Each makes its statement when its turn has come, so that only one of them is in
            memory; and again, should all be run again. It may then find that there is nothing left
            to do, and make none. A single one needs no transaction.
        combine: Makes the result of the results of all; that of a statement not made is None.
        dialect: The database that they are for; on another one they are refused.
        prepare: Called with the raw connection of the database's driver before they run there, for
            what they need on it; nothing if not given.
        alone: What is tried first where it may fail, which it may not in a user's transaction.
    """

    parts: Sequence[Part]
    combine: Callable[[list[Any]], T]
    dialect: Dialect = "postgres"
    prepare: Callable[[Any], None] | None = None
    alone: Alone[T] | None = None

    def begun(self) -> Statements[T]:
        """Return the same with the first statement made already."""
        if self.alone is not None:
            return replace(self, alone=self.alone.begun())
        if not self.parts:
            return self
        made = self.parts[0]()
        begun: Statements[T] = replace(self, parts=[lambda: made, *self.parts[1:]])
        return begun

    @classmethod
    def of(cls, statement: Statement[T]) -> Statements[T]:
        """Return a single statement as such."""
        return cls([lambda: statement], lambda results: cast("T", results[0]), statement.dialect)
