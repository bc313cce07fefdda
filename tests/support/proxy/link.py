"""One connection through the proxy: two directions, each of them read message by message.

Invariants: messages of one direction keep their order, however late they are; what is late holds up
only what comes behind it; a side that was abandoned is still read, so that nothing tells the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from tests.support.proxy.statements import SYNC, Prepared, Trap
from tests.support.proxy.weather import Side, Way, Weather

READY, NOTIFICATION = b"Z", b"A"
_APART_SECONDS = 1e-5

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """Carries messages between a client and the server.

    Args:
        client: The client's streams.
        server: The server's streams.
        weather: What becomes of messages.
        trap: Which statement loses its reply.
        deaf: Tells whether notifications are lost.
    """

    def __init__(
        self, client: Streams, server: Streams, weather: Weather, trap: Trap, deaf: asyncio.Event
    ) -> None:
        self._requests, self._client = client
        self._replies, self._server = server
        self._weather = weather
        self._trap = trap
        self._deaf = deaf
        self._prepared = Prepared()
        self._lost = False
        self._matched = False
        self._gone: Side | None = None
        self._tasks: tuple[asyncio.Future[None], ...] = ()

    async def run(self) -> None:
        """Carry messages until one side closes, or both where one was abandoned."""
        self._tasks = (
            asyncio.ensure_future(self._forward_requests()),
            asyncio.ensure_future(self._forward_replies()),
        )
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._gone is not None:
                await asyncio.wait(self._tasks)
        finally:
            self.cut()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End both sides at once."""
        for side in (self._client, self._server):
            side.transport.abort()
        for task in self._tasks:  # it may wait for the network to carry something
            task.cancel()

    def lose(self, side: Side) -> None:
        """End one side at once, and tell the other nothing."""
        self._gone = side
        (self._client if side is Side.CLIENT else self._server).transport.abort()

    async def _forward_requests(self) -> None:
        deliver = self._delivery(self._server)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            size = await self._requests.readexactly(4)  # the first message has no kind
            rest = await self._requests.readexactly(int.from_bytes(size) - 4)
            await self._weather.passable(Way.TO_SERVER)
            deliver(size + rest)
            while True:
                kind = await self._requests.readexactly(1)
                size = await self._requests.readexactly(4)
                body = await self._requests.readexactly(int.from_bytes(size) - 4)
                await self._weather.passable(Way.TO_SERVER)
                if self._weather.breaks():
                    return
                self._look(kind, body)
                deliver(kind + size + body)
                if self._matched and kind == SYNC and self._catch():
                    return

    async def _forward_replies(self) -> None:
        deliver = self._delivery(self._client)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await self._replies.readexactly(5)
                body = await self._replies.readexactly(int.from_bytes(head[1:]) - 4)
                await self._weather.passable(Way.TO_CLIENT)
                if self._weather.breaks():
                    return
                if self._lost:
                    if head[:1] == READY:  # it has committed
                        return
                elif head[:1] != NOTIFICATION or not self._deaf.is_set():
                    deliver(head + body)

    def _delivery(self, to: asyncio.StreamWriter) -> Callable[[bytes], None]:
        """Return what hands messages over in their order, each when it is due."""
        loop = asyncio.get_running_loop()
        last = 0.0

        def write(message: bytes) -> None:
            if not to.transport.is_closing():
                to.write(message)

        def deliver(message: bytes) -> None:
            nonlocal last
            now = loop.time()
            due = max(now + self._weather.late(), last + _APART_SECONDS)
            if due > now + _APART_SECONDS:
                last = due
                loop.call_at(due, write, message)
            else:
                write(message)

        return deliver

    def _look(self, kind: bytes, body: bytes) -> None:
        statement = self._prepared.read(kind, body)
        if statement is not None and self._trap.takes(statement):
            self._matched = True
            self._lost = True  # before the server can reply

    def _catch(self) -> bool:
        """Note that the statement is with the server; tell whether its client is cut off now."""
        self._matched = False
        self._trap.spring()
        if self._trap.abandons:
            self.lose(Side.CLIENT)
        return self._trap.abandons
