"""SQLite through Python's `sqlite3`: each connection has a thread of its own, and turns are taken.

Invariants: what changes something is one hop to the thread, from BEGIN IMMEDIATE to COMMIT, so that
no cancellation ever leaves a transaction open: a call that has begun is finished whatever becomes
of its caller, one that waits for its turn is dropped. Who finds the database busy waits and tries
again, with short jittered delays, so that no process is shut out by one that writes all the time;
after `BUSY_SECONDS` the call fails, and nothing was written. A forked child opens connections of
its own; the inherited ones are left alone, as closing them would harm the parent's. A session, for
migrations alone, is several hops, and its process does nothing else meanwhile.

There is one writer at a time in a file, whoever it is. Readers go on beside it (WAL).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from staffa._internal.backoff import Backoff
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.dialogues import all_of, hold_here
from staffa.drivers.sqlite_failures import is_busy, is_lasting, translated_errors
from staffa.engine import Statement, Statements
from staffa.errors import ConfigError, DatabaseUnavailable, InstanceError, SchemaMissing

T = TypeVar("T")

BUSY_SECONDS = 30.0
OLDEST_VERSION = (3, 40, 0)

_inherited: list[sqlite3.Connection] = []


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Which file, and how it is opened.

    Args:
        path: The file, by its whole path: a process may change its folder.
        prepare: Registers the functions that statements need.
        durable: Whether a commit is on the disk when it returns; else a power cut may take the last
            ones, or the file, with it.
        script: Makes the tables where there are none; nothing does so if not given.
    """

    path: Path
    prepare: Callable[[sqlite3.Connection], None]
    durable: bool = True
    script: str | None = None

    def connect(self, *, create: bool = False) -> sqlite3.Connection:
        """Return a new connection, for the calling thread.

        Args:
            create: Whether the file is made if it is not there.

        Raises:
            ConfigError: If SQLite is too old.
            SchemaMissing: If the file is not there.
            sqlite3.Error: If it can't be opened, or is no database.
        """
        if sqlite3.sqlite_version_info < OLDEST_VERSION:
            raise ConfigError(
                f"this Python has SQLite {sqlite3.sqlite_version}: Staffa needs 3.40 or newer"
            )
        create = create or self.script is not None
        if not self.path.parent.is_dir():
            raise DatabaseUnavailable(
                f"the folder {str(self.path.parent)!r} of the database is not there: make it first"
            )
        if not create and not self.path.exists():
            raise SchemaMissing(
                f"there is no file {str(self.path)!r}: run 'staffa migrate up', which makes it"
            )
        uri = f"file:{quote(str(self.path.absolute()))}?mode={'rwc' if create else 'rw'}"
        raw = sqlite3.connect(
            uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._set_up(raw)
        except BaseException:
            raw.close()
            raise
        return raw

    def session(self, *, create: bool = False) -> AbstractAsyncContextManager[Session]:
        """Connect for a sequence of statements, such as a migration's."""
        return _open_session(self, create=create)

    def _set_up(self, raw: sqlite3.Connection) -> None:
        self.prepare(raw)
        raw.text_factory = _read_text
        raw.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'OFF'}")
        (mode,) = raw.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal":
            raw.execute("PRAGMA journal_mode = WAL").fetchone()
        if self.script is not None:
            _begin(raw)
            (found,) = raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if not found:
                run_script(raw, self.script)
            raw.execute("COMMIT")


class Run(Protocol):
    """Runs statements in a transaction, on the connection's thread."""

    def __call__(self, statement: Statement[T]) -> T:
        """Run a statement."""


class _Call:
    """A piece of work for a connection's thread.

    Args:
        work: Called with the raw connection.
        keep: Whether a transaction that is open stays so after an error.
    """

    def __init__(self, work: Callable[[sqlite3.Connection], Any], *, keep: bool) -> None:
        self.work = work
        self.keep = keep
        self.dropped = threading.Event()


def _close_left_behind(raw: sqlite3.Connection, process: int) -> None:
    if os.getpid() == process:
        raw.close()


