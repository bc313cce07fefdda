"""How PostgreSQL would run a statement, told by its planner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson

from staffa.drivers.asyncpg import Access
from staffa.engine import Statement

_JOBS = "oban_jobs"


@dataclass(frozen=True, slots=True)
class Scan:
    """How a plan reads a table.

    Args:
        kind: The node, such as "Index Scan".
        index: The index it uses; None for a sequential scan.
        alias: The name that the statement gave to the table there.
        condition: What is asked of the index.
    """

    kind: str
    index: str | None
    alias: str
    condition: str | None = field(default=None, compare=False)


async def explain(
    connection: asyncpg.Connection,
    statement: Statement[Any],
    *,
    generic: bool,
    access: Access | None = None,
    table: str = _JOBS,
) -> list[Scan]:
    """Return the scans of a table in the plan of a statement.

    Args:
        connection: A connection with the engine's own settings.
        statement: What would be run.
        generic: Whether the plan must do for any parameters, as a cached one would have to; else
            it is made for these.
        access: How the connection that runs it finds rows, if that is fixed.
        table: The table; that of the jobs if not given.
    """
    if not generic:
        found = await connection.fetchval(
            f"EXPLAIN (FORMAT JSON) {statement.sql}", *statement.params
        )
        return list(_scans(orjson.loads(found)[0]["Plan"], table))
    nulls = ", ".join(["NULL"] * len(statement.params))
    call = f"EXECUTE looked_at({nulls})" if nulls else "EXECUTE looked_at"
    async with connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for setting, value in ({} if access is None else access.value).items():
            await connection.execute(f"SET LOCAL {setting} = {value}")
        await connection.execute(f"PREPARE looked_at AS {statement.sql}")
        found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {call}")
        await connection.execute("DEALLOCATE looked_at")
    return list(_scans(orjson.loads(found)[0]["Plan"], table))


async def read_blocks(connection: asyncpg.Connection, statement: Statement[Any]) -> int:
    """Run a statement, and return how many blocks it has touched."""
    found = await connection.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.sql}", *statement.params
    )
    return _blocks(found)


async def read_fixed_blocks(
    connection: asyncpg.Connection, statement: Statement[Any], access: Access
) -> int:
    """Do the same by a plan that was made once, for a connection that finds rows in one way."""
    literals = [
        await connection.fetchval("SELECT quote_nullable($1::text)", _as_text(value))
        for value in statement.params
    ]
    async with connection.transaction():
        for setting, value in access.value.items():
            await connection.execute(f"SET LOCAL {setting} = {value}")
        await connection.execute(f"PREPARE looked_at AS {statement.sql}")
        found = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE looked_at({', '.join(literals)})"
        )
        await connection.execute("DEALLOCATE looked_at")
    return _blocks(found)


def _as_text(value: object) -> str | None:
    """Return a parameter as a literal has it."""
    if isinstance(value, list):
        return "{" + ",".join(map(str, value)) + "}"
    return None if value is None else str(value)


def _blocks(found: str) -> int:
    plan = orjson.loads(found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _scans(node: dict[str, Any], table: str) -> Iterator[Scan]:
    children = node.get("Plans", [])
    if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable":
        found: dict[str, Any] = next(
            (child for child in (node, *children) if "Index Name" in child), {}
        )
        yield Scan(
            node["Node Type"], found.get("Index Name"), node["Alias"], found.get("Index Cond")
        )
    for child in children:
        yield from _scans(child, table)
