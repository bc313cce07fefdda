"""The heartbeat reads what has changed, however much was set before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import orjson
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.engines.statements.dynamic import DynamicStatements
from staffa.engines.statements.nodes import ProducerStatements
from tests.plans.hot import PRODUCER

COUNT = 20_000


async def fill(connection: asyncpg.Connection, prefix: str) -> None:
    """Set options of very many queues."""
    await connection.execute(
        f"""
        INSERT INTO {quote_identifier(prefix)}.staffa_queues
               (name, queue, scope, option, value, version, changed_at)
        SELECT $1, 'queue ' || number, '*', 'limit', '5', number, timezone('UTC', now())
          FROM generate_series(1, $2::int) AS number
        """,
        PRODUCER.name,
        COUNT,
    )


def scans(node: dict[str, Any], table: str) -> Iterator[tuple[str, str | None]]:
    """Yield how a plan reads a table."""
    children = node.get("Plans", [])
    if node.get("Relation Name") == table:
        bitmap = next((child["Index Name"] for child in children if "Index Name" in child), None)
        yield node["Node Type"], node.get("Index Name") or bitmap
    for child in children:
        yield from scans(child, table)


@pytest.mark.parametrize("analyzed", [False, True])
async def test_a_beat_reads_only_what_has_changed(
    planner: asyncpg.Connection, prefix: str, analyzed: bool
) -> None:
    await fill(planner, prefix)
    if analyzed:
        await planner.execute(f"ANALYZE {quote_identifier(prefix)}.staffa_queues")
    statement = ProducerStatements(prefix).beat(PRODUCER, COUNT)
    found = await planner.fetchval(f"EXPLAIN (FORMAT JSON) {statement.sql}", *statement.params)
    ((kind, index),) = scans(orjson.loads(found)[0]["Plan"], "staffa_queues")
    assert index == "staffa_queues_changes", kind


@pytest.mark.parametrize("analyzed", [False, True])
async def test_of_dynamic_queues_only_those_that_have_changed_are_read(
    planner: asyncpg.Connection, prefix: str, analyzed: bool
) -> None:
    table = f"{quote_identifier(prefix)}.staffa_dynamic_queues"
    await planner.execute(
        f"""
        INSERT INTO {table} (name, queue, options, version, inserted_at, changed_at)
        SELECT $1, 'queue ' || number, '{{}}', number, at, at
          FROM generate_series(1, $2::int) AS number, timezone('UTC', now()) AS at
        """,
        PRODUCER.name,
        COUNT,
    )
    if analyzed:
        await planner.execute(f"ANALYZE {table}")
    statement = DynamicStatements(prefix).changes(PRODUCER.name, COUNT)
    found = await planner.fetchval(f"EXPLAIN (FORMAT JSON) {statement.sql}", *statement.params)
    ((kind, index),) = scans(orjson.loads(found)[0]["Plan"], "staffa_dynamic_queues")
    assert index == "staffa_dynamic_queues_changes", kind
