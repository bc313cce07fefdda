"""A TCP proxy before PostgreSQL that loses what a test wants to be lost.

It reads the client's messages, so that it can tell which statement is executed. A statement is
named by a piece of its text. What the proxy loses:

- `lose_reply`: the statement runs and commits, its reply is lost with the connection;
- `abandon`: the client's connection is cut while the statement still runs on the server;
- `close` and `open`: the server can't be reached for a while;
- `freeze` and `thaw`: nothing goes through, in either direction, and nobody is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

from tests.support.events import eventually

_READY = b"Z"
_PARSE, _BIND, _SYNC = b"P", b"B", b"S"


@dataclass(eq=False)
class Link:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    statements: dict[bytes, bytes] = field(default_factory=dict)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    matched: bool = False

    def cut(self) -> None:
        """End both sides at once."""
        for side in (self.client, self.server):
            side.transport.abort()


class Proxy:
    """Listens on a port of this machine.

    Args:
        dsn: The server's.
    """

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        given = parse_qs(parts.query)
        self._host = given.get("host", [parts.hostname or "127.0.0.1"])[0]
        self._port = int(given.get("port", [parts.port or 5432])[0])
        user = given.get("user", [parts.username or "postgres"])[0]
        self._account = user if parts.password is None else f"{user}:{parts.password}"
        self._database = parts.path
        self._server: asyncio.Server | None = None
        self._own_port = 0
        self._links: set[Link] = set()
        self._ran: list[bytes] = []
        self._piece: bytes | None = None
        self._abandoning = False
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._caught = False

    @property
    def dsn(self) -> str:
        """How to connect through the proxy; without TLS, or it could read nothing."""
        account = quote(self._account, safe=":")
        return f"postgresql://{account}@127.0.0.1:{self._own_port}{self._database}?sslmode=disable"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thawed.set()
        await self.close()

    async def open(self) -> None:
        """Accept connections, always at the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._own_port)
        self._own_port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut all connections, and refuse new ones."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for link in list(self._links):
            link.cut()
        if server is not None:
            await server.wait_closed()

    def lose_reply(self, piece: str) -> None:
        """Lose the reply to the next statement that has this piece of text."""
        self._piece, self._abandoning = piece.encode(), False
        self._caught = False

    def abandon(self, piece: str) -> None:
        """Cut the client off while that statement runs; the server goes on with it."""
        self._piece, self._abandoning = piece.encode(), True
        self._caught = False

    async def caught(self) -> None:
        """Wait until the statement has been sent to the server."""
        await eventually(lambda: self._caught, "the statement that is to be lost")

    def ran(self, piece: str) -> int:
        """Return how many statements with a piece of text the clients have executed."""
        return sum(piece.encode() in statement for statement in self._ran)

    def freeze(self) -> None:
        """Let nothing through from now on."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Cut what was frozen, and let everything through again."""
        for link in list(self._links):
            link.cut()
        self._thawed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        upward = asyncio.ensure_future(self._forward_requests(link, reader))
        downward = asyncio.ensure_future(self._forward_replies(link, from_server))
        try:
            await asyncio.wait([upward, downward], return_when=asyncio.FIRST_COMPLETED)
            if link.lost.is_set() and self._abandoning:
                await downward  # the statement goes on; its reply goes nowhere
        finally:
            link.cut()
            for task in (upward, downward):
                task.cancel()
            await asyncio.gather(upward, downward, return_exceptions=True)
            self._links.discard(link)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)

    async def _forward_requests(self, link: Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            size = await reader.readexactly(4)  # the first message has no kind
            link.server.write(size + await reader.readexactly(int.from_bytes(size) - 4))
            while True:
                kind = await reader.readexactly(1)
                size = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(size) - 4)
                await self._thawed.wait()
                self._look(link, kind, body)
                link.server.write(kind + size + body)
                if link.matched and kind == _SYNC:
                    await link.server.drain()
                    self._note_caught(link)
                    if self._abandoning:
                        link.client.transport.abort()
                        return

    async def _forward_replies(self, link: Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(5)
                body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
                await self._thawed.wait()
                if not link.lost.is_set():
                    link.client.write(head + body)
                elif head[:1] == _READY:  # it has committed
                    return

    def _look(self, link: Link, kind: bytes, body: bytes) -> None:
        if kind == _PARSE:
            name, _, rest = body.partition(b"\0")
            link.statements[name] = rest.partition(b"\0")[0]
        elif kind == _BIND:
            name = body.split(b"\0", 2)[1]
            self._ran.append(link.statements.get(name, b""))
            link.matched = self._piece is not None and self._piece in self._ran[-1]
            if link.matched:
                link.lost.set()  # before the server can reply

    def _note_caught(self, link: Link) -> None:
        link.matched = False
        self._piece = None
        self._caught = True
