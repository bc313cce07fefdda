"""What a running job can ask of its child, and through it of the parent.

A message has a kind and a payload, which is JSON. Most wait for the parent's answer, in two ways:
`send_message` blocks, for functions; `send_message_async` is for coroutines. `post_message` does
not wait; the parent may leave such messages out when too many come.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

from staffa._internal import json
from staffa._internal.done import Done
from staffa._internal.lazy import load
from staffa.args.plain import dump_object
from staffa.errors import InvalidJob, JobCancelled, JobError, SignalTimeout, StaffaError
from staffa.jobs import Job
from staffa.queues.pools.process.frames import Frame, encode_frame
from staffa.queues.pools.process.messages import COMPLETE, META, PROGRESS, SIGNAL
from staffa.registry import WorkerDefinition
from staffa.signals import Parked
from staffa.types import SignalWanted

_Answer = dict[str, Any]
_COMPLETIONS = "staffa.queues.completions"  # with the engine's part, for the jobs that need it
_ERRORS: dict[str, type[StaffaError]] = {"JobCancelled": JobCancelled, "InvalidJob": InvalidJob}


class ChildContext:
    """The `JobContext` of one run in a child.

    Args:
        run: The number of the run: what comes late is not taken for the next one's.
        send: Sends a frame to the parent.
    """

    def __init__(self, run: int, send: Callable[[bytes], None]) -> None:
        self._run = run
        self._send = send
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._answers: dict[int, Future[_Answer]] = {}
        self._ended = False
        self.cancelled = False
        self.job: Job | None = None
        self.definition: WorkerDefinition | None = None

    def note_progress(self, patch: Mapping[str, Any]) -> Awaitable[None]:
        """Have progress written soon."""
        self.post_message(PROGRESS, patch)
        return Done()

    def write_meta(self, patch: Mapping[str, Any]) -> Awaitable[None]:
        """Merge into the row's meta: to be awaited in a coroutine, done at once in a function."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.send_message(META, patch)
            return Done()
        return self._write_meta(patch)

    def complete_in(self, conn: Any, result: object) -> Awaitable[None]:
        """Complete the job on a user's connection, by the statement that the parent sends."""
        if self.job is None:
            raise InvalidJob("the job has not begun: it can't be completed")
        ack = load("staffa.queues.outcomes:of_completion")(self.job, result, self.definition)
        message = {"meta": None if ack.meta is None else dict(ack.meta), "error": ack.error}
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            found = _load_statements(self.send_message(COMPLETE, message))
            load(f"{_COMPLETIONS}:complete_on_sync")(conn, found, self.job.id)
            return Done()
        return self._complete_in(conn, message, self.job.id)

    async def receive_signal(self, wanted: SignalWanted) -> Any:
        """Wait for a signal in a coroutine."""
        return _received(await self.send_message_async(SIGNAL, asdict(wanted)))

    def receive_signal_sync(self, wanted: SignalWanted) -> Any:
        """Wait for a signal in a function."""
        return _received(self.send_message(SIGNAL, asdict(wanted)))

    async def _complete_in(self, conn: Any, message: dict[str, Any], number: int | None) -> None:
        found = _load_statements(await self.send_message_async(COMPLETE, message))
        await load(f"{_COMPLETIONS}:complete_on")(conn, found, number)

    async def _write_meta(self, patch: Mapping[str, Any]) -> None:
        await self.send_message_async(META, patch)

    def send_message(self, kind: str, payload: Mapping[str, Any]) -> _Answer:
        """Send a message and wait for the parent's answer; blocks this thread.

        Args:
            kind: What it is about.
            payload: A JSON object.

        Raises:
            JobCancelled, InvalidJob: If the parent says so.
            JobError: If it can't do it for another reason, or the run has ended.
            InvalidArgs: If the payload is no plain JSON.
        """
        return self._ask(kind, payload).result()

    async def send_message_async(self, kind: str, payload: Mapping[str, Any]) -> _Answer:
        """Do the same without blocking the event loop."""
        return await asyncio.wrap_future(self._ask(kind, payload))

    def post_message(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Send a message that nobody waits for."""
        if self._ended:
            raise _ended()
        self._send(self._frame(None, kind, payload))

    def take_answer(self, frame: Frame) -> None:
        """Hand the parent's answer to whoever waits for it; any thread may call it."""
        if frame["run"] != self._run:
            return
        with self._lock:
            waiting = self._answers.pop(frame["id"], None)
        if waiting is None or not waiting.set_running_or_notify_cancel():
            return
        if frame["error"] is None:
            waiting.set_result(json.loads(frame["payload"]))
        else:
            waiting.set_exception(_ERRORS.get(frame["type"], JobError)(frame["error"]))

    def end(self) -> None:
        """Let nobody wait any more: the job has ended, though threads of its own may go on."""
        with self._lock:
            self._ended = True
            waiting, self._answers = self._answers, {}
        for future in waiting.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(_ended())

    def _ask(self, kind: str, payload: Mapping[str, Any]) -> Future[_Answer]:
        number = next(self._numbers)
        frame = self._frame(number, kind, payload)
        answer: Future[_Answer] = Future()
        with self._lock:
            if self._ended:
                raise _ended()
            self._answers[number] = answer
        self._send(frame)
        return answer

    def _frame(self, number: int | None, kind: str, payload: Mapping[str, Any]) -> bytes:
        text = dump_object(payload, "the message")
        return encode_frame("message", run=self._run, id=number, name=kind, payload=text)


def _received(answer: _Answer) -> Any:
    """Return the payload of a signal, or end the wait as the parent says.

    Raises:
        Parked: If the job is to end until the signal comes.
        SignalTimeout: If it has not come in time.
    """
    if "parked" in answer:
        raise Parked(answer["parked"])
    if "late" in answer:
        raise SignalTimeout(answer["late"])
    return answer["payload"]


def _ended() -> JobError:
    return JobError("the job has ended: it can't send messages any more")


def _load_statements(answer: _Answer) -> Any:
    """Return the statements that the parent has sent."""
    return load(f"{_COMPLETIONS}:load_statements")(answer)
