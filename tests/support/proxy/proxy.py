"""The proxy's listening side, and what tests ask of it.

It reads the client's messages, so that it can tell which statement is executed. A statement is
named by a piece of its text. What the proxy does to connections:

- `lose_reply`: a statement runs and commits, its reply is lost with the connection;
- `abandon`: the client's connection is cut while the statement still runs on the server;
- `close` and `open`: the server can't be reached for a while;
- `freeze` and `thaw`: nothing goes through, in one direction or both, and nobody is told;
- `half_open`: one end of all connections is gone, and the other is not told;
- `cut`: all connections break, once;
- `delay`, `lose_messages`, `break_connections`: the network is slow, loses messages, breaks
  connections, by chance;
- `lose_notifications`: what LISTEN waits for never comes.

A long-lived proxy is made with a seed, and `clear` ends all of it.
"""

from __future__ import annotations

import asyncio
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

from tests.support.events import eventually
from tests.support.ports import free_port
from tests.support.proxy.link import Link, Streams
from tests.support.proxy.statements import Trap
from tests.support.proxy.weather import Side, Way, Weather


class Proxy:
    """Listens on a port of this machine.

    Args:
        dsn: The server's.
        seed: Of what happens by chance.
    """

    def __init__(self, dsn: str, *, seed: int = 0) -> None:
        parts = urlsplit(dsn)
        given = parse_qs(parts.query)
        self._host = given.get("host", [parts.hostname or "127.0.0.1"])[0]
        self._port = int(given.get("port", [parts.port or 5432])[0])
        user = given.get("user", [parts.username or "postgres"])[0]
        self._account = user if parts.password is None else f"{user}:{parts.password}"
        self._database = parts.path
        self._server: asyncio.Server | None = None
        self._own_port = free_port()
        self._links: set[Link] = set()
        self._trap = Trap()
        self._weather = Weather(seed)
        self._deaf = asyncio.Event()

    @property
    def dsn(self) -> str:
        """How to connect through the proxy; without TLS, or it could read nothing."""
        account = quote(self._account, safe=":")
        return f"postgresql://{account}@127.0.0.1:{self._own_port}{self._database}?sslmode=disable"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Accept connections, always at the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._own_port)

    async def close(self) -> None:
        """Cut all connections, and refuse new ones."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.cut()
        if server is not None:
            await server.wait_closed()

    def lose_reply(self, piece: str) -> None:
        """Lose the reply to the next statement that has this piece of text."""
        self._trap.set(piece, abandons=False)

    def abandon(self, piece: str) -> None:
        """Cut the client off while that statement runs; the server goes on with it."""
        self._trap.set(piece, abandons=True)

    async def caught(self) -> None:
        """Wait until the statement has been sent to the server."""
        try:
            await eventually(lambda: self._trap.caught, "the statement that is to be lost")
        except AssertionError as error:
            seen = f"{len(self._links)} connections are open; executed were {self._trap}"
            raise AssertionError(f"{error}; {seen}") from None

    def ran(self, piece: str) -> int:
        """Return how many statements with a piece of text the clients have executed."""
        return self._trap.ran(piece)

    def cut(self) -> None:
        """Break all connections; new ones are accepted."""
        for link in list(self._links):
            link.cut()

    def half_open(self, gone: Side) -> None:
        """End one side of all connections, and tell the other side nothing."""
        for link in list(self._links):
            link.lose(gone)

    def freeze(self, way: Way = Way.BOTH) -> None:
        """Let nothing through from now on, in a direction or in both."""
        self._weather.freeze(way)

    def thaw(self, *, cut: bool = True) -> None:
        """Let everything through again; what was frozen is cut, unless that is not wanted."""
        if cut:
            self.cut()
        self._weather.thaw()

    def delay(self, longest: float) -> None:
        """Let each message take up to so many seconds, in each direction."""
        self._weather.delay(longest)

    def lose_messages(self, rate: float, *, resent_after: float = 0.2) -> None:
        """Lose a share of all messages: TCP sends them again, and they come late."""
        self._weather.lose(rate, resent_after)

    def break_connections(self, rate: float) -> None:
        """Break a connection at a share of all messages, before they arrive."""
        self._weather.cut(rate)

    @property
    def broken(self) -> int:
        """How many messages were lost, and connections broken, by chance."""
        return self._weather.harm

    def lose_notifications(self, lost: bool = True) -> None:
        """Let no notification through, or all of them again."""
        if lost:
            self._deaf.set()
        else:
            self._deaf.clear()

    def clear(self) -> None:
        """Be a good network again; what was frozen or half open is cut."""
        self.delay(0.0)
        self.lose_messages(0.0)
        self.break_connections(0.0)
        self.lose_notifications(False)
        self.thaw()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        link = Link((reader, writer), server, self._weather, self._trap, self._deaf)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    async def _connect(self) -> Streams:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)
