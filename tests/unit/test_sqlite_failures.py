"""What SQLite's errors mean to whoever ran a statement; each error is a real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from staffa.drivers.sqlite_failures import is_busy, translated_errors
from staffa.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DataRefused,
    SchemaMissing,
    StatementConflict,
)


def write_read_only(path: Path) -> None:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        raw.execute("INSERT INTO kept VALUES (1)")


def fill_the_disk(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA max_page_count = 3")
        raw.execute("INSERT INTO kept VALUES (zeroblob(100000))")


def open_a_folder(path: Path) -> None:
    with closing(sqlite3.connect(path.parent)) as raw:
        raw.execute("SELECT 1")


def open_a_letter(path: Path) -> None:
    (path.parent / "letter").write_text("Dear reader, " * 100)
    with closing(sqlite3.connect(path.parent / "letter")) as raw:
        raw.execute("SELECT * FROM kept")


def use_what_is_missing(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("SELECT * FROM oban_jobs")


def break_a_constraint(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO kept VALUES (NULL)")


def bind_a_surrogate(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO kept VALUES (?)", ("\ud800",))


def bind_a_long_integer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO kept VALUES (?)", (2**63,))


def write_after_reading_what_has_changed(path: Path) -> None:
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as raw,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        raw.execute("BEGIN")
        raw.execute("SELECT * FROM kept").fetchall()
        other.execute("INSERT INTO kept VALUES (1)")
        raw.execute("INSERT INTO kept VALUES (2)")


def find_it_busy(path: Path) -> None:
    with (
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as raw,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        raw.execute("BEGIN IMMEDIATE")


def write_nonsense(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("SELEKT 1")


FAILURES: dict[Callable[[Path], None], tuple[type[DatabaseError], str]] = {
    write_read_only: (DatabaseUnavailable, "permissions"),
    fill_the_disk: (DatabaseUnavailable, "disk is full"),
    open_a_folder: (DatabaseUnavailable, "see that its folder is there"),
    open_a_letter: (DatabaseError, "no SQLite database"),
    use_what_is_missing: (SchemaMissing, "staffa migrate up"),
    break_a_constraint: (DataRefused, "NOT NULL"),
    bind_a_surrogate: (DataRefused, "can't be stored"),
    bind_a_long_integer: (DataRefused, "can't be stored"),
    write_after_reading_what_has_changed: (StatementConflict, "BEGIN IMMEDIATE"),
    find_it_busy: (DatabaseUnavailable, "writing for too long"),
    write_nonsense: (DatabaseError, "syntax error"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a table."""
    made = tmp_path / "jobs.db"
    with closing(sqlite3.connect(made)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("CREATE TABLE kept (value NOT NULL)")
    return made


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_a_failure_is_told_in_our_terms_with_the_remedy(
    path: Path, failure: Callable[[Path], None]
) -> None:
    kind, text = FAILURES[failure]
    with pytest.raises(kind, match=text) as raised, translated_errors(path):
        failure(path)
    assert type(raised.value) is kind


def test_only_who_waits_for_another_writer_is_worth_another_try(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as waiting:
        find_it_busy(path)
    with pytest.raises(sqlite3.OperationalError) as outdated:
        write_after_reading_what_has_changed(path)
    assert is_busy(waiting.value)
    assert not is_busy(outdated.value)
