"""The child's end of the socket.

Invariants: only the writer's thread writes, so an exception that a signal raises in the main thread
can't cut a frame in two; only the reader's thread reads, so what the parent asks for, and the
parent's death, are noticed while the main thread computes.

When the parent is gone, by whatever death, the socket ends: then the child kills its own process
group, so that neither it nor a program that a job has started is left behind.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

from staffa.queues.pools.process.frames import Frame, FrameDecoder, FrameError

_CHUNK_BYTES = 256 * 1024


class Channel:
    """Frames to and from the parent.

    Args:
        connection: The socket.
        on_frame: Called with each frame, on the reader's thread.
    """

    def __init__(self, connection: socket.socket, on_frame: Callable[[Frame], None]) -> None:
        self._socket = connection
        self._on_frame = on_frame
        self._outgoing: SimpleQueue[tuple[bytes, threading.Event | None] | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="staffa-writer", daemon=True)
        self._reader = threading.Thread(target=self._read, name="staffa-reader", daemon=True)

    def start(self) -> None:
        """Begin to read and to write."""
        self._writer.start()
        self._reader.start()

    def send(self, frame: bytes) -> None:
        """Have a frame written, without waiting; any thread may call it, at any point."""
        self._outgoing.put((frame, None))  # the one queue that a signal may interrupt anywhere

    def send_now(self, frame: bytes) -> None:
        """Send a frame that arrives even if this process dies the next moment."""
        written = threading.Event()
        self._outgoing.put((frame, written))
        written.wait()

    def flush(self) -> None:
        """Write what is left, then nothing more."""
        self._outgoing.put(None)
        self._writer.join()

    def _write(self) -> None:
        while (entry := self._outgoing.get()) is not None:
            frame, written = entry
            try:
                self._socket.sendall(frame)
            except OSError:  # the parent is gone, or a job has closed the socket
                end_with_group()
            if written is not None:
                written.set()

    def _read(self) -> None:
        decoder = FrameDecoder()
        try:
            while data := self._socket.recv(_CHUNK_BYTES):
                for frame in decoder.feed(data):
                    self._on_frame(frame)
        except FrameError as error:
            print(f"staffa: the parent sent {error}", file=sys.stderr)  # noqa: T201
        except OSError:
            pass
        finally:
            end_with_group()


def end_with_group() -> None:
    """End this process at once, and what its jobs have started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
