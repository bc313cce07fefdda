"""A pool of asyncpg's connections, and transactions on them.

A connection whose transaction may have been left open, or whose reply did not come, is ended: the
server then rolls back. No connection is reset between two users, as none of ours leaves a trace.

The one that was used last is kept for the next user, unless somebody waits for it: to give it back
to the driver's pool and borrow it again takes two thirds of the time of our part of ``SELECT 1``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.transaction import Transaction

from staffa._internal.backoff import Backoff
from staffa._internal.clock import SYSTEM_CLOCK
from staffa._internal.kill_points import boundary, sender
from staffa.dialogues import all_of, hold
from staffa.drivers.asyncpg import (
    REPLY_SECONDS,
    Access,
    ConnectionSettings,
    Dedicated,
    end,
    fetch,
    within_reply_time,
)
from staffa.drivers.failures import translated_errors
from staffa.drivers.unanswered import send_commit
from staffa.engine import Alone, Statement, Statements
from staffa.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DataRefused,
    InstanceError,
    StatementConflict,
)

T = TypeVar("T")

_CLOSE_SECONDS = 5.0
_REPEATABLE_STATES = frozenset({"40001", "40P01"})
_LOST_STATES = _REPEATABLE_STATES | {"23505"}
_TRIES_OF_A_TRANSACTION = 6
_TOO_MANY_CONNECTIONS = "53300"
_REFUSED_SECONDS = 60.0


class Run(Protocol):
    """Runs statements in a transaction."""

    async def __call__(self, statement: Statement[T]) -> T:
        """Run a statement.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """


class Pool:
    """Connections for statements that stand alone, opened when they are needed.

    It belongs to the event loop that used it last: a new loop (as tests make one each) gets new
    connections.

    Args:
        settings: Where to connect.
        size: How many connections at most.
    """

    def __init__(self, settings: ConnectionSettings, size: int) -> None:
        self._settings = settings
        self._size = size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._spare: PoolConnectionProxy[asyncpg.Record] | None = None
        self._waiting = 0

    async def run(self, statement: Statement[T]) -> T:
        """Run a statement in a transaction of its own.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """
        pool = await self._open()
        connection = self._take_spare() or await self._acquire(pool)
        try:  # not by `connection`: this is what a job costs that is enqueued alone
            return await fetch(connection, statement)
        finally:
            if not self._keep_spare(pool, connection):
                await _give_back(pool, connection)

    async def run_together(self, statements: Statements[T]) -> T:
        """Run statements in one transaction, again if it loses against another one's locks.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """
        if statements.alone is not None:
            done = await self._try_alone(statements.alone)
            if done is not None:
                return done
        backoff: Backoff | None = None
        tries = 1
        while True:
            try:
                return await self._run_together(statements)
            except StatementConflict as error:
                if error.sqlstate not in _REPEATABLE_STATES or tries == _TRIES_OF_A_TRANSACTION:
                    raise
            tries += 1
            backoff = backoff or Backoff(first_seconds=0.01, cap_seconds=0.5)
            await asyncio.sleep(backoff.next_seconds())

    async def _try_alone(self, alone: Alone[T]) -> T | None:
        """Run a statement that may have done nothing, and return its result if it has."""
        done: T | None = None
        try:
            done = await self.run(alone.make())
        except (StatementConflict, DataRefused) as error:
            if error.sqlstate not in _LOST_STATES:
                raise
        if done is None:
            alone.on_failure()
        return done

    async def _run_together(self, statements: Statements[T]) -> T:
        if len(statements.parts) == 1:  # needs no transaction around it
            statement = statements.parts[0]()
            return statements.combine([None if statement is None else await self.run(statement)])
        async with self.transaction() as run:
            return await hold(all_of(statements), run)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[PoolConnectionProxy[asyncpg.Record]]:
        """Lend a connection."""
        pool = await self._open()
        connection = self._take_spare() or await self._acquire(pool)
        try:
            yield connection
        finally:
            if not self._keep_spare(pool, connection):
                await _give_back(pool, connection)

    def _keep_spare(
        self, pool: asyncpg.Pool[asyncpg.Record], connection: PoolConnectionProxy[asyncpg.Record]
    ) -> bool:
        """Keep a connection for the next user, unless there is one or somebody waits for it."""
        if self._pool is not pool or self._spare is not None or self._waiting:
            return False
        self._spare = connection
        return True

    def _take_spare(self) -> PoolConnectionProxy[asyncpg.Record] | None:
        """Return the connection that was used last, if it is free and open."""
        connection, self._spare = self._spare, None
        if connection is None:
            return None
        try:
            return None if connection.is_closed() else connection
        except asyncpg.InterfaceError:  # the pool has taken a lost one back already
            return None

    async def _acquire(
        self, pool: asyncpg.Pool[asyncpg.Record]
    ) -> PoolConnectionProxy[asyncpg.Record]:
        self._waiting += 1
        try:
            with translated_errors():
                async with asyncio.timeout(REPLY_SECONDS):
                    return await pool.acquire()
        except DatabaseUnavailable as error:
            if not isinstance(error.__cause__, TimeoutError) or self._can_grow(pool):
                raise
            raise DatabaseUnavailable(
                f"no connection became free within {REPLY_SECONDS:g} s: all {self._size} of the "
                "pool are in use: raise pool_size, or look for what holds them for so long"
            ) from error
        finally:
            self._waiting -= 1

    def _can_grow(self, pool: asyncpg.Pool[asyncpg.Record]) -> bool:
        return pool.get_idle_size() > 0 or pool.get_size() < self._size

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        """Open a transaction, and lend what runs statements in it: committed at the end.

        READ COMMITTED whatever the server's default is: a statement must see what those have
        committed that it has waited for. Errors of the caller's own are passed on as they are, and
        roll it back.
        """
        async with self.connection() as connection:
            transaction = connection.transaction(isolation="read_committed")
            try:
                await within_reply_time(transaction.start())
            except BaseException:  # it may have begun all the same
                end(connection)
                raise
            try:
                yield partial(fetch, connection)
            except BaseException as error:
                await _roll_back(connection, transaction, error)
                raise
            try:
                await _commit(transaction)
            except BaseException:
                end(connection)
                raise

    async def close(self) -> None:
        """Close all connections."""
        pool, self._pool = self._pool, None
        self._closed = True
        if pool is None:
            return
        if self._loop is not asyncio.get_running_loop():
            return  # its loop has taken the connections along
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                if self._spare is not None:
                    await _give_back(pool, self._spare)
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def _open(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._closed:  # or what is still under way would leave a connection behind
            raise InstanceError("the client was stopped while this call was under way")
        loop = asyncio.get_running_loop()
        if self._pool is not None and self._loop is loop:
            return self._pool
        if self._loop is not loop:
            self._opening = asyncio.Lock()
            self._pool = self._spare = None
            self._loop = loop
        async with self._opening:
            if self._pool is None:
                with translated_errors():
                    self._pool = await asyncpg.create_pool(
                        min_size=0,
                        max_size=self._size,
                        reset=_keep,
                        connect=self._settings.open,
                    )
            return self._pool


class PlannedOnce:
    """A connection whose statements are planned once, and a pool that helps out.

    It does so while the connection is used, or where the server allows for no more connections.

    Args:
        settings: Where to connect.
        pool: The pool, whose connections plan each time.
    """

    def __init__(self, settings: ConnectionSettings, pool: Pool) -> None:
        self._connection = Dedicated(settings.with_access(Access.PROBES))
        self._pool = pool
        self._closed = False
        self._refused_until = 0.0

    async def run(self, statement: Statement[T]) -> T:
        """Run a statement in a transaction of its own, again if it loses against others' locks.

        Raises:
            DatabaseError: In the subclass that tells what to do about it.
        """
        if self._can_run():
            try:
                return await self._connection.run(statement)
            except StatementConflict as error:
                if error.sqlstate not in _REPEATABLE_STATES:
                    raise
            except DatabaseUnavailable as error:
                if error.sqlstate != _TOO_MANY_CONNECTIONS:
                    raise
                self._refused_until = SYSTEM_CLOCK.monotonic() + _REFUSED_SECONDS
        return await self._pool.run_together(Statements.of(statement))

    async def close(self) -> None:
        """Close the connection, once the statement under way is done if that is soon."""
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._connection.settle()
        await self._connection.close()

    def _can_run(self) -> bool:
        if self._closed or self._connection.busy:
            return False
        return not self._refused_until or SYSTEM_CLOCK.monotonic() > self._refused_until


async def _give_back(
    pool: asyncpg.Pool[asyncpg.Record], connection: PoolConnectionProxy[asyncpg.Record]
) -> None:
    with suppress(asyncpg.InterfaceError, TimeoutError, OSError):
        await pool.release(connection, timeout=_CLOSE_SECONDS)


@boundary("commit")
@sender(send_commit)
async def _commit(transaction: Transaction) -> None:
    await within_reply_time(transaction.commit())


async def _roll_back(
    connection: PoolConnectionProxy[asyncpg.Record], transaction: Transaction, error: BaseException
) -> None:
    """Roll back, or end a connection that can't be trusted to: the server then does it."""
    with suppress(asyncpg.InterfaceError):  # the pool has taken a lost one back already
        if not isinstance(error, Exception) or connection.is_closed():
            end(connection)
            return
        try:
            await within_reply_time(transaction.rollback())
        except DatabaseError:  # what the caller hears of is the error that led here
            end(connection)
        except BaseException:
            end(connection)
            raise


async def _keep(connection: asyncpg.Connection) -> None:
    """Leave a connection as it is when it returns to the pool: nothing of ours needs a reset."""
