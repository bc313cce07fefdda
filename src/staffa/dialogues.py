"""Statements of one transaction, where later ones depend on what earlier ones have found.

A dialogue yields statements and is sent their results. It does no I/O, so an engine that awaits and
one that does not run the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from staffa.statement import Dialect, Statement, Statements

T = TypeVar("T")

Dialogue = Generator[Statement[Any], Any, T]


@dataclass(frozen=True, slots=True)
class Conversation(Statements[T]):
    """A dialogue, for whoever runs statements together; it is begun anew should all be run again.

    Args:
        begin: Begins the dialogue.
        recipe: Describes it as plain JSON, where another process is to hold it.
    """

    begin: Callable[[], Dialogue[T]] | None = None
    recipe: Mapping[str, Any] | None = None

    @classmethod
    def held(
        cls,
        begin: Callable[[], Dialogue[T]],
        dialect: Dialect = "postgres",
        prepare: Callable[[Any], None] | None = None,
        recipe: Mapping[str, Any] | None = None,
    ) -> Conversation[T]:
        """Return a dialogue as statements."""
        return cls((), _unasked, dialect, prepare, begin=begin, recipe=recipe)


def is_dialogue(statements: Statements[Any]) -> bool:
    """Tell whether statements depend on what earlier ones of them have found."""
    return isinstance(statements, Conversation)


def _unasked(results: list[Any]) -> Any:
    raise AssertionError("a dialogue makes its result itself")


def all_of(statements: Statements[T]) -> Dialogue[T]:
    """Have statements run, and return what they result in."""
    if isinstance(statements, Conversation) and statements.begin is not None:
        begin: Callable[[], Dialogue[T]] = statements.begin
        return (yield from begin())
    results: list[Any] = []
    for part in statements.parts:
        statement = part()
        result = None if statement is None else (yield statement)
        results.append(result)
    return statements.combine(results)


async def hold(dialogue: Dialogue[T], run: Callable[[Statement[Any]], Awaitable[Any]]) -> T:
    """Hold a dialogue in a transaction.

    Args:
        dialogue: The statements.
        run: Runs one of them in the transaction.
    """
    result: Any = None
    while True:
        try:
            statement = dialogue.send(result)
        except StopIteration as end:
            found: T = end.value
            return found
        result = await run(statement)


def hold_here(dialogue: Dialogue[T], run: Callable[[Statement[Any]], Any]) -> T:
    """Do the same where nothing waits."""
    result: Any = None
    while True:
        try:
            statement = dialogue.send(result)
        except StopIteration as end:
            found: T = end.value
            return found
        result = run(statement)
