"""What the engines have in common about signals; each runs statements in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from staffa._internal.kill_points import boundaries
from staffa.engine import Lease, Producer
from staffa.engines.statements.signals import SignalStatements
from staffa.engines.transacting import Transacting
from staffa.signalling import Signalled, SignalsSeen
from staffa.telemetry import observed

T = TypeVar("T")


@observed("staffa.engine")
@boundaries
class SignalEngine(Transacting):
    """The base of engines: what they do about signals."""

    _signals: SignalStatements

    async def signal_jobs(self, ids: Sequence[int], name: str, payload: str) -> list[Signalled]:
        """Give unfinished jobs a signal."""
        return await self._change(self._signals.signal(ids, name, payload))

    async def find_signals(
        self, leases: Sequence[Lease], producer: Producer
    ) -> dict[Lease, SignalsSeen]:
        """Read the signals of running jobs."""
        return await self._read(self._signals.find(leases, producer))
