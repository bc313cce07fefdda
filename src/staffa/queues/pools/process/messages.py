"""The messages of one run: served one after another, beside the run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from staffa._internal import json
from staffa._internal.json import clean
from staffa.errors import InvalidJob, StaffaError
from staffa.queues.pools.process.frames import Frame, encode_frame
from staffa.telemetry import report

OnMessage = Callable[[str, dict[str, Any]], Awaitable[Mapping[str, Any] | None]]
"""Takes a message's kind and payload, and returns the answer, a JSON object."""

PROGRESS = "progress"
"""The kind of the message with a patch of meta that may wait; no answer is wanted."""
META = "meta"
"""The kind of the message with a patch of meta that is to be stored before it is answered."""
COMPLETE = "complete"
"""The kind of the message that asks for the statement which completes the job; with its meta."""
SIGNAL = "signal"
"""The kind of the message that asks for a signal; answered when it is there, or the wait ends."""

_MOST_WAITING = 100
_LONGEST_TEXT = 10_000
_PATIENCE_SECONDS = 1.0


class Messages:
    """What a child says while its job runs.

    Args:
        on_message: Answers; None if nobody listens.
        send: Sends a frame to the child.
    """

    def __init__(self, on_message: OnMessage | None, send: Callable[[bytes], None]) -> None:
        self._on_message = on_message
        self._send = send
        self._waiting: deque[Frame] = deque()
        self._task: asyncio.Task[None] | None = None

    def receive(self, frame: Frame) -> None:
        """Take a message; when too many wait, the oldest one that wants no answer is left out."""
        self._waiting.append(frame)
        if len(self._waiting) > _MOST_WAITING:
            self._leave_out()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(
                self._serve(), name="staffa-messages"
            )

    async def close(self, seconds: float) -> None:
        """Serve what has come, at most so many seconds, and end."""
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=seconds)
        self.cancel()
        await asyncio.wait([self._task], timeout=_PATIENCE_SECONDS)

    def cancel(self) -> None:
        """End, and serve nothing any more."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def _leave_out(self) -> None:
        for frame in self._waiting:
            if frame.get("id") is None:
                self._waiting.remove(frame)
                return

    async def _serve(self) -> None:
        while self._waiting:
            frame = self._waiting.popleft()
            waits = frame.get("id") is not None
            try:
                answer = await self._answer(frame)
            except Exception as error:  # noqa: BLE001  # the job is told, or else the log
                what = f"message {frame.get('name')!r:.100} of a job failed"
                if not waits:
                    report(what, error)
                    continue
                answer = _frame(frame, error=error)
            if waits:
                self._send(answer)

    async def _answer(self, frame: Frame) -> bytes:
        if self._on_message is None:
            raise InvalidJob("nobody serves messages of this job: it can note nothing")
        answer = await self._on_message(frame["name"], json.loads(frame["payload"]))
        return _frame(frame, json.dumps(answer or {}))


def _frame(
    frame: Frame, payload: str | None = None, *, error: BaseException | None = None
) -> bytes:
    """Return the answer to a message."""
    text, kind = None, None
    if error is not None:
        kind = clean(type(error).__name__)
        known = isinstance(error, StaffaError)  # its text stands alone
        text = clean(f"{error}" if known else f"{kind}: {error}")[:_LONGEST_TEXT]
    return encode_frame(
        "answer", run=frame["run"], id=frame["id"], payload=payload, error=text, type=kind
    )
