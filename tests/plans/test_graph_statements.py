"""What is asked of flows while they are written, read and changed is found by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from staffa._internal.identifiers import quote_identifier
from staffa.engine import Statement
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.flows import FlowStatements
from staffa.engines.statements.graphs import GraphStatements
from staffa.linking import FlowKind
from staffa.types import State
from tests.plans.explain import explain

TABLES = ("oban_jobs", "staffa_flows", "staffa_steps", "staffa_edges")
SIZES = (10, 1000)
UNFINISHED = [State.AVAILABLE, State.SUSPENDED]


def _ids(size: int) -> list[int]:
    return list(range(1, size + 1))


def _flows(size: int) -> list[str]:
    return [f"w{number}" for number in range(size)]


class All:
    """All statements of a schema."""

    def __init__(self, prefix: str) -> None:
        self.graphs = GraphStatements(prefix)
        self.flows = FlowStatements(prefix)
        self.control = FlowControlStatements(prefix)


STATEMENTS: dict[str, Callable[[All, int], Statement[Any]]] = {
    "find once": lambda of, size: of.graphs.find_once("k"),
    "known": lambda of, size: of.graphs.known(_flows(size)),
    "graft": lambda of, size: of.graphs.graft("w1"),
    "states": lambda of, size: of.graphs.states(_ids(size)),
    "ends": lambda of, size: of.graphs.ends(_flows(size)),
    "duplicate": lambda of, size: of.graphs.find_duplicate(_flows(2)),
    "read": lambda of, size: of.flows.read(_flows(size), inner=True),
    "newest": lambda of, size: of.flows.newest(FlowKind.WORKFLOW, limit=10, before=None),
    "next page": lambda of, size: of.flows.newest(FlowKind.WORKFLOW, limit=10, before="w5"),
    "steps": lambda of, size: of.flows.steps("w1", None),
    "named steps": lambda of, size: of.flows.steps("w1", ["a"]),
    "jobs": lambda of, size: of.flows.jobs("w1", after=5, limit=size, callbacks=False),
    "change options": lambda of, size: of.flows.change_options("w1", {}),
    "members": lambda of, size: of.control.members("w1", UNFINISHED),
    "around": lambda of, size: of.control.around(_flows(size)),
    "reopen jobs": lambda of, size: of.control.reopen_jobs(_ids(size)),
    "reopen flows": lambda of, size: of.control.reopen_flows(_flows(size), _ids(size)),
    "recount": lambda of, size: of.control.recount(_ids(size)),
    "waiting": lambda of, size: of.control.find_waiting(_ids(size)),
    "suspend": lambda of, size: of.control.suspend(_ids(size)),
    "forget results": lambda of, size: of.control.forget_results(_ids(size)),
    "let go": lambda of, size: of.control.let_go(1),
    "ended": lambda of, size: of.control.find_ended(age=1.0, after=None, limit=size),
    "spent": lambda of, size: of.control.find_spent(_flows(size)),
    "steps of roots": lambda of, size: of.control.steps_of(_flows(size)),
    "delete": lambda of, size: of.control.delete(_flows(size)),
}


async def fill(planner: asyncpg.Connection, prefix: str) -> None:
    """Write 20,000 workflows of 5 jobs each, one inside of another; half of them have ended."""
    schema = quote_identifier(prefix)
    for table in TABLES:
        await planner.execute(f"ALTER TABLE {schema}.{table} SET (autovacuum_enabled = false)")
    await planner.execute(
        f"""
        INSERT INTO {schema}.staffa_flows (id, kind, root, parent, once, finished_at)
        SELECT 'w' || number, 'workflow', 'w' || number / 2 * 2,
               CASE WHEN number % 2 = 1 THEN 'w' || number - 1 END,
               CASE WHEN number % 100 = 2 THEN 'k' || number END,
               CASE WHEN number % 4 < 2
                    THEN timezone('UTC', now()) - make_interval(secs => number) END
          FROM generate_series(0, 19999) AS number;
        INSERT INTO {schema}.oban_jobs (worker, meta, state)
        SELECT 'w', jsonb_build_object('workflow_id', 'w' || number / 5, 'name', number::text),
               (CASE number % 3 WHEN 0 THEN 'suspended' WHEN 1 THEN 'available'
                                ELSE 'completed' END)::text::{schema}.oban_job_state
          FROM generate_series(0, 99999) AS number;
        INSERT INTO {schema}.staffa_steps (job_id, root, open)
        SELECT number, 'w' || number / 10 * 2, 1 FROM generate_series(1, 100000) AS number;
        INSERT INTO {schema}.staffa_edges (job_id, needs_job, ended)
        SELECT number, number - 1, CASE WHEN number % 2 = 0 THEN 'completed' END
          FROM generate_series(1, 100000) AS number;
        INSERT INTO {schema}.staffa_edges (job_id, needs_flow)
        SELECT number, 'w' || number / 5 - 1 FROM generate_series(1, 100000) AS number;
        """
    )


@pytest.mark.parametrize("analyzed", [False, True])
async def test_all_of_it_is_found_by_index(
    planner: asyncpg.Connection, prefix: str, analyzed: bool
) -> None:
    await fill(planner, prefix)
    if analyzed:
        for table in TABLES:
            await planner.execute(f"ANALYZE {quote_identifier(prefix)}.{table}")
    wrong = []
    for name, build in STATEMENTS.items():
        for size in SIZES:
            statement = build(All(prefix), size)
            for generic in (False, True):
                for table in TABLES:
                    found = await explain(planner, statement, generic=generic, table=table)
                    wrong += [
                        f"{name} of {size}, generic {generic}: {table} by {scan}"
                        for scan in found
                        if scan.index is None
                    ]
    assert not wrong, "\n".join(wrong)
