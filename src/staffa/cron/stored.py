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

_FIRST_LOOK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that a node declares.

    Args:
        name: Unique among those of an instance.
        expression: As it was written.
        timezone: Where it is read.
        dst: The policy for changes of the clocks.
        job: What is enqueued at each tick.
        guaranteed: Whether the latest of the ticks that nobody took is made up for.
        paused: Whether it is paused to begin with.
        args_mark: What tells whether args have changed that are encrypted anew each time.
    """

    name: str
    expression: str
    timezone: str
    dst: str
    job: Job
    guaranteed: bool = False
    paused: bool = False
    args_mark: str | None = None

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
            "chain": None if job.chain is None else job.chain.as_options(),
            "replace": None if job.replace is None else dict(job.replace),
        }
        return {
            "name": self.name,
            "expression": self.expression,
            "timezone": self.timezone,
            "dst": self.dst,
            "guaranteed": self.guaranteed,
            "paused": self.paused,
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
        active: Whether it is in force: made at run time, or declared by a process that lives.
        last_tick: Only later ticks count: the last one that was taken, or when it was registered,
            resumed, or its times were changed.
        last_job_id: The job of the last run.
        booted_at: When it was declared last while no other living process declared it.
        registered_at: When it was registered first.
        updated_at: When it was changed last.
        read_at: When all this was so.
        guaranteed: Whether the latest of the ticks that nobody took is made up for.
        paused: Whether no ticks are taken until it is resumed.
        dynamic: Whether it was made at run time, and the configuration does not name it.
        last_run: The last tick that made a job; None if there was none.
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
    guaranteed: bool = False
    paused: bool = False
    dynamic: bool = False
    last_run: datetime | None = None

    def as_row(self) -> dict[str, Any]:
        """Return the columns that say what it is, as those of an `Entry`."""
        return {
            "name": self.name,
            "expression": self.expression,
            "timezone": self.timezone,
            "dst": self.dst,
            "guaranteed": self.guaranteed,
            "paused": self.paused,
            "worker": self.worker,
            "args": self.args,
            "options": self.options,
        }

    @property
    def next_run(self) -> datetime | None:
        """The next tick; None for ``@reboot``, while it is paused or not active, and if never."""
        try:
            schedule = schedule_of(self.expression, self.timezone, self.dst)
        except StaffaError:  # another version's, or another program's
            return None
        if schedule is None or self.paused or not self.active:
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
        """Return the ticks that are to be taken now.

        They are those since the last one, within a grace. If a guaranteed entry has missed some
        that are older, since it was changed last, it is the latest of all of them.

        Raises:
            ConfigError: If the row can't be understood here.
        """
        if self.guaranteed:
            since, late = max(self.last_tick, self.updated_at), self.read_at - grace
            missed = self._latest(since, late)
            if missed is not None:
                return [self._latest(late, self.read_at) or missed]
        return self.recent(grace)

    def recent(self, grace: timedelta) -> list[datetime]:
        """Return the ticks since the last one, within a grace.

        Raises:
            ConfigError: If the row can't be understood here.
        """
        return self.between(max(self.last_tick, self.read_at - grace), self.read_at)

    def missed(self, grace: timedelta) -> datetime | None:
        """Return the first tick that is too late to be taken, if there is one."""
        until = self.read_at - grace
        schedule = schedule_of(self.expression, self.timezone, self.dst)
        if schedule is None or until <= self.last_tick:
            return None
        first = next(schedule.ticks(self.last_tick, until), None)
        if first is None or first > until or (self.guaranteed and first in self.due(grace)):
            return None
        return first

    def _latest(self, after: datetime, until: datetime) -> datetime | None:
        """Return the last tick later than an instant, up to and with another one, if any.

        It looks back over lengths that double: there may be a million ticks, or one in years.
        """
        length = _FIRST_LOOK
        while until > after:
            begin = after if until - after <= length else until - length
            found = self.between(begin, until)
            if found:
                return found[-1]
            until, length = begin, 2 * length
        return None

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
