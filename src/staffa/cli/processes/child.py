"""A child as the supervisor sees it.

Invariants: its end is told after all that it has said was read, or a moment later; a question is
answered, or given up after `ANSWER_SECONDS`.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.cli.processes.messages import MAX_LINE_BYTES, Message, decode, encode
from staffa.services.health import Question
from staffa.share import Share
from staffa.telemetry import report

ANSWER_SECONDS = 2.0
_LAST_WORDS_SECONDS = 1.0

OnOpen = Callable[[str, int], Awaitable[Message]]
OnRunning = Callable[[int | None], None]


class Child:
    """A process that runs queues.

    Args:
        process: The process.
        connection: Our end of the pair of sockets.
        on_open: Called when it wants a health port opened; returns the answer.
        on_running: Called when its queues run, with the version of the changes of queues that it
            knew at its start.
    """

    def __init__(
        self,
        process: Process,
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        on_open: OnOpen,
        on_running: OnRunning,
    ) -> None:
        self._process = process
        self._reader, self._writer = connection
        self._on_open = on_open
        self._on_running = on_running
        self._numbers = count()
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._reading = asyncio.create_task(self._read())
        self.greeted = False
        self.running_since: float | None = None

    @classmethod
    async def start(
        cls, command: Sequence[str], share: Share, on_open: OnOpen, on_running: OnRunning
    ) -> Child:
        """Start one.

        It leads a session of its own, or Ctrl-C would reach it besides the supervisor's word.

        Args:
            command: Runs queues; how it is to be a child is added.
            share: Its part of the limits.
            on_open: See `Child`.
            on_running: See `Child`.

        Raises:
            OSError: If the system can't.
        """
        since = [] if share.since is None else ["--since", str(share.since)]
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *(*command, "--part", str(share), *since, "--parent", str(theirs.fileno())),
                    stdin=DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
                connection = await asyncio.open_connection(sock=ours, limit=MAX_LINE_BYTES)
            except BaseException:
                ours.close()
                raise
        return cls(process, connection, on_open, on_running)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def age(self) -> float:
        """For how many seconds its queues have run."""
        return 0.0 if self.running_since is None else SYSTEM_CLOCK.monotonic() - self.running_since

    def send(self, kind: str, **fields: Any) -> None:
        """Say something, without waiting; nothing happens when it has ended."""
        if not self._writer.is_closing():
            self._writer.write(encode(kind, **fields))

    async def ended(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = await self._process.wait()
        await asyncio.wait([self._reading], timeout=_LAST_WORDS_SECONDS)
        self._reading.cancel()  # a process that a job has forked may hold the socket open
        with suppress(asyncio.CancelledError):
            await self._reading
        self._writer.transport.abort()
        for answer in self._answers.values():
            answer.cancel()
        return code

    async def ask(self, host: str, port: int, question: Question) -> Message:
        """Return what it says of its health on a port.

        Raises:
            TimeoutError: If it says nothing in time.
        """
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            self.send(
                "question",
                id=number,
                host=host,
                port=port,
                word=question.word,
                longest_block=question.longest_block,
            )
            done, _ = await asyncio.wait([answer], timeout=ANSWER_SECONDS)
            if not done or answer.cancelled():
                raise TimeoutError
            found: Message = answer.result()
            return found
        finally:
            del self._answers[number]

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                await self._take(decode(line))
        except OSError:  # it was killed before it had read all
            return
        except (ValueError, LookupError, TypeError) as error:
            report(f"process {self.pid} says what it should not, and is killed", error)
            self._process.kill()

    async def _take(self, message: Message) -> None:
        match message["kind"]:
            case "hello":
                self.greeted = True
            case "open":
                self.send("port", **await self._on_open(message["host"], message["port"]))
            case "running":
                self.running_since = SYSTEM_CLOCK.monotonic()
                self._on_running(message["control_version"])
            case "verdict":
                answer = self._answers.get(message["id"])
                if answer is not None and not answer.done():
                    answer.set_result(message)
