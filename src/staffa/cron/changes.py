"""What becomes of a stored entry: when the configuration is registered, and at run time.

Each option of an entry stands alone. What the configuration said of it last is kept beside what
holds; an option is set anew only where the configuration says something else than it did. So a
change at run time survives restarts until the configuration changes that option, and two people who
change two options don't undo each other's work. Options that are kept in a job's `meta` are options
of their own here, and so is each key of the user's.

Invariants: a change is made of the row as it is held, in the transaction that writes it. Where the
times change, the ticks that were due by the old ones and not taken yet are taken first, and what
counts from then on is later than that: no tick is lost between two schedules, and none comes twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from staffa._internal import json
from staffa.cron.stored import Entry, StoredCron
from staffa.errors import StaffaError
from staffa.jobs import Job
from staffa.telemetry import emit
from staffa.telemetry.catalogue import CronInserted, JobConflicted

Values = dict[str, Any]
"""The options of an entry by name; those of its jobs begin with ``options.`` or ``meta.``."""

_TIMES = ("expression", "timezone", "dst")
_OPTIONS = "options."
_META = "meta."


@dataclass(frozen=True, slots=True)
class HeldCron:
    """An entry whose row is held.

    Args:
        entry: As it is.
        configured: What the configuration said of it last; None if it never named it.
    """

    entry: StoredCron
    configured: Values | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CronChange:
    """What is to become of an entry.

    Args:
        before: The entry as it was.
        values: What it is from now on.
        configured: What the configuration says of it; None if it does not name it.
        ticks: Those that were due before its times changed, to be taken first.
    """

    before: StoredCron
    values: Values
    configured: Values | None
    ticks: tuple[datetime, ...] = field(default=())

    @property
    def changed(self) -> frozenset[str]:
        """The names of the options that change."""
        return _differences(spread(self.before.as_row()), self.values)

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that change, for people: all of a job's meta is one."""
        names = (key.removeprefix(_OPTIONS) for key in self.changed)
        return tuple(sorted({"meta" if name.startswith(_META) else name for name in names}))

    @property
    def restarts(self) -> bool:
        """Whether nothing counts any more that was due before."""
        resumed = self.before.paused and not self.values["paused"]
        return resumed or not self.changed.isdisjoint(_TIMES)

    def as_row(self) -> dict[str, Any]:
        """Return the columns that are written."""
        return {
            "name": self.before.name,
            **gather(self.values),
            "configured": self.configured,
            "dynamic": self.configured is None and self.before.dynamic,
            "restarts": self.restarts,
            "changed": bool(self.changed),
        }


@dataclass(frozen=True, slots=True)
class TakenTick:
    """A tick that was taken.

    Args:
        cron: The entry's name.
        tick: The tick, in UTC.
        job: Its job, as it is stored.
    """

    cron: str
    tick: datetime
    job: Job


@dataclass(frozen=True, slots=True)
class ChangedCron:
    """What came of changing an entry.

    Args:
        change: What was to become of it.
        taken: The ticks that were taken before its times changed.
    """

    change: CronChange
    taken: list[TakenTick]


@dataclass(frozen=True, slots=True)
class Registration:
    """What came of registering entries.

    Args:
        taken: The ticks that were taken before their entries' times changed.
        deleted: The names of entries that the configuration lacks.
    """

    taken: list[TakenTick]
    deleted: list[str]


def tell_tick(taken: TakenTick) -> None:
    """Tell the listeners of events of a tick that was taken."""
    if taken.job.conflict:  # a unique one that there is already
        emit(JobConflicted, job=taken.job)
    else:
        emit(CronInserted, cron=taken.cron, tick=taken.tick, job=taken.job)


def new_row(entry: Entry, *, dynamic: bool) -> dict[str, Any]:
    """Return the columns of an entry that is new.

    Args:
        entry: The entry.
        dynamic: Whether it is made at run time, and the configuration does not name it.
    """
    configured = None if dynamic else _told_by(entry)
    return {**entry.as_row(), "configured": configured, "dynamic": dynamic}


def register(held: HeldCron, entry: Entry, grace: timedelta) -> CronChange | None:
    """Return what registering an entry of the configuration makes of its row; None if nothing.

    Args:
        held: The row.
        entry: What the configuration says.
        grace: How late a tick may be that was due by the old times.
    """
    told, wanted = _told_by(entry), spread(entry.as_row())
    if held.configured is None:  # it was made at run time: from now on it is the configuration's
        return change(held, wanted, grace, told)
    news = _differences(held.configured, told)
    if not news:
        return None
    values = {key: value for key, value in spread(held.entry.as_row()).items() if key not in news}
    values |= {key: wanted[key] for key in news if key in wanted}
    return change(held, values, grace, told)


def change(
    held: HeldCron, values: Values, grace: timedelta, configured: Values | None = None
) -> CronChange:
    """Return what other values make of a row, and which ticks are to be taken before.

    Args:
        held: The row.
        values: All of its values, as they are to be.
        grace: How late a tick may be that was due by the old times.
        configured: What the configuration says; as it was if not given.
    """
    before = held.entry
    made = CronChange(
        before=before,
        values=values,
        configured=held.configured if configured is None else configured,
    )
    if made.changed.isdisjoint(_TIMES) or before.paused or not before.active:
        return made
    try:
        before.new_job()
        ticks = before.recent(grace)
    except StaffaError:  # the row made no sense, so it has no ticks
        return made
    return CronChange(before=before, values=values, configured=made.configured, ticks=tuple(ticks))


def spread(row: Mapping[str, Any]) -> Values:
    """Return the values of an entry's columns.

    Example:
        >>> spread({"name": "a", "paused": False, "options": {"queue": "q", "meta": {"m": 1}}})
        {'paused': False, 'options.queue': 'q', 'meta.m': 1}
    """
    values = {key: value for key, value in row.items() if key not in {"name", "options"}}
    for key, value in row["options"].items():
        if key == "meta" and isinstance(value, dict):
            values |= {_META + name: item for name, item in value.items()}
        else:
            values[_OPTIONS + key] = value
    return values


def gather(values: Values) -> dict[str, Any]:
    """Return the columns of an entry's values.

    Example:
        >>> gather({"paused": False, "options.queue": "q", "meta.m": 1})
        {'paused': False, 'options': {'queue': 'q', 'meta': {'m': 1}}}
    """
    row: dict[str, Any] = {}
    options: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    for key, value in values.items():
        if key.startswith(_OPTIONS):
            options[key.removeprefix(_OPTIONS)] = value
        elif key.startswith(_META):
            meta[key.removeprefix(_META)] = value
        else:
            row[key] = value
    if meta:
        options["meta"] = meta
    return {**row, "options": options}


def _told_by(entry: Entry) -> Values:
    """Return what the configuration says of an entry."""
    values = spread(entry.as_row())
    return values if entry.args_mark is None else {**values, "args": entry.args_mark}


def _differences(one: Values, other: Values) -> frozenset[str]:
    """Return the names of what only one has, or both have differently, by what is stored of it."""
    shared = one.keys() & other.keys()
    different = {key for key in shared if json.canonical(one[key]) != json.canonical(other[key])}
    return frozenset(different | (one.keys() ^ other.keys()))
