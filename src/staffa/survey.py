"""The contract of looking at what goes on: what commands and dashboards ask an engine for.

Each look is one or two statements that read no more than it says, so that it can be repeated every
second or two however many jobs there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from staffa.jobs import Job
from staffa.types import State

if TYPE_CHECKING:
    from staffa.engine import Control


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerStatus:
    """A producer, as its row tells.

    Args:
        uuid: What its leases name.
        name: The instance.
        node: The machine or container.
        started_at: When the process began.
        silent: Seconds since its last heartbeat, on the database's clock.
        leads: Whether it is the leader of its instance.
    """

    uuid: UUID
    name: str
    node: str
    started_at: datetime
    silent: float
    leads: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlStatus:
    """An option of a queue as it was set at run time.

    Args:
        control: The option.
        changed_at: When it was set.
    """

    control: Control
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How many jobs of a queue a producer runs.

    Args:
        queue: The queue.
        node: As the jobs name it; None if they name none.
        producer: The uuid that the jobs name, as text: it may be another implementation's.
        count: How many.
    """

    queue: str
    node: str | None
    producer: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How many jobs of a queue wait in a state.

    Args:
        queue: The queue.
        state: Available, scheduled or retryable.
        count: How many, up to the limit that was asked for.
        due_at: When the first of them is or was due.
    """

    queue: str
    state: State
    count: int
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """How the last attempts of a worker's jobs have ended lately.

    Args:
        worker: Its name.
        completed: How many jobs have completed.
        failed: How many jobs have failed, and are retryable or discarded.
    """

    worker: str
    completed: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """The state of the server, as far as it can be told; None or nothing where it can't.

    Args:
        now: Its clock.
        version: Of its program.
        read_only: Whether it refuses changes.
        pooled: Whether a pooler stands before it.
        max_connections: How many connections it gives to everybody but its administrators.
        used_connections: How many there are.
        leading_peers: The other implementations that have a leader on our tables at the moment.
    """

    now: datetime
    version: str
    read_only: bool = False
    pooled: bool = False
    max_connections: int | None = None
    used_connections: int | None = None
    leading_peers: tuple[str, ...] = ()


ELIXIR = "Elixir Oban"
PYTHON = "Python oban"


class Survey(Protocol):
    """Looks at one place for jobs. Every method may raise `DatabaseError`."""

    async def list_producers(self) -> list[ProducerStatus]:
        """Read the producers of all instances, the dead ones too, by name, node and age."""

    async def list_controls(self, instance: str) -> list[ControlStatus]:
        """Read what is set about an instance's queues, the last change last."""

    async def count_running(self) -> list[Running]:
        """Count the running jobs."""

    async def count_waiting(self, *, most: int) -> list[Waiting]:
        """Count the jobs that wait.

        Args:
            most: So many available jobs of each queue are counted, and so many of all scheduled
                and retryable ones.
        """

    async def count_ended(self, *, seconds: float) -> dict[tuple[str, State], int]:
        """Count the attempts that have ended lately, by queue and the state that they led to.

        Args:
            seconds: Before the last second, in which not all may be told yet.
        """

    async def count_outcomes(self, *, seconds: float) -> list[Outcomes]:
        """Count by worker the jobs whose last attempt has ended lately; cancelled ones are none.

        Args:
            seconds: So long ago at most; less where very many have ended.
        """

    async def list_running(self, limit: int) -> list[Job]:
        """Read running jobs, the longest running first."""

    async def list_failed(self, limit: int) -> list[Job]:
        """Read jobs whose last attempt has failed, the last one first."""

    async def count_workers(self) -> dict[str, int]:
        """Count the available, scheduled and retryable jobs by worker; reads all of them."""

    async def check_server(self) -> ServerHealth:
        """Read the state of the server."""


class Surveyed(Protocol):
    """What can be looked at: a part of every engine's."""

    @property
    def survey(self) -> Survey:
        """Looks at what goes on."""


def order_as(ids: Sequence[int], jobs: Sequence[Job]) -> list[Job]:
    """Return jobs in the order of their ids; those that are gone are left out.

    Example:
        >>> order_as([2, 1], [])
        []
    """
    found = {job.id: job for job in jobs}
    return [found[number] for number in ids if number in found]
