"""Chunks under limits: the first job of a chunk is claimed as any other, and the rest joins it.

A chunk counts as one job that runs, and as one start of the weight of its first job. All of its
jobs have the key of the first one's partition, and are marked with its id, by which what counts
running jobs counts them once, for as long as any of them runs. They are looked for while the row of
the limits is held, so that claims under limits see none that others have taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from staffa.chunking import ChunkRule
from staffa.engines.chunks import look
from staffa.engines.limited.going import Going
from staffa.engines.statements.chunks import ChunkStatements, Follower, Formed
from staffa.engines.statements.limited import Chunked
from staffa.engines.steps import Steps
from staffa.jobs import Job
from staffa.limiting import LimitedClaim

_WINDOW = 20_000
_ALL = 100_000


@dataclass(slots=True)
class InChunks:
    """The chunks of a claim under limits.

    Args:
        statements: The engine's statements.
        rules: Of the workers whose jobs run in chunks.
        formed: The chunks that can be claimed, by their first jobs.
        delay: Seconds until the next one is due.
    """

    statements: ChunkStatements
    rules: Sequence[ChunkRule]
    formed: dict[int, Formed] = field(default_factory=dict)
    delay: float | None = None

    def look(self, going: Going) -> Steps[None]:
        """Find the chunks that can be claimed: all of them, as limits may hold back any."""
        sight = yield from look(self.statements, going.queue, _ALL, self.rules, _WINDOW)
        self.formed = {chunk.ids[0]: chunk for chunk in sight.chunks}
        self.delay = sight.delay
        names = [name for rule in self.rules for name in rule.names]
        going.chunked = Chunked(names, list(self.formed))

    def join(self, going: Going, claimed: LimitedClaim) -> Steps[LimitedClaim]:
        """Lease the other jobs of the chunks whose first ones were leased."""
        if self.delay is not None and going.left > 0:
            delay = self.delay if claimed.delay is None else min(claimed.delay, self.delay)
            claimed = replace(claimed, delay=delay)
        followers = [
            Follower(number, head, taken.key)
            for taken in going.taken
            if (head := taken.job.id) in self.formed
            for number in self.formed[head].ids[1:]
        ]
        if not followers:
            return claimed
        now = going.taken[0].job.attempted_at
        assert now is not None  # noqa: S101  # it was claimed
        joined: list[Job] = yield self.statements.join(going.queue, followers, going.producer, now)
        leased = {job.id: job for job in joined}
        chunks: dict[int, list[Job]] = {}
        for follower in followers:
            if follower.id in leased:  # else somebody has cancelled it, or holds it
                chunks.setdefault(follower.head, []).append(leased[follower.id])
        return replace(claimed, followers=chunks)
