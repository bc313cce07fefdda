"""The thread that serves a health port.

Invariants: nothing that comes in can hold more than `MOST_CONNECTIONS` connections of
`MAX_HEAD_BYTES` for `PATIENCE_SECONDS`. When there are too many, the one that has waited longest is
cut: an honest probe sends its request at once and is answered within milliseconds, so slow clients
push out each other and not the probes.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus

from staffa.services.health.answers import MAX_HEAD_BYTES, respond
from staffa.telemetry import report

MOST_CONNECTIONS = 64
PATIENCE_SECONDS = 5.0
_BACKLOG = 256
_LAST_SECONDS = 1.0
_END = b"\r\n\r\n"


class HealthServer:
    """Answers on a listening socket until it is closed.

    Args:
        listening: The socket; it is closed with the server.
        answer: Returns the response to the head of a request, on the server's thread.
    """

    def __init__(
        self, listening: socket.socket, answer: Callable[[bytes], Awaitable[bytes]]
    ) -> None:
        self._listening = listening
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._open: dict[asyncio.Task[None], StreamWriter] = {}
        self._thread = threading.Thread(target=self._work, name="staffa-health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering; returns once the thread has ended."""
        with suppress(RuntimeError):  # its loop has ended already
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def leave_behind(self) -> None:
        """Close what a forked process has inherited of it; the thread is the parent's."""
        self._listening.close()

    def _work(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            except Exception as error:  # noqa: BLE001  # jobs go on without it
                report("the health port can't be served any more", error)
        self._listening.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._take, sock=self._listening, limit=MAX_HEAD_BYTES, backlog=_BACKLOG
        )
        await self._ended.wait()
        server.close()
        for writer in self._open.values():
            writer.transport.abort()
        if self._open:
            await asyncio.wait(list(self._open), timeout=_LAST_SECONDS)
        await asyncio.sleep(0)  # what was closed last is told so now

    async def _take(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # it runs in one
        while len(self._open) >= MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            self._open.pop(oldest).transport.abort()
        self._open[task] = writer
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                writer.write(await self._reply(reader))
                await writer.drain()
            writer.close()
        except (TimeoutError, IncompleteReadError, OSError):
            writer.transport.abort()
        finally:
            self._open.pop(task, None)

    async def _reply(self, reader: StreamReader) -> bytes:
        try:
            head = await reader.readuntil(_END)
        except LimitOverrunError:
            return respond(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                {"error": f"a request has at most {MAX_HEAD_BYTES} bytes here"},
            )
        return await self._answer(head)
