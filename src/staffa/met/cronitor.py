"""Tells which entries of cron this process declares: at its start, and every half a minute.

They are told as they are in force, changes at run time included, and those that are paused are left
out. Entries that were made at run time are everybody's: the leader tells them. Encrypted args are
left out, since anybody with a connection can listen.

Options: `dead_after`.
Events: none but the span `staffa.service.cronitor`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from staffa.cron.stored import Entry
from staffa.engine import Engine, Producer
from staffa.met.portions import cut, fits
from staffa.notifier import Notifier
from staffa.service import Loop

INTERVAL_SECONDS = 30.0
_DEFAULTS: Mapping[str, Any] = {"max_attempts": 20, "priority": 0, "tags": []}


class Cronitor(Loop):
    """Sends the crontab.

    Args:
        engine: Where entries are stored.
        notifier: Carries it.
        producer: Whose crontab.
        entries: Returns the entries that are declared here.
        leading: Tells whether this node leads.
        dead_after: Seconds without a heartbeat after which other nodes count as dead.
    """

    def __init__(
        self,
        engine: Engine,
        notifier: Notifier,
        producer: Producer,
        *,
        entries: Callable[[], Sequence[Entry]],
        leading: Callable[[], bool],
        dead_after: float,
    ) -> None:
        super().__init__(INTERVAL_SECONDS)
        self._engine = engine
        self._notifier = notifier
        self._producer = producer
        self._entries = entries
        self._leading = leading
        self._dead_after = dead_after

    async def tick(self) -> None:
        """Send the entries."""
        lines = [_line_of(row) for row in await self._rows()]
        payloads = cut(lines, self._make)
        if payloads:
            await self._notifier.notify([("cronitor", payload) for payload in payloads])

    async def _rows(self) -> list[dict[str, Any]]:
        """Return what is in force of the entries that are told; before they are registered, too."""
        board = await self._engine.read_crons(
            self._producer.name, reader=self._producer.uuid, dead_after=self._dead_after
        )
        rows = {entry.name: entry.as_row() for entry in self._entries()}
        for stored in board.entries:
            if stored.paused:
                rows.pop(stored.name, None)
            elif stored.name in rows or (stored.dynamic and self._leading()):
                rows[stored.name] = stored.as_row()
        return list(rows.values())

    def _make(self, part: Sequence[Any]) -> dict[str, Any]:
        return {"crontab": part, "name": self._producer.name, "node": self._producer.node}


def _line_of(row: Mapping[str, Any]) -> list[Any]:
    """Return an entry as dashboards have it: expression, worker, options that are not usual."""
    expression, worker, given = row["expression"], row["worker"], row["options"]
    options = {
        "name": row["name"],
        "queue": given.get("queue", "default"),
        "timezone": row["timezone"],
    }
    options |= {
        key: given[key] for key, usual in _DEFAULTS.items() if given.get(key, usual) != usual
    }
    meta = given.get("meta")
    encrypted = isinstance(meta, Mapping) and meta.get("encrypted") is True
    args = {} if encrypted else row["args"]
    if args and fits({"crontab": [[expression, worker, {**options, "args": args}]]}):
        options["args"] = args
    return [expression, worker, options]