class FileConnection:
    """A connection on a thread of its own, opened when it is first needed.

    Any event loop may call it, also several in turn.

    Args:
        settings: Which file.
        name: What the thread is called.
        create: Whether the file is made if it is not there.
    """

    def __init__(
        self, settings: FileSettings, name: str = "staffa-sqlite", *, create: bool = False
    ) -> None:
        self.settings = settings
        self._name = name
        self._create = create
        self._process = os.getpid()
        self._thread: ThreadPoolExecutor | None = None
        self._raw: sqlite3.Connection | None = None
        self._left_behind: weakref.finalize[..., FileConnection] | None = None
        self._file: tuple[int, int] | None = None
        self._closed = False

    async def read(self, statement: Statement[T]) -> T:
        """Run a statement that changes nothing.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """
        return await self.perform(lambda raw: _fetch(raw, statement))

    async def write(self, statements: Statement[T] | Statements[T]) -> T:
        """Run statements in one transaction, which nobody else writes beside.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """
        if isinstance(statements, Statement):
            statements = Statements.of(statements)
        return await self.transact(partial(_run_all, statements))

    async def transact(self, work: Callable[[Run], T]) -> T:
        """Call a function with what runs statements in one transaction; all of it on the thread.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """

        def together(raw: sqlite3.Connection) -> T:
            _begin(raw)
            result = work(partial(_fetch, raw))
            raw.execute("COMMIT")
            return result

        return await self.perform(together)

    async def perform(self, work: Callable[[sqlite3.Connection], T], *, keep: bool = False) -> T:
        """Call a function with the raw connection, on its thread.

        Args:
            work: The function; it leaves no transaction open.
            keep: Whether it may do so, and an error in it leaves the transaction as it is.
        """
        if self._closed:
            raise InstanceError("the client was stopped while this call was under way")
        call = _Call(work, keep=keep)
        loop = asyncio.get_running_loop()
        try:
            result: T = await loop.run_in_executor(self._executor(), self._perform, call)
        except asyncio.CancelledError:
            call.dropped.set()
            raise
        return result

    async def close(self) -> None:
        """Finish what has begun, and close the connection."""
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is None or self._process != os.getpid():
            return
        await asyncio.get_running_loop().run_in_executor(thread, self._close)
        thread.shutdown(wait=False)

    def _executor(self) -> ThreadPoolExecutor:
        if self._process != os.getpid():
            if self._raw is not None:
                _inherited.append(self._raw)
            self._process, self._thread, self._raw = os.getpid(), None, None
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        return self._thread

    def _perform(self, call: _Call) -> Any:
        until = SYSTEM_CLOCK.monotonic() + BUSY_SECONDS
        backoff = Backoff(first_seconds=0.001, cap_seconds=0.02)
        with translated_errors(self.settings.path):
            while True:
                try:
                    return self._try(call)
                except sqlite3.OperationalError as error:
                    late = SYSTEM_CLOCK.monotonic() > until
                    if not is_busy(error) or late or self._closed or call.dropped.is_set():
                        raise
                call.dropped.wait(backoff.next_seconds())

    def _try(self, call: _Call) -> Any:
        if self._raw is not None and not call.keep and self._file != _identity(self.settings.path):
            self._close()  # somebody has put another file in its place, or none
        if self._raw is None:
            self._raw = self.settings.connect(create=self._create)
            # A loop that has ended leaves it behind: nobody can await its end any more.
            self._left_behind = weakref.finalize(self, _close_left_behind, self._raw, os.getpid())
            self._file = _identity(self.settings.path)
        try:
            return call.work(self._raw)
        except BaseException as error:
            if not call.keep:
                _roll_back(self._raw)
                if isinstance(error, sqlite3.Error) and is_lasting(error):
                    self._close()  # the file is opened anew next time
            raise

    def _close(self) -> None:
        raw, self._raw = self._raw, None
        if self._left_behind is not None:
            self._left_behind.detach()
        if raw is not None:
            with suppress(sqlite3.Error):
                raw.close()


class Session:
    """One connection for a sequence of statements, such as a migration's."""

    def __init__(self, connection: FileConnection) -> None:
        self._connection = connection
        self._depth = 0

    async def execute(self, sql: str, *params: Any) -> None:
        """Run a statement, or a script of several if it has no parameters."""
        if params:
            await self.fetch(sql, *params)
        else:
            await self._run(lambda raw: run_script(raw, sql))

    async def fetch(self, sql: str, *params: Any) -> Sequence[Mapping[str, Any]]:
        """Run a statement and return its rows."""
        return await self._run(lambda raw: fetch_rows(raw, sql, params))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Open a transaction, or a savepoint inside of one: rolled back on errors."""
        name = f"staffa_{self._depth}"
        begin, end, back = (
            (_begin, "COMMIT", "ROLLBACK")
            if self._depth == 0
            else (
                lambda raw: raw.execute(f"SAVEPOINT {name}"),
                f"RELEASE {name}",
                f"ROLLBACK TO {name}",
            )
        )
        await self._run(begin)
        self._depth += 1
        try:
            yield
        except BaseException:
            await self._run(lambda raw: raw.execute(back))
            raise
        else:
            await self._run(lambda raw: raw.execute(end))
        finally:
            self._depth -= 1

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._connection.perform(work, keep=True)


@asynccontextmanager
async def _open_session(settings: FileSettings, *, create: bool) -> AsyncIterator[Session]:
    connection = FileConnection(settings, "staffa-migrate", create=create)
    try:
        yield Session(connection)
    finally:
        await connection.close()


def fetch_rows(
    raw: sqlite3.Connection, sql: str, params: Sequence[Any]
) -> Sequence[Mapping[str, Any]]:
    """Run a statement and return its rows; parameters are bound by their numbers as names."""
    cursor = raw.execute(sql, {str(place): value for place, value in enumerate(params, start=1)})
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def run_script(raw: sqlite3.Connection, script: str) -> None:
    """Run the statements of a script; unlike the driver's way this ends no open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            raw.execute(statement)
            statement = ""


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of its name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _read_text(stored: bytes) -> str:
    """Return a text; a byte that is none (any client may write anything) must not stop a claim."""
    return stored.decode("utf-8", "replace")


def _fetch(raw: sqlite3.Connection, statement: Statement[T]) -> T:
    return statement.decode(fetch_rows(raw, statement.sql, statement.params))


def _run_all(statements: Statements[T], run: Run) -> T:
    return hold_here(all_of(statements), run)


def _begin(raw: sqlite3.Connection) -> None:
    raw.execute("BEGIN IMMEDIATE")


def _roll_back(raw: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        if raw.in_transaction:
            raw.execute("ROLLBACK")
