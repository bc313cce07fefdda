"""What cron does, and what is done to its entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from staffa.telemetry.events import Event
from staffa.types import JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class CronInserted(Event):
    """A tick of an entry was taken: its job is enqueued.

    Args:
        cron: The entry's name.
        tick: When it was due, in UTC.
        job: The job.
    """

    kind: ClassVar[str] = "staffa.cron.inserted"

    cron: str
    tick: datetime
    job: JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSkipped(Event):
    """Ticks of an entry are too late to be taken: nobody was there in time.

    Args:
        cron: The entry's name.
        tick: The first of them, in UTC.
    """

    kind: ClassVar[str] = "staffa.cron.skipped"

    cron: str
    tick: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CronFailed(Event):
    """The job of an entry could not be enqueued; it is tried again until it is too late.

    Args:
        cron: The entry's name.
        error: Why.
    """

    kind: ClassVar[str] = "staffa.cron.failed"

    cron: str
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class CronAdded(Event):
    """An entry was made at run time.

    Args:
        cron: The entry's name.
    """

    kind: ClassVar[str] = "staffa.cron.added"

    cron: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CronUpdated(Event):
    """Options of an entry were changed at run time.

    Args:
        cron: The entry's name.
        options: Their names, such as ``expression``; of those that are kept in a job's meta
            ``meta``.
    """

    kind: ClassVar[str] = "staffa.cron.updated"

    cron: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CronPaused(Event):
    """An entry was paused at run time: no ticks are taken until it is resumed.

    Args:
        cron: The entry's name.
    """

    kind: ClassVar[str] = "staffa.cron.paused"

    cron: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CronResumed(Event):
    """An entry was resumed at run time: later ticks are taken.

    Args:
        cron: The entry's name.
    """

    kind: ClassVar[str] = "staffa.cron.resumed"

    cron: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CronDeleted(Event):
    """An entry was deleted: at run time, or since the configuration lacks it.

    Args:
        cron: The entry's name.
    """

    kind: ClassVar[str] = "staffa.cron.deleted"

    cron: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CronRun(Event):
    """The job of an entry was enqueued out of turn.

    Args:
        cron: The entry's name.
        job: The job.
    """

    kind: ClassVar[str] = "staffa.cron.run"

    cron: str
    job: JobView
