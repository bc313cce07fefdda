"""Where time comes from: one module asks the machine, and few may look at what it says.

Clause 7 of the contract: only the database's clock decides what is due or expired, and only
monotonic clocks decide local deadlines. So a wall clock is read by nothing that decides.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import staffa

ROOT = Path(staffa.__file__).parent
CLOCK = "_internal/clock.py"

WALL_CLOCKS = {
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "clock_gettime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
MONOTONIC_CLOCKS = {"time": {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}}
"""An event loop's own is read as the loop's: whoever makes the loop chooses it."""

LOOKS_AT_THE_WALL_CLOCK = {
    "_internal/identifiers.py": "makes ids, which come in the order of time as a rule",
    "client/flows.py": "tells people for how long a workflow has gone on",
    "client/stored_batches.py": "tells people for how long a batch has gone on",
    "client/inline_flows.py": "workflows that run in tests, without a database",
    "client/broadcasts.py": "tells dashboards since when a node is stopping",
    "met/metrics.py": "tells dashboards when it has measured",
    "cli/doctor/command.py": "compares it with the database's: that is a finding",
    "cli/filters.py": "makes a time of an age that somebody has typed",
    "engines/sqlite/functions.py": "it is the clock of the database, as a file has none",
    "queues/inline.py": "jobs that run in tests, without a database",
    "queues/roster.py": "shows people when a queue was started or changed",
    "testing/perform.py": "jobs that run in tests, without a database",
    "testing/clock.py": "where a clock of tests begins",
}


@cache
def nodes() -> list[tuple[str, ast.Call | ast.ImportFrom]]:
    """Return each call and import in the package, with the module that it is in."""
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call | ast.ImportFrom)
    ]


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield each call in the package, with its module."""
    return ((name, node) for name, node in nodes() if isinstance(node, ast.Call))


def asking(clocks: dict[str, set[str]]) -> set[str]:
    """Return where a module asks the machine for its time, past the clocks' own module."""
    return {
        f"{name}:{call.lineno}"
        for name, call in calls()
        if name != CLOCK
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in clocks.get(ast.unparse(call.func.value).rpartition(".")[2], ())
    }


def test_no_module_but_the_clocks_own_asks_the_machine_for_the_time_of_day() -> None:
    assert asking(WALL_CLOCKS) == set()


def test_no_module_but_the_clocks_own_asks_the_machine_how_much_time_has_passed() -> None:
    assert asking(MONOTONIC_CLOCKS) == set()


def test_the_clocks_functions_are_called_by_their_modules_names() -> None:
    """Or the test above would not see them."""
    hidden = {
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (node.module == "time" and alias.name in WALL_CLOCKS["time"] | MONOTONIC_CLOCKS["time"])
        or (node.module in {"time", "datetime"} and alias.asname)
    }
    assert hidden == set()


def test_the_wall_clock_is_read_by_what_decides_nothing() -> None:
    looking = {
        name
        for name, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "now"
        and ast.unparse(call.func.value).lower().endswith("clock")
    }
    assert looking == LOOKS_AT_THE_WALL_CLOCK.keys()
