"""The types that several layers share."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from staffa._internal.shown import shown
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


class EndReason(StrEnum):
    """Why a job was cancelled or discarded; what hooks are told."""

    RESULT = "result"
    """It returned `Cancel` or `Discard`."""
    ERROR = "error"
    """It raised an error of `cancel_on` or `discard_on`."""
    EXHAUSTED = "exhausted"
    """Its last attempt failed."""
    DEADLINE = "deadline"
    """Its deadline passed."""
    DEPENDENCY = "dependency"
    """A job that it depends on did not complete."""
    MANUAL = "manual"
    """Somebody cancelled it."""
    UNDECODABLE = "undecodable"
    """Its row can't be decoded."""
    RESCUES = "rescues"
    """Its process died too often."""


class Connectivity(StrEnum):
    """What is known of the notifications of a node."""

    UNKNOWN = "unknown"
    """Nothing yet, or the client runs no queues."""
    ISOLATED = "isolated"
    """They don't arrive, not even the node's own: jobs are found by polling."""
    SOLITARY = "solitary"
    """They arrive, and there is no other node."""
    CLUSTERED = "clustered"
    """They arrive, those of other nodes too."""


class JobReference(Protocol):
    """What is known of a job wherever one is told of."""

    @property
    def id(self) -> int | None:
        """Its number; None before it is enqueued."""

    @property
    def queue(self) -> str:
        """Its queue."""

    @property
    def worker(self) -> str:
        """The name of its worker."""

    @property
    def state(self) -> State:
        """Its state when it was read."""


class JobView(JobReference, Protocol):
    """A job to look at, for what lies below the module of jobs."""

    @property
    def args(self) -> Any:
        """The arguments."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """Data about it."""

    @property
    def tags(self) -> Sequence[str]:
        """Its labels."""

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""

    @property
    def max_attempts(self) -> int:
        """How many there may be."""

    @property
    def priority(self) -> int:
        """0 is the most urgent."""

    @property
    def scheduled_at(self) -> datetime | None:
        """When it was due."""

    @property
    def attempted_at(self) -> datetime | None:
        """When it was claimed."""


@runtime_checkable
class ProducerView(Protocol):
    """One start of a worker process."""

    @property
    def uuid(self) -> UUID:
        """What its leases name."""

    @property
    def name(self) -> str:
        """The instance."""

    @property
    def node(self) -> str:
        """The machine or container."""


@dataclass(frozen=True, slots=True)
class SignalWanted:
    """A signal that a running job awaits.

    Args:
        name: Its name.
        wait_for: Seconds from the first wait for it on, after which it comes too late; None if
            there is time for ever.
        live: Seconds for which the job keeps its slot while it waits.
    """

    name: str
    wait_for: float | None
    live: float


class JobContext(Protocol):
    """What a running job can ask of the executor that runs it."""

    @property
    def cancelled(self) -> bool:
        """Whether the job should stop: it was cancelled, ran out of time, or lost its lease."""

    def note_progress(self, patch: Mapping[str, Any]) -> Awaitable[None]:
        """Have progress written soon."""

    def write_meta(self, patch: Mapping[str, Any]) -> Awaitable[None]:
        """Merge into the row's meta: to be awaited on the loop, done at once elsewhere."""

    def complete_in(self, conn: Any, result: object) -> Awaitable[None]:
        """Complete the job on a user's connection, in the transaction that is open there."""

    def receive_signal(self, wanted: SignalWanted) -> Awaitable[Any]:
        """Wait for a signal, on the loop."""

    def receive_signal_sync(self, wanted: SignalWanted) -> Any:
        """Do the same in a thread."""


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
        raise ConfigError(
            f"{what} is {shown(value, 100)}: give seconds as a number, or a timedelta"
        )
    if not 0 <= value <= _LONGEST_SECONDS:
        wrong = "below 0" if value < 0 else "longer than 100 years"
        raise ConfigError(f"{what} is {wrong}: give a length from 0 s to 100 years")
    return float(value)
