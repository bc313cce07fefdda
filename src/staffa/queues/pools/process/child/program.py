"""The main program of a child: waits for jobs, runs one at a time on the main thread."""

from __future__ import annotations

import faulthandler
import os
import socket
import sys
import threading
from queue import SimpleQueue

from staffa.queues.pools.process.child.channel import Channel
from staffa.queues.pools.process.child.context import ChildContext
from staffa.queues.pools.process.child.interruption import Interruption
from staffa.queues.pools.process.child.performer import Performer
from staffa.queues.pools.process.frames import Frame, encode_frame


class Program:
    """One child.

    Args:
        connection: The socket to the parent.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._interruption = Interruption()
        self._performer = Performer(self._interruption)
        self._channel = Channel(connection, self._on_frame)
        self._runs: SimpleQueue[Frame | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._context: ChildContext | None = None

    def run(self) -> None:
        """Run jobs until the parent asks to exit."""
        self._channel.start()
        self._channel.send(encode_frame("ready"))
        while (frame := self._runs.get()) is not None:
            context = ChildContext(frame["number"], self._channel.send)
            with self._lock:
                self._context = context
                context.cancelled = self._interruption.wanted
            self._channel.send_now(encode_frame("started"))  # a job that has begun runs once
            answer = self._performer.perform(frame, context)
            context.end()
            self._channel.send(answer)
        self._channel.flush()

    def _on_frame(self, frame: Frame) -> None:
        """Take what the parent sends, on the reader's thread."""
        match frame["kind"]:
            case "run":
                self._runs.put(frame)
            case "stop":
                self._stop()
            case "answer" if self._context is not None:
                self._context.take_answer(frame)
            case "exit":
                self._runs.put(None)

    def _stop(self) -> None:
        with self._lock:
            self._interruption.wanted = True
            if self._context is not None:
                self._context.cancelled = True
        self._interruption.request()


def main(descriptor: int) -> None:
    """Run the child whose socket has this number."""
    os.set_inheritable(descriptor, False)  # programs that jobs start must not hold it open
    sys.argv[1:] = []
    if sys.stderr is not None:
        faulthandler.enable()  # a crash in C leaves its stack in the log
    Program(socket.socket(fileno=descriptor)).run()
