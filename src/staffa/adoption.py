"""The contract of adopting tables of another implementation: what is found, and if it will do.

Elixir Oban writes the version of its schema as the comment of the jobs table. Python's ``oban``
writes none; its tables of leaders and producers tell it, and the form of the columns whether it is
new enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from staffa.errors import MigrationError
from staffa.maintenance import IndexSize
from staffa.survey import ELIXIR, PYTHON
from staffa.types import State

ELIXIR_VERSION = 14
"""The version of Elixir Oban's schema that is adopted."""

_NUMBERS = ("attempt", "max_attempts", "priority")
_TIMES = (
    "inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at",
)  # fmt: skip
_TYPES: dict[str, tuple[str, ...]] = {
    "id": ("bigint",),
    "state": ("oban_job_state",),
    **dict.fromkeys(("queue", "worker"), ("text",)),
    **dict.fromkeys(("args", "meta"), ("jsonb",)),
    "errors": ("jsonb[]", "jsonb"),
    **dict.fromkeys(("tags", "attempted_by"), ("text[]",)),
    **dict.fromkeys(_NUMBERS, ("smallint", "integer")),
    **dict.fromkeys(_TIMES, ("timestamp without time zone",)),
}
_WRITTEN = frozenset(
    {
        "state", "queue", "worker", "args", "meta", "tags", "priority", "max_attempts",
        "inserted_at", "scheduled_at",
    }
)  # fmt: skip
"""The columns that an insert of ours gives."""


