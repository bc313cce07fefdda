"""Each single fault that the promises are tested against is injected by a test that always runs.

docs/reliability.md has a table of the faults: the first column is compared with the list here, the
second names tests, or says why there is none. A test is written `tests/path.py::name`, with one of
its parameters in brackets where only that one injects the fault.
"""

from __future__ import annotations

import re
import subprocess
import sys

from tests.docs.pages import PROJECT

FAULTS = (
    "SIGKILL at an enqueue",
    "SIGKILL at a claim",
    "SIGKILL at the start of a job",
    "SIGKILL at a note of progress",
    "SIGKILL while an outcome waits in memory",
    "SIGKILL while an outcome is sent",
    "SIGKILL at the insert of a cron tick",
    "SIGKILL at a rescue",
    "SIGKILL at a prune",
    "SIGKILL when a limit is taken",
    "SIGKILL when a dependency is released",
    "SIGSTOP for long, then SIGCONT: a zombie writes late",
    "SIGTERM once",
    "SIGTERM twice",
    "a job's process killed for want of memory",
    "a job's process ended by a segmentation fault",
    "a job's process ended by `os._exit`",
    "a thread that never returns",
    "the event loop blocked for long",
    "the same host name restarted",
    "the server stopped at once in the middle of everything",
    "the server stopped at once in the middle of a rescue",
    "random `pg_terminate_backend`",
    "connections refused for long",
    "lock timeouts",
    "statement timeouts",
    "serialisation failures (40001)",
    "deadlocks (40P01)",
    "the pool exhausted",
    "a standby promoted",
    "a snapshot held for the whole run",
    "PgBouncer restarted",
    "`NOTIFY` lost",
    "latency up to 2 s",
    "a black hole both ways",
    "a half-open connection",
    "1 % loss",
    "a commit done but its reply lost",
    "a worker's clock stepped by an hour",
    "a worker's clock that drifts",
    "a step back at the minute",
    "both changes of daylight saving time",
    "old and new workers together",
    "a migration under load",
    "a worker renamed both ways",
    "10 million rows of history",
    "a backlog of a million jobs",
    "100 000 partitions",
    "args of 1 MB",
    "NUL characters",
    "lone surrogates",
    "NaN",
    "1e400",
    "nesting 10 000 levels deep",
    "an unknown worker",
    "args that can't be decoded",
)
EXCUSED = frozenset(
    {
        "SIGKILL when a limit is taken",
        "SIGKILL when a dependency is released",
        "100 000 partitions",
    }
)
_ROW = re.compile(r"^\| ([^|]+?) \| ([^|]+?) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(\[[^`]+\])?`")


def section(title: str) -> str:
    page = (PROJECT / "docs/reliability.md").read_text("utf-8")
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def lines() -> dict[str, str]:
    head, *rows = _ROW.findall(section("Faults"))
    assert head == ("fault", "test")
    return dict(rows)


def collected() -> frozenset[str]:
    """Return the ids of what an ordinary run collects of the files that the page names."""
    named = {path for cell in lines().values() for path, _, _ in _TEST.findall(cell)}
    files = sorted(path for path in named if (PROJECT / path).is_file())
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*command, *files], cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False
    )
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]
    return frozenset(line for line in found.stdout.splitlines() if "::" in line)


def test_every_fault_has_one_line() -> None:
    assert len(set(FAULTS)) == len(FAULTS)
    assert len(_ROW.findall(section("Faults"))) == len(FAULTS) + 1
    assert tuple(lines()) == FAULTS


def test_a_line_without_a_test_is_excused_with_a_reason() -> None:
    bare = {fault: cell for fault, cell in lines().items() if not _TEST.search(cell)}
    assert bare.keys() == EXCUSED
    for fault, cell in bare.items():
        assert re.fullmatch(r"none yet: .{20,}", cell), fault


def test_each_line_names_tests_that_an_ordinary_run_collects() -> None:
    ids = collected()
    known = ids | {test.partition("[")[0] for test in ids}
    for fault, cell in lines().items():
        named = [f"{path}::{name}{values}" for path, name, values in _TEST.findall(cell)]
        if fault not in EXCUSED:
            assert cell == ", ".join(f"`{test}`" for test in named), f"{fault}: tests alone"
            assert set(named) <= known, fault


def test_the_tests_of_the_clauses_are_there() -> None:
    rows = _ROW.findall(section("Which test proves which clause").replace("` | `", "`, `"))
    assert [number for number, _ in rows] == [str(number) for number in range(1, 11)]
    for _, cell in rows:
        for path in re.findall(r"`(tests/[^`]+)`", cell):
            assert (PROJECT / path).is_file(), path
