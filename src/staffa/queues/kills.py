"""Cancels running jobs that another implementation wants to be killed.

Elixir Oban and our own clients cancel the row first, and then signal `pkill`: a process that checks
its leases stops the job. The Python package `oban` leaves the row of a running job alone, and only
signals. So a process that runs such a job cancels the row itself, by the lease that it has when it
hears the signal: a run that has ended meanwhile, or that began later, is none of it.

Anybody may send the signal. It ends nothing but a run of this process, and the row tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staffa.engine import Ack, Engine, Lease, Producer
from staffa.errors import DataRefused
from staffa.linking import Followed
from staffa.queues.inbox import Inbox
from staffa.telemetry import report
from staffa.types import State

ERROR = "cancelled while it ran, by a signal of another program"


class Kills(Inbox[int, Lease]):
    """Cancels jobs by signals.

    Args:
        engine: Where the rows are.
        producer: Who this process is.
        lease_of: Returns the lease under which a job runs here, if it does.
        on_cancelled: Called when rows were cancelled: their jobs are to be stopped.
        on_followed: Called with what has come of that for jobs that depend on them.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        *,
        lease_of: Callable[[int], Lease | None],
        on_cancelled: Callable[[], None],
        on_followed: Callable[[Followed], None],
    ) -> None:
        super().__init__("cancels of running jobs")
        self._engine = engine
        self._producer = producer
        self._lease_of = lease_of
        self._on_cancelled = on_cancelled
        self._on_followed = on_followed

    def hear(self, number: object) -> None:
        """Have a job cancelled soon, if it runs here."""
        if not isinstance(number, int) or isinstance(number, bool):
            return
        lease = self._lease_of(number)
        if lease is not None:
            self.put(number, lease)

    async def write(self, items: Sequence[Lease]) -> None:
        """Cancel runs, and have them stopped."""
        await self._cancel(sorted(items))
        self._on_cancelled()

    async def _cancel(self, leases: Sequence[Lease]) -> None:
        acks = [Ack(lease=lease, state=State.CANCELLED, error=ERROR) for lease in leases]
        try:
            found = await self._engine.ack_linked_jobs(acks, self._producer)
            self._on_followed(found.followed)
        except DataRefused as error:  # a row that can't be written must not keep others
            if len(leases) == 1:
                report(f"job {leases[0].id} can't be cancelled by a signal", error)
                return
            for lease in leases:
                await self._cancel([lease])
