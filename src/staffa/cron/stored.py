"""Entries as they are stored: what a node writes, and what the leader and clients read.

A row holds all that a job needs, so that whoever leads makes it, also of a worker that it has not
imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from staffa._internal import json
from staffa.cron.schedule import schedule_of
from staffa.errors import StaffaError
from staffa.jobs import Job


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that a node declares.

    Args:
        name: Unique among those of an instance.
        expression: As it was written.
        timezone: Where it is read.
        dst: The policy for changes of the clocks.
        job: What is enqueued at each tick.
    """

    name: str
    expression: str
    timezone: str
    dst: str
    job: Job

    def as_row(self) -> dict[str, Any]:
        """Return its columns; what makes the job is in `args` and `options`."""
        job = self.job
        options = {
            "queue": job.queue,
            "priority": job.priority,
            "max_attempts": job.max_attempts,
            "tags": list(job.tags),
            "meta": job.meta,
            "scheduled_in": job.scheduled_in,
            "unique": None if job.unique is None else job.unique.as_options(),
            "replace": None if job.replace is None else dict(job.replace),
        }
        return {
            "name": self.name,
            "expression": self.expression,
            "timezone": self.timezone,
            "dst": self.dst,
            "worker": job.worker,
            "args": json.loads(job.args_json),
            "options": {key: value for key, value in options.items() if value is not None},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCron:
    """An entry that is stored, as it was read. Times are in UTC, on the database's clock.

    Args:
        name: Unique among those of an instance.
        expression: As it was written.
        timezone: Where it is read.
        dst: The policy for changes of the clocks.
        worker: Whose jobs it makes.
        args: Their args.
        options: Their queue, priority and so on.
        active: Whether a process lives that declares it.
        last_tick: The last tick that was taken; at first, when it was registered.
        last_job_id: The job of that tick.
        booted_at: When it was declared last while no other living process declared it.
        registered_at: When it was registered first.
        updated_at: When it was changed last.
        read_at: When all this was so.
    """

    name: str
    expression: str
    timezone: str
    dst: str
    worker: str
    args: dict[str, Any]
    options: dict[str, Any]
    active: bool
    last_tick: datetime
    last_job_id: int | None
    booted_at: datetime
    registered_at: datetime
    updated_at: datetime
    read_at: datetime

    @property
    def last_run(self) -> datetime | None:
        """The last tick that made a job; None if there was none."""
        return None if self.last_job_id is None else self.last_tick

    @property
    def next_run(self) -> datetime | None:
        """The next tick; None for ``@reboot``, without a living process, and if never."""
        try:
            schedule = schedule_of(self.expression, self.timezone, self.dst)
        except StaffaError:  # another version's, or another program's
            return None
        if schedule is None or not self.active:
            return None
        return schedule.next_tick(max(self.last_tick, self.read_at))

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """Return the ticks later than an instant, up to and with another one.

        Raises:
            ConfigError: If the row can't be understood here.
        """
        schedule = schedule_of(self.expression, self.timezone, self.dst)
        if schedule is None:
            return [self.booted_at] if after < self.booted_at <= until else []
        return schedule.between(after, until)

    def due(self, grace: timedelta) -> list[datetime]:
        """Return the ticks that are to be taken now: those since the last one, within a grace."""
        return self.between(max(self.last_tick, self.read_at - grace), self.read_at)

    def missed(self, grace: timedelta) -> datetime | None:
        """Return the first tick that is too late to be taken, if there is one."""
        until = self.read_at - grace
        schedule = schedule_of(self.expression, self.timezone, self.dst)
        if schedule is None or until <= self.last_tick:
            return None
        first = next(schedule.ticks(self.last_tick, until), None)
        return first if first is not None and first <= until else None

    def new_job(self, tick: datetime | None = None) -> Job:
        """Return the job of a tick, or one out of turn.

        Raises:
            InvalidJob: If the row holds what no job can have.
        """
        meta = {
            **self.options.get("meta", {}),
            "cron": True,
            "cron_expr": self.expression,
            "cron_name": self.name,
            "cron_tz": self.timezone,
        }
        if tick is not None:
            meta["cron_time"] = tick.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return Job(worker=self.worker, args=self.args, **{**self.options, "meta": meta})


@dataclass(frozen=True, slots=True)
class CronBoard:
    """All entries of an instance at one moment.

    Args:
        read_at: The moment, on the database's clock.
        entries: They, by name.
    """

    read_at: datetime
    entries: list[StoredCron]


def load_object(text: str) -> dict[str, Any]:
    """Return a JSON object that a row holds; anything else is taken for an empty one."""
    found = json.loads(text)
    return found if isinstance(found, dict) else {}
