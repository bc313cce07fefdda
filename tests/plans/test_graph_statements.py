"""What is asked of flows while they are written, read and changed is found by index."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import staffa.engines.sqlite
from staffa._internal.identifiers import quote_identifier
from staffa.engine import Lease, Statement
from staffa.engines.sqlite.functions import install
from staffa.engines.sqlite.statements.idiom import SQLITE
from staffa.engines.statements.area import POSTGRES, Idiom
from staffa.engines.statements.chains import ChainStatements
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.flows import FlowStatements
from staffa.engines.statements.graphs import GraphStatements
from staffa.linking import FlowKind
from staffa.types import State
from tests.plans.explain import explain

TABLES = ("oban_jobs", "staffa_flows", "staffa_members", "staffa_steps", "staffa_edges")
SIZES = (10, 1000)
UNFINISHED = [State.AVAILABLE, State.SUSPENDED]


def _ids(size: int) -> list[int]:
    return list(range(1, size + 1))


def _flows(size: int) -> list[str]:
    return [f"w{number}" for number in range(size)]


class All:
    """All statements of a schema."""

    def __init__(self, prefix: str, idiom: Idiom = POSTGRES) -> None:
        self.chains = ChainStatements(prefix, idiom)
        self.graphs = GraphStatements(prefix, idiom)
        self.flows = FlowStatements(prefix, idiom)
        self.control = FlowControlStatements(prefix, idiom)


STATEMENTS: dict[str, Callable[[All, int], Statement[Any]]] = {
    "find once": lambda of, size: of.graphs.find_once("k"),
    "known": lambda of, size: of.graphs.known(_flows(size)),
    "graft": lambda of, size: of.graphs.graft("w1", Lease(1, 1, datetime.now(UTC)), "list"),
    "states": lambda of, size: of.graphs.states(_ids(size)),
    "ends": lambda of, size: of.graphs.ends(_flows(size)),
    "duplicate": lambda of, size: of.graphs.find_duplicate(_flows(2)),
    "read": lambda of, size: of.flows.read(_flows(size), inner=True),
    "newest": lambda of, size: of.flows.newest(FlowKind.WORKFLOW, limit=10, before=None),
    "next page": lambda of, size: of.flows.newest(FlowKind.WORKFLOW, limit=10, before="w5"),
    "steps": lambda of, size: of.flows.steps("w1", None),
    "named steps": lambda of, size: of.flows.steps("w1", ["a"]),
    "jobs": lambda of, size: of.flows.jobs("w1", after=5, limit=size, callbacks=False),
    "results": lambda of, size: of.flows.results(_flows(size), "w1", ["a"]),
    "results of steps": lambda of, size: of.flows.results([], "w1", ["a"]),
    "members": lambda of, size: of.control.members("w1", UNFINISHED),
    "around": lambda of, size: of.control.around(_flows(size)),
    "grafted": lambda of, size: of.control.find_grafted(_ids(size)),
    "reopen jobs": lambda of, size: of.control.reopen_jobs(_ids(size)),
    "reopen flows": lambda of, size: of.control.reopen_flows(_flows(size), _ids(size)),
    "reopen_steps": lambda of, size: of.control.reopen_steps(_ids(size)),
    "waiting": lambda of, size: of.control.find_waiting(_ids(size)),
    "suspend": lambda of, size: of.control.suspend(_ids(size)),
    "forget results": lambda of, size: of.control.forget_results(_ids(size)),
    "let go": lambda of, size: of.control.let_go(1),
    "ended": lambda of, size: of.control.find_ended(age=1.0, after=None, limit=size),
    "spent": lambda of, size: of.control.find_spent(_flows(size)),
    "steps of roots": lambda of, size: of.control.steps_of(_flows(size)),
    "waits": lambda of, size: of.chains.waits(_ids(size)),
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
        INSERT INTO {schema}.staffa_members (flow, job_id)
        SELECT meta ->> 'workflow_id', id FROM {schema}.oban_jobs;
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


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def raw(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """A file's tables with as much in them."""
    folder = Path(staffa.engines.sqlite.__file__).parent
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        install(made)
        for path in sorted((folder / "migrations").glob("*.up.sql")):
            made.executescript(path.read_text("utf-8"))
        for number in range(2000):
            parent = f"w{number - 1}" if number % 2 else None
            made.execute(
                "INSERT INTO staffa_flows (id, kind, root, parent, inserted_at, checked_at,"
                " finished_at) VALUES (?, 'workflow', ?, ?, '2026', '2026', ?)",
                (f"w{number}", parent or f"w{number}", parent, "2026" if number % 4 < 2 else None),
            )
            meta = f'{{"workflow_id": "w{number}", "name": "a"}}'
            made.execute("INSERT INTO oban_jobs (worker, meta) VALUES ('w', ?)", (meta,))
            made.execute(
                "INSERT INTO staffa_steps (job_id, root, open) VALUES (?, 'w', 1)", (number,)
            )
            made.execute("INSERT INTO staffa_edges (job_id, needs_job) VALUES (?, 1)", (number,))
        if request.param == "with statistics":
            made.execute("ANALYZE")
        yield made


@pytest.mark.parametrize("name", STATEMENTS)
def test_all_of_it_is_found_by_index_in_a_file(raw: sqlite3.Connection, name: str) -> None:
    statement = STATEMENTS[name](All("main", SQLITE), 10)
    params = {str(place): value for place, value in enumerate(statement.params, start=1)}
    plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement.sql}", params)]
    tables = "job|flow|batch|other|last|edge|step|inner_flow|staffa_\\w+|oban_jobs"
    whole = [line for line in plan if re.match(rf"SCAN ({tables})\b(?! VIRTUAL)", line)]
    assert not [line for line in whole if "USING INDEX staffa_flows_newest" not in line], plan
