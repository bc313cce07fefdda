"""Every hot statement reads the jobs table through the indexes that its file names.

With and without statistics, in plans for the parameters at hand and in generic ones, for small and
large batches: a bulk insert, a long history or a cached plan must not flip any of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import Access
from tests.plans.explain import Scan, explain
from tests.plans.hot import ACCESS, HOT, LIMITS, build
from tests.plans.tables import COUNTS, add_backlog, add_history, add_running, analyze, work_off

Fill = Callable[[asyncpg.Connection, str, int], Awaitable[None]]
FILLS: dict[str, Fill] = {"backlog": add_backlog, "history": add_history}

ORDERED = {
    "candidate": "staffa_jobs_claim",
    "due": "staffa_jobs_stage",
    "stretch": "oban_jobs_pkey",
}
"""Where a plan must follow an index and stop early: a bitmap would read and sort all of it."""

ONLY_CUSTOM = {"list a stretch"}
"""Statements whose stretch of ids needs a plan for the parameters at hand."""


async def find_flipped_plans(
    planner: asyncpg.Connection, prefix: str, names: Iterable[str] = HOT
) -> list[str]:
    """Return what is wrong with the plans of hot statements."""
    wrong = []
    for name in names:
        for size in LIMITS:
            for kind, generic, access in _plans(name):
                statement = build(name, prefix, size)
                scans = await explain(planner, statement, generic=generic, access=access)
                if not _is_right(scans, HOT[name][1]):
                    wrong.append(f"{name} of {size}, {kind} plan: {scans}")
    return wrong


def _plans(name: str) -> Iterator[tuple[str, bool, Access | None]]:
    yield "custom", False, None
    if name not in ONLY_CUSTOM:
        yield "generic", True, None
    if name in ACCESS:
        yield "fixed", True, ACCESS[name]


def _is_right(scans: list[Scan], indexes: set[str]) -> bool:
    ordered = all(
        scan.kind in {"Index Scan", "Index Only Scan"} and scan.index == ORDERED[scan.alias]
        for scan in scans
        if scan.alias in ORDERED
    )
    return ordered and {scan.index for scan in scans} == indexes


@pytest.mark.parametrize("kind", FILLS)
@pytest.mark.parametrize("count", COUNTS)
async def test_no_plan_flips_with_or_without_statistics(
    planner: asyncpg.Connection, prefix: str, kind: str, count: int
) -> None:
    await FILLS[kind](planner, prefix, count)
    assert await find_flipped_plans(planner, prefix) == []
    await analyze(planner, prefix)
    assert await find_flipped_plans(planner, prefix) == []


async def test_no_plan_flips_back_when_a_backlog_follows_statistics_of_a_history(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await add_history(planner, prefix, 20_000)
    await analyze(planner, prefix)
    await add_backlog(planner, prefix, 100_000)
    assert await find_flipped_plans(planner, prefix) == []


@pytest.mark.parametrize("count", COUNTS)
async def test_no_plan_flips_while_a_backlog_without_statistics_is_worked_off(
    planner: asyncpg.Connection, dsn: str, prefix: str, count: int
) -> None:
    """Not even while an old snapshot keeps all versions of its rows."""
    await add_backlog(planner, prefix, count)
    watcher = await asyncpg.connect(dsn)
    async with watcher.transaction(isolation="repeatable_read"):
        await watcher.execute("SELECT 1")
        for tenth in range(1, 10):
            await work_off(planner, prefix, until=count * tenth // 10)
            assert await find_flipped_plans(planner, prefix, ACCESS) == []
    await watcher.close()


@pytest.mark.parametrize("name", ACCESS)
async def test_a_plan_that_was_made_once_for_an_empty_table_is_that_of_a_large_one(
    planner: asyncpg.Connection, prefix: str, name: str
) -> None:
    await analyze(planner, prefix)
    scans = await explain(planner, build(name, prefix, 500), generic=True, access=ACCESS[name])
    assert _is_right(scans, HOT[name][1]), scans


@pytest.mark.parametrize("meta", ["{}", '{"partition_key": "c280a355:[1]"}'])
async def test_plans_that_were_made_once_for_an_emptied_table_do_not_follow_its_old_statistics(
    planner: asyncpg.Connection, prefix: str, meta: str
) -> None:
    await add_running(planner, prefix, 30)
    jobs = f"{quote_identifier(prefix)}.oban_jobs"
    await planner.execute(f"UPDATE {jobs} SET meta = $1, attempted_by = '{{node.1,one}}'", meta)
    await analyze(planner, prefix)
    await planner.execute(f"TRUNCATE {jobs}")
    await analyze(planner, prefix)  # of no rows: what was known of the columns stays
    wrong = {}
    for name, access in ACCESS.items():
        scans = await explain(planner, build(name, prefix, 500), generic=True, access=access)
        if not _is_right(scans, HOT[name][1]):
            wrong[name] = scans
    assert wrong == {}


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("size", LIMITS)
async def test_the_claim_of_a_new_empty_table_follows_its_index(
    planner: asyncpg.Connection, prefix: str, size: int, generic: bool
) -> None:
    scans = await explain(planner, build("claim", prefix, size), generic=generic)
    assert Scan("Index Scan", "staffa_jobs_claim", "candidate") in scans


async def test_the_guard_notices_a_sequential_scan(
    planner: asyncpg.Connection, prefix: str
) -> None:
    await analyze(planner, prefix)  # of an empty table: the planner then reads it as a whole
    assert len(await find_flipped_plans(planner, prefix)) > 10
