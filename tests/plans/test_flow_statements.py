"""What follows from the end of jobs is found by index, whatever the tables hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.dialogues import Dialogue
from staffa.drivers.asyncpg import Access
from staffa.engine import Statement
from staffa.engines.statements.following import Due, FollowStatements
from staffa.engines.statements.repairs import RepairStatements
from tests.plans.explain import Scan, explain

TABLES = ("oban_jobs", "staffa_flows", "staffa_members", "staffa_steps", "staffa_edges")
SIZES = (10, 5000)
EARLIER = {"from before there were flows": "needs_job", "from before there were jobs": "needs_flow"}
"""Statistics that the tables have outgrown, by what edges led to when they were made."""


def _ids(size: int) -> list[int]:
    return list(range(1, size + 1))


def _flows(size: int) -> list[str]:
    return [f"w{number}" for number in range(size)]


def _second(dialogue: Dialogue[Any]) -> Statement[Any]:
    """Return the second statement of a dialogue whose first one finds nothing."""
    next(dialogue)
    return dialogue.send([])


Build = Callable[[FollowStatements, RepairStatements, int], Statement[Any]]
STATEMENTS: dict[str, Build] = {
    "is any linked": lambda follow, _, size: follow.is_any_linked(_ids(size)),
    "kept": lambda follow, _, size: follow.find_kept(_ids(size)),
    "lock": lambda follow, _, size: follow.lock_flows(_flows(size), wait=False),
    "lock of jobs": lambda follow, _, size: follow.lock_of_jobs(_ids(size), wait=False),
    "close completed": lambda follow, _, size: next(
        follow.close_jobs(dict.fromkeys(_ids(size), "completed"))
    ),
    "close jobs": lambda follow, _, size: next(
        follow.close_jobs(dict.fromkeys(_ids(size), "cancelled"))
    ),
    "close flows": lambda follow, _, size: next(follow.close_flows(_flows(size))),
    "release": lambda follow, _, size: next(follow.release_steps(_ids(size))),
    "release dated": lambda follow, _, size: _second(follow.release_steps(_ids(size))),
    "cancel": lambda follow, _, size: next(
        follow.cancel_steps([Due(number, 0, "cancelled") for number in _ids(size)])
    ),
    "postpone": lambda follow, _, size: follow.postpone(dict.fromkeys(_ids(size), "{}")),
    "count": lambda follow, _, size: next(
        follow.count_flows(dict.fromkeys(_flows(size), (0,) * 8))
    ),
    "fire": lambda follow, _, size: next(
        follow.fire_callbacks([(flow, "completed") for flow in _flows(size)])
    ),
    "forget": lambda follow, _, size: next(follow.forget_steps(_ids(size))),
    "take": lambda _, repairs, size: repairs.take(60.0, 0.001, size),
    "strays": lambda _, repairs, size: repairs.find_strays(_flows(size), 100),
    "recount": lambda _, repairs, size: repairs.recount(_flows(size)),
}


async def fill(planner: asyncpg.Connection, prefix: str) -> None:
    """Write 20,000 workflows of 5 jobs each, every one of which needs the one before it."""
    schema = quote_identifier(prefix)
    for table in TABLES:
        await planner.execute(f"ALTER TABLE {schema}.{table} SET (autovacuum_enabled = false)")
    await planner.execute(
        f"""
        INSERT INTO {schema}.staffa_flows (id, kind, root, total, suspended)
        SELECT 'w' || number, 'workflow', 'w' || number, 5, 4
          FROM generate_series(0, 19999) AS number;
        INSERT INTO {schema}.oban_jobs (worker, meta, state)
        SELECT 'w', jsonb_build_object('workflow_id', 'w' || number / 5), 'suspended'
          FROM generate_series(0, 99999) AS number;
        INSERT INTO {schema}.staffa_members (flow, job_id)
        SELECT meta ->> 'workflow_id', id FROM {schema}.oban_jobs;
        INSERT INTO {schema}.staffa_steps (job_id, root, open)
        SELECT number, 'w' || number / 5, 1 FROM generate_series(1, 100000) AS number;
        INSERT INTO {schema}.staffa_edges (job_id, needs_job)
        SELECT number, number - 1 FROM generate_series(1, 100000) AS number;
        INSERT INTO {schema}.staffa_edges (job_id, needs_flow)
        SELECT number, 'w' || number / 5 - 1 FROM generate_series(1, 100000) AS number;
        """
    )


def is_right(scan: Scan) -> bool:
    """Tell whether a table is read by the keys that are given, not as a whole."""
    asked = scan.condition or ""
    return scan.index is not None and (" = " in asked or " < " in asked)


def plans(size: int, *, others: bool) -> Iterator[tuple[bool, Access | None]]:
    """Return the ways in which a statement is planned, on connections that we don't set too."""
    yield True, Access.PROBES
    if others:
        yield True, None
        if size == SIZES[0]:  # a plan for large arrays may read all that there is
            yield False, None


async def analyze(planner: asyncpg.Connection, prefix: str) -> None:
    """Make statistics of all tables."""
    for table in TABLES:
        await planner.execute(f"ANALYZE {quote_identifier(prefix)}.{table}")


@pytest.mark.parametrize("statistics", ["none", "of today", *EARLIER])
async def test_all_of_it_is_found_by_index(
    planner: asyncpg.Connection, prefix: str, statistics: str
) -> None:
    if statistics in EARLIER:
        schema = quote_identifier(prefix)
        await planner.execute(
            f"INSERT INTO {schema}.staffa_edges (job_id, {EARLIER[statistics]})"
            " SELECT number, number FROM generate_series(1000001, 1000100) AS number"
        )
        await analyze(planner, prefix)
    await fill(planner, prefix)
    if statistics == "of today":
        await analyze(planner, prefix)
    follow, repairs = FollowStatements(prefix), RepairStatements(prefix)
    wrong = []
    for name, build in STATEMENTS.items():
        for size in SIZES:
            for generic, access in plans(size, others=statistics not in EARLIER):
                statement = build(follow, repairs, size)
                for table in TABLES:
                    found = await explain(
                        planner, statement, generic=generic, access=access, table=table
                    )
                    wrong += [
                        f"{name} of {size}, generic {generic}, {access}: {table} by {scan}"
                        for scan in found
                        if not is_right(scan)
                    ]
    assert "\n".join(wrong) == ""


async def test_the_guard_notices_what_is_read_as_a_whole(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await fill(planner, prefix)
    sql = (
        f"SELECT FROM unnest($1::bigint[]) AS given (id) "
        f"JOIN {quote_identifier(prefix)}.staffa_edges AS edge ON edge.needs_job + 0 = given.id"
    )
    (scan,) = await explain(
        planner, Statement(sql, ([1],), list), generic=True, table="staffa_edges"
    )
    assert not is_right(scan)
