"""Every statement is a file that psql accepts as it stands, and whose head says what it does."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from tests.support.foreign_schemas import ELIXIR, PYTHON, make_foreign_schema
from tests.support.services import require_program

ROOT = Path(str(files("staffa")))
FILES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for folder in (
        "engines/postgres/sql",
        "engines/postgres/catalogue",
        "engines/postgres/peers",
        "notifiers/sql",
        "drivers/sql",
    )
    for path in sorted((ROOT / folder).rglob("*.sql"))
}
PEERS = "engines/postgres/peers/"
PARAMETER = re.compile(r"\$\d+")
INDEX_OR_REASON = re.compile(r"primary key|staffa_\w+|none")


def head_of(text: str) -> str:
    """Return the comment that a file begins with."""
    lines = text.splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return "\n".join(lines[:end])


def test_there_are_files() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("name", FILES)
def test_the_head_names_purpose_parameters_locks_and_index(name: str) -> None:
    head = head_of(FILES[name])
    assert re.match(r"-- [A-Z].+", head)
    used = set(PARAMETER.findall(FILES[name].removeprefix(head)))
    assert used == set(PARAMETER.findall(head))
    if ':"prefix"' in FILES[name]:
        assert "Locks: " in head
        assert INDEX_OR_REASON.search(head.partition("Index: ")[2])


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_one_statement_and_no_other_variable(name: str) -> None:
    body = FILES[name].removeprefix(head_of(FILES[name])).strip()
    assert body.endswith(";")
    assert body.count(";") == 1
    assert set(re.findall(r'(?<!:):(?:"\w+"|\'\w+\'|[a-z]\w*)', body)) <= {':"prefix"'}


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith(PEERS)])
def test_psql_prepares_a_file_as_it_stands(name: str, dsn: str, prefix: str) -> None:
    prepare(name, dsn, prefix)


@pytest.mark.parametrize("kind", [ELIXIR, PYTHON])
async def test_psql_prepares_what_asks_for_their_tables_on_those(
    kind: str, dsn: str, connection: asyncpg.Connection, empty_prefix: str
) -> None:
    await make_foreign_schema(connection, kind, empty_prefix)
    names = [name for name in FILES if name.startswith((f"{PEERS}{kind}", f"{PEERS}running"))]
    assert len(names) >= 2
    for name in names:
        prepare(name, dsn, empty_prefix)


def prepare(name: str, dsn: str, prefix: str) -> None:
    psql = require_program("psql")
    ran = subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"prefix={prefix}", "-f", "-", dsn],
        input=f"PREPARE statement AS\n{FILES[name]}",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
