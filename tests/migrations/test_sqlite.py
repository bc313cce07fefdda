"""Migrations of SQLite files: up, down, what is there meanwhile, and what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from staffa import Job
from staffa.client.backend import make_migrator
from staffa.drivers.sqlite import FileSettings, run_script
from staffa.engines.sqlite import SqliteEngine
from staffa.engines.sqlite.functions import install
from staffa.errors import ConfigError, DatabaseError, DatabaseUnavailable, MigrationError
from staffa.migrate import Migrator

FOLDER = Path(str(files("staffa.engines.sqlite"))) / "migrations"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that does not exist yet, whose name needs care."""
    return tmp_path / "Jobs? of 100% #1.db"


@pytest.fixture
def migrator(path: Path) -> Migrator:
    """The migrations of the file."""
    names = [entry.name for entry in FOLDER.iterdir()]
    return Migrator(
        FileSettings(path, install), "staffa.engines.sqlite", names, "public", file=str(path)
    )


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        yield raw


def catalogue(path: Path) -> list[tuple[str, str, str]]:
    """Return what the file consists of."""
    with opened(path) as raw:
        return raw.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()


async def test_up_makes_the_file_and_down_leaves_it_empty(migrator: Migrator, path: Path) -> None:
    assert (await migrator.status()).version == 0
    done = await migrator.up()
    assert done == list(migrator.migrations)
    status = await migrator.status()
    assert (status.version, status.pending) == (len(done), ())
    assert await migrator.up() == []
    assert await migrator.down(0) == done[::-1]
    assert catalogue(path) == []


async def test_every_step_can_be_taken_back_and_made_again(migrator: Migrator, path: Path) -> None:
    await migrator.up()
    whole = catalogue(path)
    for version in reversed(range(len(migrator.migrations))):
        await migrator.down(version)
        await migrator.up()
        assert catalogue(path) == whole


async def test_the_script_makes_the_same(migrator: Migrator, path: Path, tmp_path: Path) -> None:
    await migrator.up()
    with opened(tmp_path / "by script.db") as raw:
        run_script(raw, migrator.sql())
    assert catalogue(tmp_path / "by script.db") == catalogue(path)


async def test_a_file_is_written_ahead_from_its_making(migrator: Migrator, path: Path) -> None:
    await migrator.up()
    with opened(path) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_jobs_table_of_somebody_else_is_left_alone(migrator: Migrator, path: Path) -> None:
    with opened(path) as raw:
        raw.execute("CREATE TABLE oban_jobs (id INTEGER PRIMARY KEY, state TEXT)")
    assert (await migrator.status()).foreign
    with pytest.raises(MigrationError, match=r"#1.db.*did not make.*another file"):
        await migrator.up()


async def test_other_tables_of_the_file_are_left_alone(migrator: Migrator, path: Path) -> None:
    with opened(path) as raw:
        raw.execute("CREATE TABLE orders (id INTEGER)")
    await migrator.up()
    await migrator.down(0)
    assert [name for _, name, _ in catalogue(path)] == ["orders"]


async def test_a_step_that_fails_leaves_nothing_of_itself(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken_steps" / "migrations"
    (folder / "runner").mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for text in (FOLDER / "runner").iterdir():
        (folder / "runner" / text.name).write_bytes(text.read_bytes())
    (folder / "0001_broken.up.sql").write_text(
        "CREATE TABLE kept (id INTEGER);\nCREATE TABLE kept (id INTEGER);\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    broken = Migrator(
        FileSettings(path, install), "broken_steps", ["0001_broken.up.sql"], "public", file="f"
    )
    with pytest.raises(DatabaseError, match="kept already exists"):
        await broken.up()
    assert [name for _, name, _ in catalogue(path)] == ["staffa_migrations"]


async def test_an_unknown_version_is_refused(migrator: Migrator) -> None:
    with pytest.raises(MigrationError, match="there is no version 99"):
        await migrator.up(99)


async def test_a_schema_and_a_temporary_file_are_refused() -> None:
    with pytest.raises(ConfigError, match="no schemas"):
        make_migrator("sqlite:///jobs.db", "jobs")
    with pytest.raises(ConfigError, match="name a file"):
        make_migrator("sqlite://", "public")
    with pytest.raises(ConfigError, match=r"sqlite:////absolute\.db"):
        make_migrator("sqlite:///jobs.db?mode=ro", "public")


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"none.*make it first"):
        await make_migrator(f"sqlite:///{tmp_path}/none/jobs.db", "public").up()


async def test_an_engine_works_on_a_file_with_a_strange_name(
    migrator: Migrator, path: Path
) -> None:
    await migrator.up()
    engine = SqliteEngine(FileSettings(path, install))
    (stored,) = await engine.enqueue_jobs([Job(worker="w")])
    assert [job.id for job in await engine.get_jobs([stored.id or 0])] == [stored.id]
    await engine.close()
