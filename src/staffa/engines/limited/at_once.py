"""Claims in one statement: no lock outlasts it, and the database is at it while the node works.

It is how queues under a global limit alone are claimed while they have what is asked for, which is
when claims are many. Everything else is left to the dialogue of `claims`, which also makes up for a
statement that has claimed too little, or nothing: where other nodes claim at the same moment, or
jobs without a key were found, or partitions lack room.

Invariants: such a statement claims under the row that it locks, if its snapshot shows that very
row. Every claim writes the row, so nobody has claimed in between, and what the snapshot counts as
running is all that runs. What is remembered here of a claim saves asking for it; it is never
trusted: it goes with the time of that claim, and a row of another time is not claimed under.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from staffa.dialogues import Dialogue
from staffa.engine import Producer
from staffa.engines.limited.going import Going
from staffa.engines.limited.keys import latest_are_due, note_page, page_is_due, page_size
from staffa.engines.limited.turns import in_turns
from staffa.engines.statements.limited import Claimed, InTurns, Ring, Weights
from staffa.engines.statements.limits import LimitStatements
from staffa.jobs import Job
from staffa.limiting import LimitedClaim
from staffa.limits import GlobalLimit, Limits

_REST_SECONDS = 1.0  # while others claim, too, most attempts would be in vain


@dataclass(slots=True)
class _Known:
    """What was learned of a queue by the last claim."""

    limits: Limits
    options: str
    used_at: datetime
    cursors: dict[str, str]
    sweep: dict[str, Any]
    full: bool
    ahead: float
    """Seconds that the server's clock is ahead of the process's, which stands for it."""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What came of an attempt.

    Args:
        claim: The claim; None if the rest of it is left to do.
        jobs: What was leased of it nevertheless.
    """

    claim: LimitedClaim | None = None
    jobs: list[Job] = field(default_factory=list)


class ClaimsAtOnce:
    """The claims of an engine that are made in one statement.

    Args:
        statements: The engine's statements.
        monotonic: Returns seconds.
    """

    def __init__(
        self, statements: LimitStatements, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._statements = statements
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._rests_until: dict[str, float] = {}

    def learn(self, going: Going) -> None:
        """Remember what a claim has found that was made step by step."""
        row = going.row
        self._known[going.queue] = _Known(
            row.limits,
            row.options,
            row.used_at,
            dict(going.cursors),
            dict(going.sweep),
            going.left <= 0,
            row.now.timestamp() - self._monotonic(),
        )

    def rest(self, queue: str) -> None:
        """Make no attempts for a while."""
        self._rests_until[queue] = self._monotonic() + _REST_SECONDS

    def claim(self, queue: str, limit: int, producer: Producer) -> Dialogue[AtOnce]:
        """Lease jobs, if all that is known is in favour of it."""
        known = self._known.get(queue)
        if known is None or self._monotonic() < self._rests_until.get(queue, 0.0):
            return AtOnce()
        allowed = known.limits.global_limit
        if allowed is None or known.limits.rate_limit is not None:
            return AtOnce()
        now = self._monotonic() + known.ahead
        if now >= known.sweep.get("strays_at", 0.0):
            return AtOnce()
        partition = known.limits.partition
        if partition is None:
            return (yield from self._claim_by_urgency(queue, limit, producer, known, allowed))
        if not known.full or latest_are_due(known.sweep, now) or "walk_at" in known.sweep:
            return AtOnce()
        ring = Ring(queue, partition)
        return (yield from self._claim_in_turns(ring, limit, producer, known, allowed, now))

    def _claim_by_urgency(
        self, queue: str, limit: int, producer: Producer, known: _Known, allowed: GlobalLimit
    ) -> Dialogue[AtOnce]:
        found: Claimed | None = yield self._statements.claim(
            queue,
            limit,
            producer,
            options=known.options,
            allowed=allowed.allowed,
            node=producer.node if allowed.per_node else None,
        )
        if found is None:
            self.rest(queue)
            return AtOnce()
        short = False
        if found.slots <= len(found.jobs) < limit:
            weight: int | None = yield self._statements.weigh_head(queue, Weights())
            short = weight is not None
        return AtOnce(LimitedClaim(found.jobs, None, short))

    def _claim_in_turns(
        self,
        ring: Ring,
        limit: int,
        producer: Producer,
        known: _Known,
        allowed: GlobalLimit,
        now: float,
    ) -> Dialogue[AtOnce]:
        size = page_size(known.sweep, limit) if page_is_due(known.sweep, now) else 0
        found: InTurns | None = yield self._statements.claim_in_turns(
            ring,
            limit,
            producer,
            used_at=known.used_at,
            slots=allowed.allowed,
            node=producer.node if allowed.per_node else None,
            sweep=known.sweep,
            page=size,
        )
        if found is None:
            self.rest(ring.queue)
            return AtOnce()
        jobs = _in_order(found, known.cursors, ring)
        known.used_at, known.cursors = found.used_at, found.cursors
        known.full = len(jobs) == limit
        if size:
            note_page(known.sweep, found.seen, found.place, size, now)
        return AtOnce(LimitedClaim(jobs)) if known.full else AtOnce(None, jobs)


def _in_order(found: InTurns, cursors: dict[str, str], ring: Ring) -> list[Job]:
    """Return jobs in the order of turns, which begin after the partition that was served last."""
    if not found.taken:
        return []
    start = cursors.get(str(found.taken[0].job.priority), ring.prefix)
    keys = sorted({one.key for one in found.taken}, key=lambda key: (key <= start, key))
    return [one.job for one in in_turns(found.taken, keys)]
