"""Notifications by PostgreSQL's LISTEN and NOTIFY.

A connection of its own listens; when it is lost, it is made again for ever with capped, jittered
delays, and `on_reconnect` tells that notifications may have been missed. Sending goes through the
engine's pool, in a transaction of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from staffa._internal.backoff import Backoff
from staffa._internal.sql import load_sql
from staffa.drivers.asyncpg import REPLY_SECONDS, ConnectionSettings, close_connection
from staffa.drivers.asyncpg_pool import Pool
from staffa.drivers.connections import run_on, run_on_sync
from staffa.drivers.failures import translated_errors
from staffa.engine import Statement, Statements
from staffa.errors import DatabaseError, DatabaseUnavailable
from staffa.notifier import Handler, channel_name, decode_payload, encode_payload
from staffa.service import Service
from staffa.telemetry import Outages, emit, observed, report
from staffa.telemetry.catalogue import NotifierLost, NotifierReconnected

PROBE_SECONDS = 30.0


@observed("staffa.notifier", "notify")
class PostgresNotifier(Service):
    """LISTEN and NOTIFY on the channels of one schema.

    Args:
        settings: Where the listening connection goes.
        pool: Sends.
        prefix: The schema, which channel names begin with.
        on_reconnect: Called after a lost connection is there again.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        pool: Pool,
        prefix: str,
        on_reconnect: Callable[[], None],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._pool = pool
        self._prefix = prefix
        self._notify = load_sql("staffa.notifiers", "sql/notify.sql", prefix)
        self._on_reconnect = on_reconnect
        self._probe_text = load_sql("staffa.notifiers", "sql/probe.sql", prefix)
        self._channels: Sequence[str] = ()
        self._handler: Handler | None = None
        self._connection: asyncpg.Connection | None = None
        self._lost = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether notifications can arrive at the moment."""
        return self._connection is not None and not self._connection.is_closed()

    async def listen(self, channels: Sequence[str], handler: Handler) -> None:
        """Listen to channels from now on.

        Raises:
            DatabaseUnavailable: If the first connection can't be made.
        """
        self._channels, self._handler = channels, handler
        await self.start()

    async def notify(
        self, messages: Iterable[tuple[str, Mapping[str, Any]]], *, conn: Any = None
    ) -> None:
        """Send payloads to channels, in the transaction of a user's connection if one is given.

        Raises:
            DatabaseError: If they could not be sent.
            ValueError: If a payload is too long.
        """
        statement = self._statement(messages)
        if statement is None:
            return
        if conn is None:
            await self._pool.run(statement)
        else:
            await run_on(conn, Statements([lambda: statement], lambda results: None))

    def notify_on(self, messages: Iterable[tuple[str, Mapping[str, Any]]], conn: Any) -> None:
        """Do the same in the transaction of a connection of synchronous code."""
        statement = self._statement(messages)
        if statement is not None:
            run_on_sync(conn, Statements([lambda: statement], lambda results: None))

    def _statement(
        self, messages: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> Statement[None] | None:
        encoded = [
            (channel_name(self._prefix, channel), encode_payload(payload))
            for channel, payload in messages
        ]
        if not encoded:
            return None
        channels, payloads = zip(*encoded, strict=True)
        return Statement(self._notify, (list(channels), list(payloads)), lambda rows: None)

    async def on_start(self) -> None:
        """Make the first connection; where listening is refused, it will be tried again."""
        try:
            await self._connect()
        except DatabaseUnavailable:
            raise
        except DatabaseError as error:  # some poolers say so; the sonar then tells what to do
            report("listening is refused", error, level=logging.WARNING)
            self._lost.set()

    async def run(self) -> None:
        """Make the connection again whenever it is lost."""
        backoff = Backoff()
        outages = Outages("listening")
        while True:
            await self._wait_until_lost()
            emit(NotifierLost, prefix=self._prefix)
            while True:
                try:
                    await self._connect()
                except DatabaseError as error:
                    outages.report("listening will be tried again", error)
                    refused = not isinstance(error, DatabaseUnavailable)
                    await asyncio.sleep(PROBE_SECONDS if refused else backoff.next_seconds())
                else:
                    break
            backoff.reset()
            outages.end()
            emit(NotifierReconnected, prefix=self._prefix)
            self._on_reconnect()

    async def on_stop(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.remove_termination_listener(self._on_terminated)
            await close_connection(connection)

    async def _connect(self) -> None:
        connection = await self._settings.connect()
        try:
            with translated_errors():
                async with asyncio.timeout(REPLY_SECONDS):
                    for channel in self._channels:
                        await connection.add_listener(
                            channel_name(self._prefix, channel), self._on_message
                        )
        except BaseException:
            connection.terminate()
            raise
        self._lost.clear()
        connection.add_termination_listener(self._on_terminated)
        if connection.is_closed():  # it was lost before anybody would have told
            self._lost.set()
        self._connection = connection

    async def _wait_until_lost(self) -> None:
        """Return once the connection is gone; a silent one is asked now and then."""
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._lost.wait()
            except TimeoutError:
                await self._probe()

    async def _probe(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            with translated_errors():
                async with asyncio.timeout(REPLY_SECONDS):
                    demoted = await connection.fetchval(self._probe_text)
        except DatabaseError:
            demoted = True
        if demoted:
            connection.terminate()
            self._lost.set()

    def _on_terminated(self, connection: object) -> None:
        self._lost.set()

    def _on_message(self, connection: object, pid: int, channel: str, raw: object) -> None:
        name = channel.removeprefix(channel_name(self._prefix, ""))
        try:
            payload = decode_payload(str(raw))
        except ValueError as error:
            report(f"a notification on {name} was dropped", error, level=logging.WARNING)
            return
        assert self._handler is not None  # noqa: S101  # set before the connection is made
        self._handler(name, payload)
