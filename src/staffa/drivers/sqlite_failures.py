"""SQLite's errors in our own terms: what each result code means to whoever ran a statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from staffa.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DataRefused,
    SchemaMissing,
    StatementConflict,
)

_PRIMARY = 0xFF
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_REFUSED = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
    }
)
_BROKEN = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
_MISSING_TEXTS = ("no such table", "no such column", "has no column named")
_REFUSED_TEXTS = ("user-defined function raised exception", "malformed JSON", "JSON path error")
_REMEDIES = {
    sqlite3.SQLITE_READONLY: "Staffa has to write to the file and into its folder: see to the "
    "permissions",
    sqlite3.SQLITE_CANTOPEN: "see that its folder is there and may be written to",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk fails, or the file lies on a network drive",
}


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether somebody else writes at the moment, so that the transaction could not begin."""
    code = _code_of(error)
    return code & _PRIMARY in _BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT


def is_lasting(error: sqlite3.Error) -> bool:
    """Tell whether the file or the disk is at fault, so that it has to be opened anew."""
    primary = _code_of(error) & _PRIMARY
    return primary in _BROKEN or primary in _REMEDIES


@contextmanager
def translated_errors(path: Path | str) -> Iterator[None]:
    """Raise the driver's errors as `DatabaseError`.

    Args:
        path: The file, for messages.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    except (OverflowError, UnicodeError) as error:  # while a parameter was handed over
        raise DataRefused(f"a value can't be stored: {error}") from error


def _translate(error: sqlite3.Error, path: Path | str) -> DatabaseError:
    code = _code_of(error)
    primary = code & _PRIMARY
    text = str(error)
    message = f"{text} ({getattr(error, 'sqlite_errorname', type(error).__name__)}, file {path})"
    if any(part in text for part in _MISSING_TEXTS):
        return SchemaMissing(
            f"{message}: Staffa's tables are not there or are of another version: run "
            "'staffa migrate up'"
        )
    if any(part in text for part in _REFUSED_TEXTS) or primary in _REFUSED:
        return DataRefused(f"{message}: a value can't be stored")
    if code == sqlite3.SQLITE_BUSY_SNAPSHOT:
        return StatementConflict(
            f"{message}: the transaction has read before somebody else wrote: begin it with BEGIN "
            "IMMEDIATE"
        )
    if primary == sqlite3.SQLITE_INTERRUPT:
        return StatementConflict(message)
    if primary in _BUSY:
        return DatabaseUnavailable(
            f"{message}: somebody else has been writing for too long: end that transaction"
        )
    if primary in _BROKEN:
        return DatabaseError(f"{message}: this is no SQLite database, or it is damaged")
    if primary in _REMEDIES:
        return DatabaseUnavailable(f"{message}: {_REMEDIES[primary]}")
    if isinstance(error, sqlite3.InterfaceError | sqlite3.DataError):
        return DataRefused(message)
    return DatabaseError(message)


def _code_of(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code
