"""The supervisor as a child sees it.

A thread of its own listens, so that jobs which block the event loop hold up neither questions about
health nor the end of a child whose supervisor has gone. It asks the main thread to stop by a
SIGTERM from within, which also interrupts modules that are being imported.

Invariants: whatever sends the child a SIGTERM begins one orderly stop, once; service managers send
it to all processes of a service, besides the supervisor's word. Only the supervisor's second word,
or its end during a stop, ends the grace period. A child that has lost its supervisor is gone after
`patience` seconds, whatever its jobs do.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from staffa.cli.processes.messages import Message, decode, encode
from staffa.errors import ConfigError, InstanceError
from staffa.services.health import Question, Verdict
from staffa.telemetry import report

logger = logging.getLogger("staffa")

MARGIN_SECONDS = 30.0
"""How long a stop may take besides the grace period: outcomes are written, the rest is put back."""

_REPLY_SECONDS = 10.0

Judge = Callable[[Question], Verdict]


class Parent:
    """What a child says to its supervisor, and hears from it.

    Args:
        connection: This end of the pair of sockets.
        interrupt: Asks the main thread to stop.
        die: Ends this process at once.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        interrupt: Callable[[], None] | None = None,
        die: Callable[[], None] | None = None,
    ) -> None:
        self.hurried = False
        self.patience = MARGIN_SECONDS
        self._connection = connection
        self._interrupt = interrupt or _interrupt_main_thread
        self._die = die or _kill_this_process
        self._sending = threading.Lock()
        self._judges: dict[tuple[str, int], Judge] = {}
        self._replies: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._stopping = False
        self._left = False
        self._thread = threading.Thread(target=self._work, name="staffa-parent", daemon=True)

    @classmethod
    def join(cls, descriptor: int) -> Parent:
        """Return the supervisor that has started this process.

        Args:
            descriptor: Of the socket that was handed over.

        Raises:
            ConfigError: If there is no such socket.
        """
        try:
            connection = socket.socket(fileno=descriptor)
        except OSError as error:
            raise ConfigError(
                f"--parent {descriptor} is no socket ({error}): it is given by 'staffa start "
                "--processes' alone"
            ) from None
        connection.set_inheritable(False)
        return cls(connection)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self._send("hello")

    def tell_running(self, control_version: int | None) -> None:
        """Say that the queues run, and which changes of them were known at the start."""
        self._send("running", control_version=control_version)

    def open_port(self, host: str, port: int, judge: Judge) -> ParentPort:
        """Have a health port served by the supervisor, for all its children.

        Raises:
            ConfigError: If it can't be listened on.
            InstanceError: If the supervisor does not answer.
        """
        self._judges[host, port] = judge
        self._send("open", host=host, port=port)
        try:
            reply = self._replies.get(timeout=_REPLY_SECONDS)
        except queue.Empty:
            raise InstanceError("the supervising process does not open the health port") from None
        if reply["refused"] is not None:
            raise ConfigError(reply["refused"])
        return ParentPort(reply["number"], lambda: self._judges.pop((host, port), None))

    def leave(self) -> None:
        """Note that this process has stopped: nothing is interrupted any more."""
        self._left = True

    def _work(self) -> None:
        with suppress(OSError), self._connection.makefile("rb") as lines:
            for line in lines:
                self._take(decode(line))
        if self._left:
            return
        logger.warning("the supervising process has ended: stopping")
        self._stop(hurry=self._stopping)
        threading.Event().wait(self.patience)
        logger.error("jobs do not end: killing this process")
        self._die()

    def _take(self, message: Message) -> None:
        match message["kind"]:
            case "stop":
                self._stop(hurry=False)
            case "hurry":
                self._stop(hurry=True)
            case "port":
                self._replies.put(message)
            case "question":
                self._answer(message)

    def _stop(self, *, hurry: bool) -> None:
        self._stopping = True
        self.hurried = self.hurried or hurry
        if not self._left:
            self._interrupt()

    def _answer(self, message: Message) -> None:
        judge = self._judges.get((message["host"], message["port"]))
        told: dict[str, Any] = {}
        if judge is not None:
            try:
                verdict = judge(Question(message["word"], message["longest_block"]))
                told = {"reasons": list(verdict.reasons), "details": dict(verdict.details)}
            except Exception as error:  # noqa: BLE001  # the thread goes on whatever it meets
                report("the health of this process can't be told", error)
                told = {"reasons": ["its health can't be told: see the log"], "details": {}}
        self._send("verdict", id=message["id"], **told)

    def _send(self, kind: str, **fields: Any) -> None:
        with self._sending, suppress(OSError):  # it has gone: the thread finds out
            self._connection.sendall(encode(kind, **fields))


class ParentPort:
    """A health port that the supervisor serves.

    Args:
        number: Its number.
        close: Has this process told of no more.
    """

    def __init__(self, number: int, close: Callable[[], object]) -> None:
        self.number = number
        self._close = close

    def close(self) -> None:
        """Have this process told of no more."""
        self._close()

    def leave_behind(self) -> None:
        """Do nothing: a forked process has inherited nothing that listens."""


def _interrupt_main_thread() -> None:
    main = threading.main_thread().ident
    assert main is not None  # noqa: S101  # it has begun
    signal.pthread_kill(main, signal.SIGTERM)  # os.kill might leave its system call uninterrupted


def _kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
