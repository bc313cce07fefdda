"""What the builders have in common: their texts, how values go in and out, the simplest decoders.

The engines share the builders, not the texts: each has a folder ``sql/`` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from staffa._internal.sql import load_sql
from staffa.engine import Dialect, Statement
from staffa.engines.statements.conditions import POSTGRES_PHRASES, SKIP_LOCKED, WAIT_MARK, Phrases

T = TypeVar("T")

Row = Mapping[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Idiom:
    """How an engine's statements are written and read.

    Args:
        dialect: The database.
        package: The package whose folder ``sql/`` has the texts.
        encode: Returns the parameters as the driver takes them; as they are if not given.
        decode: Returns a row as the decoders expect it; as it is if not given.
        phrases: How conditions of filters are written.
        by_rows: Whether a verb takes one array of rows, its first parameter, in place of several
            arrays: where arrays are JSON, to look up each place in all of them would take the
            square of their length.
    """

    dialect: Dialect
    package: str
    encode: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None
    decode: Callable[[Row], Row] | None = None
    phrases: Phrases = POSTGRES_PHRASES
    by_rows: bool = False


POSTGRES = Idiom("postgres", "staffa.engines.postgres")


class Area:
    """The statements of one folder of ``sql/``, for one schema.

    Args:
        prefix: The schema.
        idiom: How the engine's statements are written.
    """

    folder: str

    def __init__(self, prefix: str, idiom: Idiom = POSTGRES) -> None:
        self._prefix = prefix
        self._idiom = idiom

    @property
    def dialect(self) -> Dialect:
        """The database that they are for."""
        return self._idiom.dialect

    def text(self, verb: str) -> str:
        """Return the text of a verb's file."""
        return load_sql(self._idiom.package, f"sql/{self.folder}/{verb}.sql", self._prefix)

    def statement(
        self,
        verb: str,
        params: tuple[Any, ...],
        decode: Callable[[Rows], T],
        *,
        wait: bool = True,
    ) -> Statement[T]:
        """Return the statement of a verb's file; it may leave out the rows that others hold."""
        if self._idiom.by_rows:
            params = _by_rows(params)
        text = self.text(verb)
        if not wait:
            text = text.replace(WAIT_MARK, SKIP_LOCKED)
        return self.spelled(text, params, decode)

    def spelled(
        self, sql: str, params: tuple[Any, ...], decode: Callable[[Rows], T]
    ) -> Statement[T]:
        """Return a statement, its parameters and rows as the driver has them."""
        idiom = self._idiom
        if idiom.encode is not None:
            params = idiom.encode(params)
        readable = idiom.decode
        if readable is None:
            return Statement(sql, params, decode, idiom.dialect)
        return Statement(
            sql, params, lambda rows: decode([readable(row) for row in rows]), idiom.dialect
        )


def _by_rows(params: tuple[Any, ...]) -> tuple[Any, ...]:
    lists = [value for value in params if isinstance(value, list | tuple)]
    if len(lists) < 2:  # one is as it should be
        return params
    others = (value for value in params if not isinstance(value, list | tuple))
    return (list(zip(*lists, strict=True)), *others)


def count(rows: Rows) -> int:
    """Return how many rows came back."""
    return len(rows)


def any_row(rows: Rows) -> bool:
    """Tell whether a row came back."""
    return bool(rows)
