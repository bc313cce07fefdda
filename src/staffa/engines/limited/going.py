"""A claim under limits that is going on: what flat and partitioned queues have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from staffa.dialogues import Dialogue
from staffa.engine import Producer
from staffa.engines.statements.limited import (
    NO_CHUNKS,
    Chunked,
    Locked,
    Seen,
    Spending,
    Taken,
    Weights,
)
from staffa.engines.statements.limits import LimitStatements
from staffa.jobs import Job
from staffa.limiting import LimitedClaim
from staffa.limits import GlobalLimit, Limits, RateLimit
from staffa.rates import Meter, to_micros

L = TypeVar("L", GlobalLimit, RateLimit)

_NO_LIMIT = 2**31 - 1
_STRAYS_SECONDS = 10.0
_USED_SECONDS = 60.0


@dataclass(slots=True)
class Whole:
    """What the queue as a whole may still have, whatever its partitions may.

    Args:
        now: The time of the claim.
        slots: How many jobs more may run.
        meter: What was spent of a rate limit without a partition, if there is one.
    """

    now: datetime
    slots: int
    meter: Meter | None

    @property
    def tokens(self) -> int:
        """The tokens that are left."""
        return _NO_LIMIT if self.meter is None else self.meter.available

    @property
    def room(self) -> int:
        """How many jobs more may be claimed, if each takes one token."""
        return max(min(self.slots, self.tokens), 0)


@dataclass(slots=True)
class Going:
    """What is known while a claim goes on.

    Args:
        statements: The engine's statements.
        queue: The queue.
        wanted: How many jobs are wanted.
        producer: Who leases.
        row: The limits' row.
        taken: What was leased.
        delay: Seconds until something that waits may start.
        short: Whether a limit holds jobs back.
        chunked: What is claimed in chunks.
        cursors: By priority, the partition that was served last.
        sweep: When and where to look for what has no key.
    """

    statements: LimitStatements
    queue: str
    wanted: int
    producer: Producer
    row: Locked
    taken: list[Taken] = field(default_factory=list)
    delay: float | None = None
    short: bool = False
    chunked: Chunked = NO_CHUNKS
    cursors: dict[str, str] = field(init=False)
    sweep: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.cursors, self.sweep = dict(self.row.cursors), dict(self.row.sweep)
        if self.row.now < self.row.used_at:  # the clock went back: its times are far ahead
            self.sweep = {}

    @property
    def limits(self) -> Limits:
        """What is to be obeyed."""
        return self.row.limits

    @property
    def weights(self) -> Weights:
        """What jobs take of the rate limit."""
        return Weights.of(self.limits)

    @property
    def node(self) -> str | None:
        """The node whose running jobs count, or None for all."""
        limit = self.limits.global_limit
        return self.producer.node if limit is not None and limit.per_node else None

    @property
    def left(self) -> int:
        """How many jobs are still wanted."""
        return self.wanted - len(self.taken)

    def wait_for(self, seconds: float) -> None:
        """Note that something may start after so many seconds, though nothing else happens."""
        self.short = True
        self.delay = seconds if self.delay is None else min(self.delay, seconds)

    def go_on(self) -> None:
        """Note that there is more to look at."""
        self.delay = 0.0

    def count_strays(self) -> Dialogue[dict[str, int]]:
        """Count running jobs without a key of now: while there are some, else now and then.

        Where partitions have no limit of their own, any key will do: `look` counts those jobs.
        """
        limit, now = self.limits.global_limit, self.row.now.timestamp()
        if limit is None or now < self.sweep.get("strays_at", 0.0):
            return {}
        partition = None if of_each(limit) is None else self.limits.partition
        strays: dict[str, int] = yield self.statements.find_strays(self.queue, partition, self.node)
        if not strays:
            self.sweep["strays_at"] = now + _STRAYS_SECONDS
        return strays

    def look(self, strays: int) -> Dialogue[Whole]:
        """Read what the queue as a whole may still have; the time of the claim is read here."""
        limit = of_all(self.limits.global_limit)
        rate = of_all(self.limits.rate_limit)
        seen: Seen = yield self.statements.look(
            self.queue, counted=limit is not None, node=self.node
        )
        slots = _NO_LIMIT if limit is None else limit.allowed - seen.running - strays
        meter = None if rate is None else Meter.read(rate, seen.meter, to_micros(seen.now))
        return Whole(seen.now, slots, meter)

    def note_taken(self, whole: Whole, taken: Sequence[Taken]) -> Dialogue[None]:
        """Count what was leased."""
        self.taken.extend(taken)
        whole.slots -= len(taken)
        if whole.meter is not None and taken:
            whole.meter = whole.meter.spend(sum(one.weight for one in taken))
            spending = Spending("", whole.meter.as_json(), None)
            yield self.statements.spend(self.queue, [spending])

    def finish(self, jobs: Iterable[Job]) -> Dialogue[LimitedClaim]:
        """Write the row if there is anything to write, and return what came of it."""
        row = self.row
        unused = row.now - row.used_at > timedelta(seconds=_USED_SECONDS)
        if unused or self.cursors != row.cursors or self.sweep != row.sweep:
            yield self.statements.keep(self.queue, self.cursors, self.sweep)
        if self.left <= 0:  # the next free slot claims again
            return LimitedClaim(list(jobs))
        return LimitedClaim(list(jobs), self.delay, self.short)


def of_all(limit: L | None) -> L | None:
    """Return a limit if it is one of the whole queue."""
    return limit if limit is not None and limit.partition is None else None


def of_each(limit: L | None) -> L | None:
    """Return a limit if it is one of each partition."""
    return limit if limit is not None and limit.partition is not None else None
