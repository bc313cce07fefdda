"""Tells which entries of cron this process declares: at its start, and every half a minute.

Encrypted args are left out, since anybody with a connection can listen.

Options: none.
Events: none but the span `staffa.service.cronitor`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from staffa._internal import json
from staffa.cron.stored import Entry
from staffa.engine import Producer
from staffa.met.portions import cut, fits
from staffa.notifier import Notifier
from staffa.service import Loop

INTERVAL_SECONDS = 30.0
_DEFAULT_ATTEMPTS = 20


class Cronitor(Loop):
    """Sends the crontab.

    Args:
        notifier: Carries it.
        producer: Whose crontab.
        entries: Returns the entries.
    """

    def __init__(
        self, notifier: Notifier, producer: Producer, *, entries: Callable[[], Sequence[Entry]]
    ) -> None:
        super().__init__(INTERVAL_SECONDS)
        self._notifier = notifier
        self._producer = producer
        self._entries = entries

    async def tick(self) -> None:
        """Send the entries."""
        lines = [_line_of(entry) for entry in self._entries()]
        payloads = cut(lines, self._make)
        if payloads:
            await self._notifier.notify([("cronitor", payload) for payload in payloads])

    def _make(self, part: Sequence[Any]) -> dict[str, Any]:
        return {"crontab": part, "name": self._producer.name, "node": self._producer.node}


def _line_of(entry: Entry) -> list[Any]:
    """Return an entry as dashboards have it: expression, worker, options that are not usual."""
    job = entry.job
    options: dict[str, Any] = {"name": entry.name, "queue": job.queue, "timezone": entry.timezone}
    if job.max_attempts != _DEFAULT_ATTEMPTS:
        options["max_attempts"] = job.max_attempts
    if job.priority:
        options["priority"] = job.priority
    if job.tags:
        options["tags"] = list(job.tags)
    line = [entry.expression, job.worker, options]
    args = {} if job.encrypted else json.loads(job.args_json)
    if args and fits({"crontab": [[entry.expression, job.worker, {**options, "args": args}]]}):
        options["args"] = args
    return line