class Origin(StrEnum):
    """Whose table it is."""

    ELIXIR = "elixir"
    PYTHON = "python"

    @property
    def maker(self) -> str:
        """What people call it."""
        return {"elixir": ELIXIR, "python": PYTHON}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a jobs table.

    Args:
        name: Its name.
        type: As PostgreSQL writes it.
        nullable: Whether it may be null.
        fills: Whether it has a value where an insert gives none.
    """

    name: str
    type: str
    nullable: bool
    fills: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A running process of another implementation, or its leader.

    Args:
        name: Its instance.
        node: Where it runs.
        queue: What it runs; empty for a leader.
    """

    name: str
    node: str
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTable:
    """A relation ``oban_jobs``, as the database describes it.

    Args:
        place: The schema, as messages call it.
        schema: Its name.
        kind: ``table``, or what else it is.
        comment: Its comment.
        owner: Who owns it.
        rows: About how many it has; None before it was ever counted.
        table_bytes: How large it is, without its indexes.
        index_bytes: How large those are.
        may_index: Whether whoever asks may put indexes on it.
        may_create: Whether they may make tables in the schema.
        peers: Whether there is Elixir's table of leaders.
        leaders: Whether there is Python's.
        producers: Whether there is Python's table of producers.
        states: The states that its type knows.
        ids: Where the ids come from.
        oldest_transaction: Seconds since the oldest transaction began; a build of an index waits
            for it.
        columns: Its columns.
        indexes: Its indexes.
    """

    place: str
    schema: str
    kind: str
    comment: str | None
    owner: str
    rows: int | None
    table_bytes: int
    index_bytes: int
    may_index: bool
    may_create: bool
    peers: bool
    leaders: bool
    producers: bool
    states: tuple[str, ...]
    ids: str
    oldest_transaction: float
    columns: tuple[Column, ...]
    indexes: tuple[IndexSize, ...]

    def type_of(self, column: str) -> str:
        """Return the type of a column that is there."""
        return next(found.type for found in self.columns if found.name == column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Who works on a table that is to be adopted.

    Args:
        leading: The leaders, Elixir's and Python's.
        producing: Python's producers; Elixir's are in no table.
        running: How many jobs run at each node.
    """

    leading: tuple[Worker, ...]
    producing: tuple[Worker, ...]
    running: dict[str, int]


def judge(table: FoundTable | None, place: str) -> Origin:
    """Tell whose table it is.

    Args:
        table: The table; None where there is none.
        place: What messages call the schema.

    Raises:
        MigrationError: If it can't be adopted; the message says why, and what to do.
    """
    if table is None:
        raise MigrationError(
            f"{place} has no table oban_jobs, so there is nothing to adopt: run 'staffa migrate "
            "up', or name the schema of the table with --prefix"
        )
    if table.kind != "table":
        raise MigrationError(
            f"oban_jobs in {place} is a {table.kind}: only an ordinary table can be adopted; "
            "choose another schema with --prefix"
        )
    origin = _find_origin(table)
    obstacles = list(_find_obstacles(table))
    if obstacles:
        raise MigrationError(
            f"the table of {origin.maker} in {place} can't be adopted: {'; '.join(obstacles)}. "
            + _remedy_of_form(origin)
        )
    if not (table.may_index and table.may_create):
        raise MigrationError(
            f"adopting adds tables to {place} and indexes to oban_jobs, which only the owner of "
            f"both may: give --dsn with the role {table.owner!r}"
        )
    return origin


def _find_origin(table: FoundTable) -> Origin:
    comment = (table.comment or "").strip()
    if re.fullmatch(r"\d{1,6}", comment):
        _check_elixir(table, int(comment))
        return Origin.ELIXIR
    if table.leaders and table.producers:
        return Origin.PYTHON
    has = f"the comment {comment[:80]!r}" if comment else "no comment"
    if table.peers:
        raise MigrationError(
            f"oban_jobs in {table.place} looks like Elixir Oban's, but has {has} in place of the "
            "version of its schema: if it was lost, as in a dump without comments, write it back "
            f"as COMMENT ON TABLE oban_jobs IS '{ELIXIR_VERSION}' (or the version that you know "
            "it has), then try again"
        )
    raise MigrationError(
        f"oban_jobs in {table.place} was made neither by Elixir Oban, which writes the version of "
        f"its schema as the table's comment (this one has {has}), nor by Python's oban, which has "
        "tables oban_leaders and oban_producers beside it: choose another schema with --prefix"
    )


def _check_elixir(table: FoundTable, version: int) -> None:
    if version == ELIXIR_VERSION:
        return
    if version > ELIXIR_VERSION:
        raise MigrationError(
            f"the schema of Elixir Oban in {table.place} has version {version}, and this Staffa "
            f"knows {ELIXIR_VERSION} as the newest: update Staffa. Nothing was changed"
        )
    prefix = "" if table.schema == "public" else f', prefix: "{table.schema}"'
    raise MigrationError(
        f"the schema of Elixir Oban in {table.place} has version {version}, and version "
        f"{ELIXIR_VERSION} is needed: write an Ecto migration whose up calls "
        f"Oban.Migration.up(version: {ELIXIR_VERSION}{prefix}), run 'mix ecto.migrate', then "
        "'staffa adopt' again"
    )


def _find_obstacles(table: FoundTable) -> Iterator[str]:
    """Find what Staffa's statements could not work with."""
    columns = {column.name: column for column in table.columns}
    for name, types in _TYPES.items():
        if name not in columns:
            yield f"it has no column {name}"
        elif columns[name].type not in types:
            yield f"column {name} is of type {columns[name].type}, not {' or '.join(types)}"
    for column in table.columns:
        if column.name not in _WRITTEN and not column.nullable and not column.fills:
            yield f"column {column.name} must not be null and has no default"
    missing = [state.value for state in State if state.value not in table.states]
    if missing:
        yield f"its states lack {', '.join(missing)}"


def _remedy_of_form(origin: Origin) -> str:
    if origin is Origin.ELIXIR:
        return (
            f"Its comment says version {ELIXIR_VERSION}, so somebody has changed it since: bring "
            "it back to that form"
        )
    return (
        "Tables of the package since 0.6 can be: install its newest version, and see that its "
        "schema is brought up to date"
    )


def describe_nullable(table: FoundTable) -> list[str]:
    """Return the columns that may be null with a jobs table of theirs, and not with ours."""
    ours = {*_TIMES[2:], "attempted_by"}
    return [column.name for column in table.columns if column.nullable and column.name not in ours]


def describe_numbers(table: FoundTable) -> Sequence[str]:
    """Return the types of attempt, max_attempts and priority, each once."""
    return sorted({table.type_of(name) for name in _NUMBERS})


def title_of(origin: str) -> str:
    """Return what people call the maker of an adopted table, also one of a newer Staffa's.

    Example:
        >>> title_of("elixir")
        'Elixir Oban'
    """
    return Origin(origin).maker if origin in set(Origin) else origin
