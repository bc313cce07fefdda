"""What a job may return to end otherwise than completed."""

from __future__ import annotations

from dataclasses import dataclass

from staffa.types import Seconds, to_seconds


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the job as cancelled: it is not needed any more.

    Args:
        reason: Kept in the job's errors.

    Example:
        >>> def process(job):
        ...     return Cancel("the account is closed")
    """

    reason: object = None


@dataclass(frozen=True, slots=True)
class Discard:
    """End the job as discarded: it failed, and no retry would help.

    Args:
        reason: Kept in the job's errors.

    Example:
        >>> def process(job):
        ...     return Discard("no such address")
    """

    reason: object = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Run the job again later, without using up an attempt.

    Args:
        delay: Seconds or a timedelta, from now.

    Raises:
        ConfigError: If the delay is no length of time.

    Example:
        >>> def process(job):
        ...     return Snooze(60)
    """

    delay: Seconds

    def __post_init__(self) -> None:
        to_seconds(self.delay, "Snooze delay")

    @property
    def seconds(self) -> float:
        """The delay in seconds."""
        return to_seconds(self.delay, "Snooze delay")
