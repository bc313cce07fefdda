"""The statements of cron's entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from staffa._internal import json
from staffa.cron.stored import CronBoard, Entry, StoredCron, load_object
from staffa.engine import Producer, Statement
from staffa.engines.statements.area import Area, Rows, any_row


class CronStatements(Area):
    """What is asked of the rows of cron's entries."""

    folder = "crons"

    def register(self, producer: Producer, entries: Sequence[Entry]) -> Statement[list[str]]:
        """Write entries."""
        rows = json.dumps([entry.as_row() for entry in entries])
        return self.statement("register", (producer.name, rows), _names)

    def declare(
        self, producer: Producer, entries: Sequence[Entry], *, dead_after: float
    ) -> Statement[list[str]]:
        """Note who declares them."""
        names = [entry.name for entry in entries]
        return self.statement("declare", (producer.name, names, producer.uuid, dead_after), _names)

    def read(
        self, instance: str, *, reader: UUID | None, dead_after: float
    ) -> Statement[CronBoard]:
        """Read entries and the clock."""
        return self.statement("read", (instance, reader, dead_after), _board)

    def take(self, instance: str, name: str, tick: datetime) -> Statement[bool]:
        """Take a tick."""
        return self.statement("take", (instance, name, tick), any_row)

    def note(self, instance: str, name: str, job_id: int | None) -> Statement[bool]:
        """Note the job of a tick."""
        return self.statement("note", (instance, name, job_id), any_row)

    def tend(
        self, instance: str, *, dead_after: float, forget_after: float
    ) -> Statement[list[str]]:
        """Forget old entries."""
        return self.statement("tend", (instance, dead_after, forget_after), _names)


def _names(rows: Rows) -> list[str]:
    return [row["name"] for row in rows]


def _board(rows: Rows) -> CronBoard:
    return CronBoard(rows[0]["read_at"], [_stored(row) for row in rows if row["name"] is not None])


def _stored(row: Mapping[str, Any]) -> StoredCron:
    columns = {**row, "args": load_object(row["args"]), "options": load_object(row["options"])}
    return StoredCron(**columns)
