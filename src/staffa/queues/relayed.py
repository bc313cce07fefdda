"""Tells those who wait for relays what became of their jobs.

Invariants: it is told after the outcome was stored, never before; only jobs with the mark of a
relay cost anything; the result goes along if it is small, and never that of a job whose args are
encrypted; what can't be sent is found by whoever waits, who looks at the row.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from staffa.errors import DatabaseError
from staffa.jobs import Job
from staffa.notifier import Notifier
from staffa.queues.outcomes import Outcome
from staffa.relays import CHANNEL, MAX_TOLD_CHARACTERS, tell_result
from staffa.results import RELAY_KEY
from staffa.service import Service
from staffa.telemetry import report
from staffa.types import State

_ENDS = frozenset({State.COMPLETED, State.CANCELLED, State.DISCARDED})
_LARGEST_BUNDLE = 100
_FLUSH_SECONDS = 1.0


class Relayed(Service):
    """Sends notifications about relayed jobs.

    Args:
        notifier: Carries them.
    """

    def __init__(self, notifier: Notifier) -> None:
        super().__init__()
        self._notifier = notifier
        self._waiting: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()

    def tell(self, outcome: Outcome, state: State) -> None:
        """Tell of an outcome that is stored, if it has ended a relayed job."""
        ack = outcome.ack
        if ack.meta is None and ack.error is None:  # relayed jobs record, or end with a reason
            return
        secret = find_secret(outcome.job)
        if secret is None or state not in _ENDS:
            return
        self._waiting.append(_describe(outcome, state, secret))
        self._arrived.set()

    async def run(self) -> None:
        """Send what has come, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._send()

    async def on_stop(self) -> None:
        """Send what is left, if that is soon done."""
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                while self._waiting:
                    await self._send()
        except TimeoutError as error:
            report("the ends of relayed jobs were not notified", error, level=logging.INFO)

    async def _send(self) -> None:
        bundle = self._waiting[:_LARGEST_BUNDLE]
        del self._waiting[:_LARGEST_BUNDLE]
        try:
            await self._notifier.notify([(CHANNEL, payload) for payload in bundle])
        except DatabaseError as error:
            report("the ends of relayed jobs were not notified", error, level=logging.INFO)


def find_secret(job: Job) -> str | None:
    """Return the mark of a relayed job; None of any other, and of one that can't be decoded."""
    try:
        secret = job.meta.get(RELAY_KEY)
    except ValueError:
        return None
    return secret if isinstance(secret, str) else None


def _describe(outcome: Outcome, state: State, secret: str) -> dict[str, Any]:
    number = outcome.ack.lease.id
    told: dict[str, Any] = {"id": number, "state": state.value}
    text = (outcome.ack.meta or {}).get("return")
    if state is not State.COMPLETED or not isinstance(text, str) or outcome.job.encrypted:
        return told
    if len(text) > MAX_TOLD_CHARACTERS:
        return told
    return told | tell_result(secret, number, text)
