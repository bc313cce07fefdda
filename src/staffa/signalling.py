"""The contract of signals: how running and parked jobs get them, whatever the database is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from staffa.leases import Lease, Producer
from staffa.types import State


@dataclass(frozen=True, slots=True)
class Signalled:
    """A job that has got a signal.

    Args:
        id: The job.
        queue: Its queue.
        state: Its state from now on: available, if it was parked until this signal.
    """

    id: int
    queue: str
    state: State


@dataclass(frozen=True, slots=True)
class SignalsSeen:
    """What the row of a running job says.

    Args:
        signals: Those that it has got, by name.
        read_at: When that was, on the database's clock.
    """

    signals: Mapping[str, Any]
    read_at: datetime


class CarriesSignals(Protocol):
    """What an engine does about signals."""

    async def signal_jobs(self, ids: Sequence[int], name: str, payload: str) -> list[Signalled]:
        """Give unfinished jobs a signal, unless they have one of that name or gave it up.

        Args:
            ids: The jobs.
            name: The signal's name.
            payload: JSON.
        """

    async def find_signals(
        self, leases: Sequence[Lease], producer: Producer
    ) -> dict[Lease, SignalsSeen]:
        """Read the signals of running jobs; those whose leases have ended are left out."""
