"""The types that several layers share."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from staffa.errors import ConfigError

Seconds = float | timedelta
"""A length of time: seconds as a number, or a timedelta."""

_LONGEST_SECONDS = 100 * 365 * 86_400.0


class State(StrEnum):
    """The states of a job, spelled as in the table."""

    AVAILABLE = "available"
    SUSPENDED = "suspended"
    SCHEDULED = "scheduled"
    EXECUTING = "executing"
    RETRYABLE = "retryable"
    COMPLETED = "completed"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"


class JobContext(Protocol):
    """What a running job can ask of the executor that runs it."""

    @property
    def cancelled(self) -> bool:
        """Whether the job should stop: it was cancelled, ran out of time, or lost its lease."""


def to_seconds(value: Seconds, what: str) -> float:
    """Return a length of time in seconds.

    Args:
        value: Seconds or a timedelta, from 0 to 100 years.
        what: How the error names it.

    Raises:
        ConfigError: If it is no such length.

    Example:
        >>> to_seconds(timedelta(minutes=1), "timeout")
        60.0
    """
    if isinstance(value, timedelta):
        return to_seconds(value.total_seconds(), what)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ConfigError(f"{what} is {value!r:.100}: give seconds as a number, or a timedelta")
    if not 0 <= value <= _LONGEST_SECONDS:
        shown = "below 0" if value < 0 else "longer than 100 years"
        raise ConfigError(f"{what} is {shown}: give a length from 0 s to 100 years")
    return float(value)
