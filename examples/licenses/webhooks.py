"""The endpoint that a payment service calls: as often as it likes for one event."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shop import plan_license
from staffa import Staffa
from staffa.errors import FlowExists


class Endpoint:
    """Takes webhooks over HTTP; each is a workflow, once.

    The reply is sent when the workflow is committed: a webhook whose reply was lost comes again.
    """

    def __init__(self, app: Staffa) -> None:
        self._app = app

    async def receive(self, body: bytes) -> str:
        """Take one, and return the status of the reply."""
        try:
            await self._app.enqueue(plan_license(json.loads(body)))
        except FlowExists:
            return "200 known"
        return "202 taken"

    async def reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request, and answer it."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        status = await self.receive(await reader.readexactly(length))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(app: Staffa) -> AsyncIterator[int]:
    """Serve the endpoint; the value is its port."""
    server = await asyncio.start_server(Endpoint(app).reply, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
