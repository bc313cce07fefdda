"""Badges are printed for an Elixir program, which asks by rows and is answered by rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.database import create_database, drop_database, running_server
from tests.support.examples import run_script
from tests.support.services import lack


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A server on which databases may be made."""
    with running_server() as dsn:
        yield dsn


@pytest.fixture
async def database(server: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """An empty database."""
    dsn = await create_database(server)
    monkeypatch.setenv("STAFFA_DSN", dsn)
    yield dsn
    await drop_database(server, dsn)


@pytest.fixture
def drawing() -> None:
    """WeasyPrint, or the test is skipped."""
    found = run_script("badges", "import drawing")
    if found.returncode != 0:
        lack("weasyprint", found.stderr.strip())


async def test_what_elixir_asks_for_is_printed_and_answered(
    drawing: None, database: str, tmp_path: Path
) -> None:
    done = run_script(
        "badges",
        f"""
import asyncio, pathlib, print_badges
asyncio.run(print_badges.main({database!r}, pathlib.Path({str(tmp_path)!r})))
""",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Elixir asks") == done.stdout.count("Elixir hears") == 3
    for number in (1, 2, 3):
        assert (tmp_path / f"badge-{number}.pdf").read_bytes().startswith(b"%PDF-")
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(
        "SELECT worker, state::text, attempt, cancelled_at FROM oban_jobs ORDER BY worker, id"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [
        *[("Conference.BadgePrinted", "completed", 1, None)] * 3,
        *[("badges.print", "completed", 1, None)] * 3,
    ]


def test_without_weasyprint_it_is_said_what_to_install(tmp_path: Path) -> None:
    lacking = "raise OSError('cannot load library libpango-1.0-0')"
    (tmp_path / "weasyprint.py").write_text(lacking)
    failed = run_script("badges", "import print_badges", path=[tmp_path])
    assert failed.returncode == 1
    assert "libpango-1.0-0" in failed.stderr
    assert "apt-get install" in failed.stderr
    assert "Traceback" not in failed.stderr
