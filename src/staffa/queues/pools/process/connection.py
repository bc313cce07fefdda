"""The parent's end of a child's socket, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from staffa.queues.pools.process.frames import Frame, FrameDecoder, FrameError


class Connection(asyncio.Protocol):
    """Frames to and from one child.

    Args:
        on_frame: Called with each frame.
        on_garbage: Called once, with the reason, when bytes come that are no frames of ours.
        on_closed: Called once, with the reason, when the child has closed the socket: most often
            by its death.
    """

    def __init__(
        self,
        on_frame: Callable[[Frame], None],
        on_garbage: Callable[[str], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self._on_frame = on_frame
        self._on_garbage = on_garbage
        self._on_closed = on_closed
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._over = False
        self._ended = asyncio.Event()

    def send(self, frame: bytes) -> None:
        """Have a frame written, without waiting; nothing happens when the socket has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    async def drain(self, seconds: float) -> None:
        """Wait until all that the child has sent is read, at most so many seconds.

        A process that a job has forked may hold the socket open, so this alone tells no death.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            pass

    def close(self) -> None:
        """Close it at once."""
        self._over = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._over:
            return
        try:
            for frame in self._decoder.feed(data):
                self._on_frame(frame)
        except FrameError as error:
            self._over = True
            self._on_garbage(f"it sent {error}")

    def eof_received(self) -> None:
        """Called by the event loop."""
        whole = self._decoder.is_between_frames
        self._note_closed("it closed its socket" if whole else "it sent a truncated frame")

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._note_closed("it closed its socket" if error is None else f"its socket broke: {error}")
        self._ended.set()

    def _note_closed(self, why: str) -> None:
        if not self._over:
            self._over = True
            self._on_closed(why)
