"""What happens to a node: leadership, heartbeat, notifications, shutdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from staffa.telemetry.events import Event
from staffa.types import Connectivity, ProducerView


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderElected(Event):
    """This node leads from now on.

    Args:
        producer: The node.
    """

    kind: ClassVar[str] = "staffa.leader.elected"

    producer: ProducerView


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderLost(Event):
    """This node leads no more.

    Args:
        producer: The node.
    """

    kind: ClassVar[str] = "staffa.leader.lost"

    producer: ProducerView


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatLate(Event):
    """The heartbeat had a gap: the machine, or code that holds the GIL, stopped its thread.

    Args:
        producer: The node.
        seconds: Between two heartbeats.
    """

    kind: ClassVar[str] = "staffa.producer.gap"

    producer: ProducerView
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierLost(Event):
    """The connection that listens was lost.

    Args:
        prefix: The schema.
    """

    kind: ClassVar[str] = "staffa.notifier.lost"

    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierReconnected(Event):
    """The connection that listens is there again.

    Args:
        prefix: The schema.
    """

    kind: ClassVar[str] = "staffa.notifier.reconnected"

    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownBegun(Event):
    """The node claims no more.

    Args:
        producer: The node.
        grace: Seconds for which running jobs may go on.
    """

    kind: ClassVar[str] = "staffa.shutdown.begin"

    producer: ProducerView
    grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownEnded(Event):
    """The node has stopped.

    Args:
        producer: The node.
    """

    kind: ClassVar[str] = "staffa.shutdown.end"

    producer: ProducerView


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSurvived(Event):
    """Something went wrong that stopped nothing; it is logged as well.

    Args:
        what: What could not be done.
        error: Why.
    """

    kind: ClassVar[str] = "staffa.error"

    what: str
    error: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectivityChanged(Event):
    """Notifications arrive, or arrive no more.

    Args:
        connectivity: What holds from now on.
        previous: What held before.
    """

    kind: ClassVar[str] = "staffa.sonar.changed"

    connectivity: Connectivity
    previous: Connectivity
