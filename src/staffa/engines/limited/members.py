"""Chunks under limits: the first job of a chunk is claimed as any other, and the rest joins it.

A chunk counts as one job that runs, and as one start of the weight of its first job. All of its
jobs have the key of the first one's partition, and are marked with its id, by which what counts
running jobs counts them once, for as long as any of them runs. They are looked for while the row of
the limits is held, so that claims under limits see none that others have taken.

Limits may hold back whatever is found first. So as long as jobs are wanted, more of the queue is
looked at, up to a bound. Where nothing is found there either, that is done now and then only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from staffa.chunking import ChunkRule
from staffa.dialogues import Dialogue
from staffa.engines.chunks import first_window, next_window
from staffa.engines.limited.going import Going
from staffa.engines.statements.chunks import ChunkStatements, Follower, Formed, Sight
from staffa.engines.statements.limited import Chunked
from staffa.jobs import Job
from staffa.limiting import LimitedClaim

_ALL = 100_000
_REST = 0.0001  # seconds for each job of a wide look

ClaimOnce = Callable[[Going], Dialogue[LimitedClaim]]


@dataclass(slots=True)
class InChunks:
    """The chunks of a claim under limits.

    Args:
        statements: The engine's statements.
        rules: Of the workers whose jobs run in chunks.
        formed: The chunks that can be claimed, by their first jobs.
        followers: The jobs that were leased with these.
    """

    statements: ChunkStatements
    rules: Sequence[ChunkRule]
    formed: dict[int, Formed] = field(default_factory=dict)
    followers: dict[int, list[Job]] = field(default_factory=dict)

    def claim(self, going: Going, claim_once: ClaimOnce) -> Dialogue[LimitedClaim]:
        """Lease jobs and chunks.

        Args:
            going: The claim.
            claim_once: Leases jobs, chunks' first ones among them, as far as the limits allow it.
        """
        least = window = first_window(self.rules, going.wanted)
        now = going.row.now.timestamp()
        rest = max(going.sweep.get("wide_at", 0.0) - now, 0.0)
        while True:
            sight = yield from self._look(going, window)
            known = len(going.taken)
            claimed = yield from claim_once(going)
            yield from self._join(going, known)
            if window > least and len(going.taken) > known:  # it was worth it
                del going.sweep["wide_at"]
                yield going.statements.keep(going.queue, going.cursors, going.sweep)
            wider = next_window(window, sight)
            if wider is None or going.left <= 0 or rest > 0.0:
                break
            window = wider
            going.sweep["wide_at"] = now + window * _REST
        if len(claimed.jobs) < len(going.taken):  # an earlier look has found others
            claimed = replace(claimed, jobs=[one.job for one in going.taken])
        delays = [claimed.delay, sight.delay, rest if wider is not None else None]
        delay = min((seconds for seconds in delays if seconds is not None), default=None)
        return replace(claimed, delay=delay if going.left > 0 else None, followers=self.followers)

    def _look(self, going: Going, window: int) -> Dialogue[Sight]:
        """Find the chunks that can be claimed: of a queue with partitions all of them."""
        limit = going.left if going.limits.partition is None else _ALL
        sight: Sight = yield self.statements.look(going.queue, window, limit, self.rules)
        self.formed = {chunk.ids[0]: chunk for chunk in sight.chunks}
        names = [name for rule in self.rules for name in rule.names]
        going.chunked = Chunked(names, list(self.formed))
        return sight

    def _join(self, going: Going, known: int) -> Dialogue[None]:
        """Lease the other jobs of the chunks whose first ones have just been leased."""
        followers = [
            Follower(number, head, taken.key)
            for taken in going.taken[known:]
            if (head := taken.job.id) in self.formed
            for number in self.formed[head].ids[1:]
        ]
        if not followers:
            return
        now = going.taken[known].job.attempted_at
        assert now is not None  # noqa: S101  # it was claimed
        joined: list[Job] = yield self.statements.join(going.queue, followers, going.producer, now)
        leased = {job.id: job for job in joined}
        for follower in followers:
            if follower.id in leased:  # else somebody has cancelled it, or holds it
                self.followers.setdefault(follower.head, []).append(leased[follower.id])
