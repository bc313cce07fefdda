"""Cancels running jobs that another implementation wants to be killed.

Elixir Oban and our own clients cancel the row first, and then signal `pkill`: a process that checks
its leases stops the job. The Python package `oban` leaves the row of a running job alone, and only
signals. So a process that runs such a job cancels the row itself, by the lease that it has when it
hears the signal: a run that has ended meanwhile, or that began later, is none of it.

Anybody may send the signal. It ends nothing but a run of this process, and the row tells of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from staffa._internal.backoff import Backoff
from staffa.engine import Ack, Engine, Lease, Producer
from staffa.errors import DatabaseError, DataRefused
from staffa.service import Service, severity
from staffa.telemetry import report
from staffa.types import State

ERROR = "cancelled while it ran, by a signal of another program"


class Kills(Service):
    """Cancels jobs by signals.

    Args:
        engine: Where the rows are.
        producer: Who this process is.
        lease_of: Returns the lease under which a job runs here, if it does.
        on_cancelled: Called when rows were cancelled: their jobs are to be stopped.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        *,
        lease_of: Callable[[int], Lease | None],
        on_cancelled: Callable[[], None],
    ) -> None:
        super().__init__()
        self._engine = engine
        self._producer = producer
        self._lease_of = lease_of
        self._on_cancelled = on_cancelled
        self._waiting: dict[int, Lease] = {}
        self._arrived = asyncio.Event()

    def hear(self, number: object) -> None:
        """Have a job cancelled soon, if it runs here."""
        if not isinstance(number, int) or isinstance(number, bool):
            return
        lease = self._lease_of(number)
        if lease is not None:
            self._waiting[number] = lease
            self._arrived.set()

    async def run(self) -> None:
        """Cancel what has come, until cancelled."""
        backoff = Backoff()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            wanted, self._waiting = self._waiting, {}
            try:
                await self._cancel(list(wanted.values()))
            except DatabaseError as error:
                report("jobs will be cancelled by signals later", error, level=severity(error))
                self._waiting = {**wanted, **self._waiting}
                await asyncio.sleep(backoff.next_seconds())
                self._arrived.set()
            else:
                backoff.reset()
                self._on_cancelled()

    async def _cancel(self, leases: Sequence[Lease]) -> None:
        acks = [Ack(lease=lease, state=State.CANCELLED, error=ERROR) for lease in leases]
        try:
            await self._engine.ack_jobs(acks, self._producer)
        except DataRefused as error:  # a row that can't be written must not keep others
            if len(leases) == 1:
                report(f"job {leases[0].id} can't be cancelled by a signal", error)
                return
            for lease in leases:
                await self._cancel([lease])
