"""The engine's verbs that end jobs or make them go on again: jobs of flows are followed.

Where none of the jobs belongs to a flow, which a look at them tells, everything is as it is without
flows. A transaction that loses against another one's locks is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from staffa._internal.kill_points import boundaries
from staffa.engine import (
    Changed,
    Changes,
    Ending,
    Producer,
    Rescued,
    Rescues,
    Statement,
    Statements,
)
from staffa.engines.linked.ending import acknowledge, change, numbers_of, rescue
from staffa.engines.linked.following import followed_together
from staffa.engines.linked.repairing import find_wrong, repair, together
from staffa.engines.linked.roots import RootHeldError
from staffa.engines.statements.conditions import Wanted
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.operations import OperationStatements
from staffa.engines.statements.repairs import RepairStatements
from staffa.engines.statements.rescues import RescueStatements
from staffa.engines.transacting import Transacting
from staffa.errors import StatementConflict
from staffa.leases import lease_of
from staffa.linking import NOTHING, LinkedAcks, Repairs
from staffa.telemetry import observed
from staffa.types import State

T = TypeVar("T")

_LOCK_TIMEOUT = "55P03"
_CHECK_SECONDS = 60.0
_CHECK_SECONDS_FOR_EACH_JOB = 0.001


@observed("staffa.engine")
@boundaries
class FollowVerbs(Transacting):
    """The base of engines that have these methods."""

    _following: FollowStatements
    _flow_control: FlowControlStatements
    _acking: JobStatements
    _operations: OperationStatements
    _rescues: RescueStatements
    _repairs: RepairStatements

    async def ack_linked_jobs(
        self,
        acks: Sequence[Ending],
        producer: Producer,
        *,
        flows: Mapping[int, tuple[str, ...]] | None = None,
        wait: bool = True,
    ) -> LinkedAcks:
        """Write outcomes, and what follows from them."""
        try:
            return await self._follow(
                lambda: acknowledge(
                    self._following, self._acking, acks, producer, flows, wait=wait
                ),
                acks=True,
            )
        except (RootHeldError, StatementConflict) as error:  # others hold what one of them leads to
            if wait or (isinstance(error, StatementConflict) and error.sqlstate != _LOCK_TIMEOUT):
                raise
            if len(acks) == 1:
                return LinkedAcks({}, NOTHING, frozenset({lease_of(acks[0]).id}))
        middle = len(acks) // 2
        one = await self.ack_linked_jobs(acks[:middle], producer, flows=flows, wait=wait)
        other = await self.ack_linked_jobs(acks[middle:], producer, flows=flows, wait=wait)
        return LinkedAcks(
            {**one.states, **other.states},
            followed_together(one.followed, other.followed),
            one.left | other.left,
            {**one.roots, **other.roots},
        )

    async def cancel_jobs(self, wanted: Wanted, *, wait: bool = True) -> Changes:
        """Cancel unfinished jobs."""
        changing = partial(self._operations.cancelling, wait=wait)
        return await self._change_jobs(changing, wanted, State.CANCELLED, wait=wait)

    async def retry_jobs(self, wanted: Wanted, *, wait: bool = True) -> Changes:
        """Make jobs available at once, but for those that wait for others, or are held."""
        changing = partial(self._operations.retrying, wait=wait)
        return await self._change_jobs(
            changing, wanted, State.AVAILABLE, wait=wait, control=self._flow_control
        )

    async def delete_jobs(self, wanted: Wanted, *, wait: bool = True) -> Changes:
        """Delete jobs that do not run."""
        changing = partial(self._operations.deleting, wait=wait)
        return await self._change_jobs(changing, wanted, None, wait=wait)

    async def _change_jobs(
        self,
        changing: Callable[[Wanted], Statements[list[Changed]]],
        wanted: Wanted,
        after: State | None,
        *,
        wait: bool,
        control: FlowControlStatements | None = None,
    ) -> Changes:
        if not await self._read(self._following.is_any_linked(numbers_of(wanted))):
            changed = await self._run_together(changing(wanted))
            return Changes(changed)
        return await self._follow(
            lambda: change(self._following, changing, wanted, after, wait=wait, control=control)
        )

    async def repair_links(self, *, limit: int) -> Repairs:
        """Follow the ends of jobs that nobody has followed, and count flows anew."""
        taken = await self._change(
            self._repairs.take(_CHECK_SECONDS, _CHECK_SECONDS_FOR_EACH_JOB, limit)
        )
        found = Repairs(0, 0, 0, NOTHING)
        if not taken:
            return found
        for root, flows in await self._follow(lambda: find_wrong(self._repairs, taken)):
            found = together(
                found,
                await self._follow(partial(repair, self._following, self._repairs, root, flows)),
            )
        return found

    async def find_kept_jobs(self, ids: Sequence[int]) -> frozenset[int]:
        """Return which of some jobs are kept, as what they belong to has not ended."""
        return await self._read(self._following.find_kept(ids))

    async def rescue_jobs(
        self, dead: Mapping[UUID, int], *, max_rescues: int, limit: int
    ) -> Rescues:
        """Take jobs away from dead producers."""
        return await self._rescue(
            self._rescues.rescue(dead, max_rescues=max_rescues, limit=limit),
            State.EXECUTING,
            refunded=True,
        )

    async def rescue_foreign_jobs(self, *, age: float, limit: int) -> Rescues:
        """Take old jobs away from other implementations."""
        return await self._rescue(
            self._rescues.rescue_foreign(age=age, limit=limit), State.EXECUTING
        )

    async def discard_exhausted_jobs(self, *, limit: int) -> Rescues:
        """Discard available jobs without attempts left."""
        return await self._rescue(self._rescues.discard_exhausted(limit=limit), State.AVAILABLE)

    async def _rescue(
        self, rescuing: Statement[list[Rescued]], before: State, *, refunded: bool = False
    ) -> Rescues:
        return await self._follow(
            lambda: rescue(self._following, rescuing, before, refunded=refunded)
        )
