"""Writes the outcomes of jobs that belong to flows, and tells what follows from them.

Invariants: those of other jobs are written beside them, by another statement on another connection,
so that neither hold up the other; where each outcome lets many jobs go on, few are written
together, so that the first of those don't wait for the last; a flow whose root somebody else holds
(another node for a moment, or a transaction that adds to it) holds up none of the others: its
outcomes come again soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from staffa._internal.backoff import Backoff
from staffa.engine import Engine, Lease, Producer
from staffa.jobs import Job
from staffa.linking import Followed
from staffa.memberships import named_flows
from staffa.queues.acker import LARGEST_BUNDLE, Acker
from staffa.queues.outcomes import Completion, Ended, Outcome
from staffa.telemetry import report
from staffa.types import State

_LET_GO_TOGETHER = 1000
_FIRST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.25


class LinkedAcker(Acker):
    """Writes outcomes back, and what follows from them.

    Args:
        engine: Where to.
        producer: Whose leases they end.
        on_settled: Called with each outcome that is stored, and the state that its job has now.
        on_lost: Called with each job whose lease had ended, and the seconds that it ran.
        on_held: Called with each outcome whose row somebody else holds.
        on_followed: Called with what has come of outcomes that are stored.
        on_completed: Called with completions that are stored, as `Acker` does.
        on_written: Called after each bundle.
        roots: Takes note of the roots of flows.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        on_settled: Callable[[Outcome, State], None],
        on_lost: Callable[[Job, float], None],
        on_held: Callable[[Outcome], None],
        on_followed: Callable[[Followed], None],
        on_completed: Callable[[Sequence[Completion]], bool],
        on_written: Callable[[], None],
        roots: dict[str, str],
    ) -> None:
        super().__init__(
            engine,
            producer,
            on_settled,
            on_lost,
            self._put_off,
            on_completed=on_completed,
            on_written=on_written,
        )
        self._on_held_row = on_held
        self._on_followed = on_followed
        self._roots = roots
        self._backoff = Backoff(
            first_seconds=_FIRST_PAUSE_SECONDS, cap_seconds=_LONGEST_PAUSE_SECONDS
        )
        self._most = 1
        self._left: frozenset[int] = frozenset()
        self._put_aside: list[Outcome] = []
        self._submitted = asyncio.Event()

    def unwritten(self) -> list[Ended]:
        """Return the outcomes that are not known to be stored."""
        return [*super().unwritten(), *self._put_aside]

    async def flush(self) -> None:
        """Return once everything submitted so far, and since, is written."""
        await super().flush()
        while self._put_aside:
            await self._submitted.wait()
            await super().flush()

    async def _ack(self, bundle: Sequence[Ended]) -> dict[int, State]:
        """Write outcomes, with the flows that their jobs named when they were claimed."""
        flows: dict[int, tuple[str, ...]] = {}
        with suppress(ValueError):  # of meta that can't be decoded: the database reads them all
            for ended in bundle:
                flows[ended.lease.id] = named_flows(ended.job.meta)
        endings = [ended.ending for ended in bundle]
        found = await self._engine.ack_linked_jobs(endings, self._producer, flows=flows, wait=False)
        self._left = found.left
        self._roots.update(found.roots)
        self._adapt(len(bundle), found.followed)
        if found.states:
            self._backoff.reset()
        try:
            self._on_followed(found.followed)
        except Exception as error:  # noqa: BLE001  # hooks are objects of users' making
            report("telling what followed from outcomes failed", error)
        return found.states

    def _adapt(self, acks: int, followed: Followed) -> None:
        """Choose how many outcomes go together next."""
        let_go = sum(followed.woken.values()) + len(followed.cancelled)
        if let_go > _LET_GO_TOGETHER:
            self._most = max(acks * _LET_GO_TOGETHER // let_go, 1)
        else:
            self._most = min(2 * self._most, LARGEST_BUNDLE)

    async def _find_held(self, leases: Sequence[Lease]) -> frozenset[int]:
        others = [lease for lease in leases if lease.id not in self._left]
        held = await super()._find_held(others) if others else frozenset()
        return held | self._left.intersection(lease.id for lease in leases)

    def _put_off(self, outcome: Outcome) -> None:
        """Have an outcome written later: soon where it is the root that was held."""
        if outcome.ack.lease.id not in self._left:
            self._on_held_row(outcome)
            return
        if not self._put_aside:
            self._submitted.clear()
            pause = self._backoff.next_seconds()
            asyncio.get_running_loop().call_later(pause, self._try_again)
        self._put_aside.append(outcome)

    def _try_again(self) -> None:
        outcomes, self._put_aside = self._put_aside, []
        for outcome in outcomes:
            self.submit(outcome)
        self._submitted.set()
