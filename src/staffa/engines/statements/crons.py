"""The statements of cron's entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from staffa._internal import json
from staffa.cron.changes import (
    ChangedCron,
    CronChange,
    HeldCron,
    Registration,
    TakenTick,
    new_row,
    register,
)
from staffa.cron.stored import CronBoard, Entry, StoredCron, load_object
from staffa.dialogues import Dialogue, all_of
from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows, any_row
from staffa.engines.statements.enqueueing import EnqueueStatements
from staffa.jobs import Job
from staffa.types import ProducerView


class CronStatements(Area):
    """What is asked of the rows of cron's entries."""

    folder = "crons"

    def insert(
        self, instance: str, rows: Sequence[Mapping[str, Any]], *, dead_after: float
    ) -> Statement[list[str]]:
        """Write entries that are new."""
        return self.statement("insert", (instance, json.dumps(rows), dead_after), _names)

    def hold(
        self, instance: str, names: Sequence[str] | None, *, dead_after: float
    ) -> Statement[list[HeldCron]]:
        """Read entries, all if no names are given, and keep others from changing them."""
        return self.statement("hold", (instance, names, dead_after), _held)

    def write(self, instance: str, changes: Sequence[CronChange]) -> Statement[list[str]]:
        """Write entries that are held."""
        rows = json.dumps([change.as_row() for change in changes])
        return self.statement("write", (instance, rows, changes[0].before.read_at), _names)

    def delete(self, instance: str, name: str, *, dead_after: float) -> Statement[bool]:
        """Delete an entry that is held, unless a living process declares it."""
        return self.statement("delete", (instance, name, dead_after), any_row)

    def sync(self, producer: ProducerView, *, dead_after: float) -> Statement[list[str]]:
        """Delete what the configuration lacks."""
        return self.statement("sync", (producer.name, producer.uuid, dead_after), _names)

    def declare(
        self, producer: ProducerView, entries: Sequence[Entry], *, dead_after: float
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


class CronDialogues:
    """What takes several statements of which each depends on those before.

    Args:
        crons: The statements of entries.
        enqueueing: Those that insert jobs.
    """

    def __init__(self, crons: CronStatements, enqueueing: EnqueueStatements) -> None:
        self._crons = crons
        self._enqueueing = enqueueing

    def register(
        self,
        producer: ProducerView,
        entries: Sequence[Entry],
        *,
        dead_after: float,
        grace: timedelta,
        sync: bool,
    ) -> Dialogue[Registration]:
        """Write what the configuration says anew, and note who declares it."""
        instance = producer.name
        wanted = {entry.name: entry for entry in entries}
        held = yield from self._hold_all(instance, wanted, dead_after=dead_after)
        changes = [
            change
            for one in held
            if one.entry.name in wanted
            and (change := register(one, wanted[one.entry.name], grace)) is not None
        ]
        taken = yield from self._write(instance, changes)
        yield self._crons.declare(producer, entries, dead_after=dead_after)
        gone = (yield self._crons.sync(producer, dead_after=dead_after)) if sync else []
        return Registration(taken, gone)

    def change(
        self,
        instance: str,
        name: str,
        make: Callable[[HeldCron], CronChange],
        *,
        dead_after: float,
    ) -> Dialogue[ChangedCron | None]:
        """Change an entry as a function says that sees it."""
        held = yield self._crons.hold(instance, [name], dead_after=dead_after)
        if not held:
            return None
        change = make(held[0])
        if not change.changed:
            return ChangedCron(change, [])
        return ChangedCron(change, (yield from self._write(instance, [change])))

    def delete(self, instance: str, name: str, *, dead_after: float) -> Dialogue[bool]:
        """Delete an entry, unless a living process declares it."""
        yield self._crons.hold(instance, [name], dead_after=dead_after)
        deleted: bool = yield self._crons.delete(instance, name, dead_after=dead_after)
        return deleted

    def take(self, instance: str, name: str, tick: datetime, job: Job) -> Dialogue[Job | None]:
        """Take a tick and insert its job."""
        if not (yield self._crons.take(instance, name, tick)):
            return None
        (stored,) = yield from all_of(self._enqueueing.enqueue([job]))
        yield self._crons.note(instance, name, stored.id)
        return stored

    def _hold_all(
        self, instance: str, wanted: Mapping[str, Entry], *, dead_after: float
    ) -> Dialogue[list[HeldCron]]:
        """Hold all entries, those that are wanted as well: they are written if they are new.

        One that was there may have been deleted by whoever held it before: it is new then.
        """
        rows = [new_row(entry, dynamic=False) for entry in wanted.values()]
        yield self._crons.insert(instance, rows, dead_after=dead_after)
        held: list[HeldCron] = yield self._crons.hold(instance, None, dead_after=dead_after)
        while missing := wanted.keys() - {one.entry.name for one in held}:
            rows = [row for row in rows if row["name"] in missing]
            yield self._crons.insert(instance, rows, dead_after=dead_after)
            held += yield self._crons.hold(instance, sorted(missing), dead_after=dead_after)
        return held

    def _write(self, instance: str, changes: Sequence[CronChange]) -> Dialogue[list[TakenTick]]:
        """Take the ticks that were due before, then write entries."""
        taken = []
        for change in changes:
            before = change.before
            for tick in change.ticks:
                job = yield from self.take(instance, before.name, tick, before.new_job(tick))
                if job is not None:
                    taken.append(TakenTick(before.name, tick, job))
        if changes:
            yield self._crons.write(instance, changes)
        return taken


def _names(rows: Rows) -> list[str]:
    return [row["name"] for row in rows]


def _board(rows: Rows) -> CronBoard:
    return CronBoard(rows[0]["read_at"], [_stored(row) for row in rows if row["name"] is not None])


def _stored(row: Mapping[str, Any]) -> StoredCron:
    columns = {**row, "args": load_object(row["args"]), "options": load_object(row["options"])}
    return StoredCron(**columns)


def _held(rows: Rows) -> list[HeldCron]:
    found = []
    for row in rows:
        columns = dict(row)
        told = columns.pop("configured")
        found.append(HeldCron(_stored(columns), None if told is None else load_object(told)))
    return found
