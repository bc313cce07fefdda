"""Until when a job is worth running.

The deadline is counted from the moment at which the job is first due. It lies in the row's `meta`,
either as that moment or as seconds after `inserted_at`, so that only the database's clock counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from staffa.errors import ConfigError
from staffa.types import Seconds, to_seconds

DEADLINE_KEY = "staffa_deadline"
"""Where `meta` holds the deadline."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a job is worth running.

    Args:
        seconds: Counted from `scheduled_at`; a timedelta is fine, too.
        force: Whether a job that runs is cancelled as well when its deadline passes.

    Raises:
        ConfigError: If it is no length of time.

    Example:
        >>> Deadline(60, force=True)
        Deadline(seconds=60, force=True)
    """

    seconds: Seconds
    force: bool = False

    def __post_init__(self) -> None:
        to_seconds(self.seconds, "deadline")


def note_deadline(
    deadline: Deadline | Seconds, scheduled_at: datetime | None, scheduled_in: float | None
) -> dict[str, Any]:
    """Return what a job's meta says of its deadline.

    Args:
        deadline: Counted from the moment at which the job is due.
        scheduled_at: That moment, where it is given.
        scheduled_in: Seconds until then after the insert, where they are given.

    Raises:
        ConfigError: If it is no length of time, or ends after all time.
    """
    chosen = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    seconds = to_seconds(chosen.seconds, "deadline")
    force = bool(chosen.force)
    if scheduled_at is None:
        after = to_seconds((scheduled_in or 0.0) + seconds, "deadline after scheduled_in")
        return {"after": after, "force": force}
    try:
        return {"at": (scheduled_at + timedelta(seconds=seconds)).isoformat(), "force": force}
    except OverflowError:
        raise ConfigError(
            f"deadline of {seconds:g} s after {scheduled_at} is out of range: give a shorter one"
        ) from None


def postpone(noted: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return what is noted of a deadline for a job that is due so much later.

    Example:
        >>> postpone({"after": 60.0, "force": False}, 5)
        {'after': 65.0, 'force': False}
    """
    if "at" in noted:
        at = datetime.fromisoformat(noted["at"]) + timedelta(seconds=seconds)
        return {**noted, "at": at.isoformat()}
    return {**noted, "after": noted["after"] + seconds}


def read_deadline(
    meta: Mapping[str, Any], inserted_at: datetime | None
) -> tuple[datetime, bool] | None:
    """Return until when a job may run and whether by force, or None if it has no deadline.

    What is no deadline (any client may write it) is none.

    Example:
        >>> read_deadline({"staffa_deadline": {"after": 60}}, datetime(2027, 1, 1, tzinfo=UTC))
        (datetime.datetime(2027, 1, 1, 0, 1, tzinfo=datetime.timezone.utc), False)
    """
    noted = meta.get(DEADLINE_KEY)
    if noted is None or not isinstance(noted, Mapping):
        return None
    force = noted.get("force") is True
    try:
        if "at" in noted:
            at = datetime.fromisoformat(noted["at"])
            return (at.astimezone(UTC), force) if at.tzinfo is not None else None
        if inserted_at is not None:
            return inserted_at + timedelta(seconds=to_seconds(noted["after"], "deadline")), force
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    return None
