"""SQLite finds what follows from the end of jobs by keys: it goes through no table as a whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import staffa.engines.sqlite
from staffa.engines.sqlite.functions import install

FOLDER = Path(staffa.engines.sqlite.__file__).parent
FOLLOWING = [
    "is_any_linked", "kept", "lock", "lock_of_jobs", "look_jobs", "look_flows", "close_jobs",
    "close_flows", "ends_of_flows", "lower", "late", "release", "postpone", "open", "count", "fire",
    "note_fired", "forget_edges_to_jobs", "forget_edges_to_flows", "forget_steps",
    "take_unchecked", "strays", "count_jobs",
]  # fmt: skip


_SMALL = ("staffa_limits", "sqlite_sequence", "staffa_flows_open")
"""What has few rows, or is gone through until there is enough."""


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def raw(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """Many workflows of few jobs each, every one of which needs the one before it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        install(made)
        for path in sorted((FOLDER / "migrations").glob("*.up.sql")):
            made.executescript(path.read_text("utf-8"))
        made.executescript(
            """
            CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n
                WHERE n < 20000) SELECT n FROM n;
            INSERT INTO staffa_flows (id, kind, root, inserted_at, checked_at)
            SELECT 'w' || n, 'workflow', 'w' || n, '2026', '2026' FROM n WHERE n % 5 = 0;
            INSERT INTO oban_jobs (state, worker, meta)
            SELECT 'suspended', 'w', json_object('workflow_id', 'w' || (n / 5 * 5)) FROM n;
            INSERT INTO staffa_steps (job_id, root, open) SELECT n, 'w' || (n / 5 * 5), 1 FROM n;
            INSERT INTO staffa_edges (job_id, needs_job) SELECT n, n - 1 FROM n;
            INSERT INTO staffa_edges (job_id, needs_flow) SELECT n, 'w' || n FROM n;
            """
        )
        if request.param == "with statistics":
            made.execute("ANALYZE")
        yield made


def scans(raw: sqlite3.Connection, sql: str) -> list[str]:
    """Return the tables and indexes that a statement goes through from their beginning."""
    pages = dict(raw.execute("SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0"))
    numbers = re.findall(r"\$(\d+)", sql)
    cursors: dict[int, str] = {}
    found = []
    for _, opcode, first, second, third, *_ in raw.execute(
        f"EXPLAIN {sql}", dict.fromkeys(numbers, "[]")
    ):
        if opcode in {"OpenRead", "OpenWrite", "ReopenIdx"} and third == 0:
            cursors[first] = pages[second]
        elif opcode in {"OpenEphemeral", "OpenAutoindex", "VOpen", "OpenPseudo", "OpenDup"}:
            cursors.pop(first, None)
        elif opcode in {"Rewind", "Last"} and first in cursors:
            found.append(cursors[first])
    return [name for name in found if name not in _SMALL]


@pytest.mark.parametrize("verb", FOLLOWING)
def test_it_goes_through_no_table(raw: sqlite3.Connection, verb: str) -> None:
    sql = (FOLDER / f"sql/flows/{verb}.sql").read_text("utf-8")
    assert scans(raw, sql) == []


def test_the_guard_notices_a_scan(raw: sqlite3.Connection) -> None:
    assert scans(raw, "SELECT * FROM staffa_edges AS edge WHERE edge.ended = $1") == [
        "staffa_edges"
    ]
