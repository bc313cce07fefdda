"""What claims of chunks do, statement by statement, whichever engine runs them.

A look tells which chunks could be claimed, and locks nothing. The claim is one statement, which
takes each of them that still is as it was seen; what others hold or have taken meanwhile is left.

Invariant: whatever waits, a chunk is found as long as there are slots for it. A look begins with
the next few jobs of the queue, and goes over more and more of them while what it has found is not
enough: only jobs that wait for others of their chunk are passed by, as the slots would be filled
with any others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from staffa._internal.kill_points import boundaries
from staffa.chunking import ChunkClaim, ChunkRule
from staffa.dialogues import Dialogue, hold
from staffa.engine import Producer
from staffa.engines.statements.chunks import ChunkStatements, Formed, Sight
from staffa.engines.transacting import Transacting
from staffa.jobs import Job
from staffa.telemetry import observed

T = TypeVar("T")

_LEAST_WINDOW = 1_000
_CHUNKS_IN_WINDOW = 20
_LARGEST_WINDOW = 200_000  # PostgreSQL takes some microseconds for each job of it
_WIDER = 8


@observed("staffa.engine")
@boundaries
class ChunkVerbs(Transacting):
    """The base of engines that have these methods."""

    _chunks: ChunkStatements

    async def claim_chunks(
        self, queue: str, limit: int, producer: Producer, rules: Sequence[ChunkRule]
    ) -> ChunkClaim:
        """Lease chunks that are full or due."""
        return await hold(_claim(self._chunks, queue, limit, producer, rules), self._change)


def _claim(
    statements: ChunkStatements,
    queue: str,
    limit: int,
    producer: Producer,
    rules: Sequence[ChunkRule],
) -> Dialogue[ChunkClaim]:
    sight = yield from _look(statements, queue, limit, rules)
    others = sight.others > 0 or sight.seen >= _LARGEST_WINDOW  # they may be behind it
    if not sight.chunks:
        return ChunkClaim((), others, sight.delay, sight.seen)
    jobs: list[Job] = yield statements.claim(queue, sight.chunks, producer)
    chunks = _gather(sight.chunks, jobs)
    missed = len(chunks) < len(sight.chunks)  # others were at them: what is left may do as well
    return ChunkClaim(chunks, others, 0.0 if missed else sight.delay, sight.seen)


def _look(
    statements: ChunkStatements, queue: str, limit: int, rules: Sequence[ChunkRule]
) -> Dialogue[Sight]:
    """Look for up to so many chunks, at as many jobs as that takes."""
    window: int | None = first_window(rules, limit)
    while True:
        assert window is not None  # noqa: S101
        sight: Sight = yield statements.look(queue, window, limit, rules)
        enough = len(sight.chunks) + sight.others >= limit
        whole = all(chunk.full for chunk in sight.chunks)  # else it may have more jobs behind
        wider = next_window(window, sight)
        if (enough and whole) or wider is None:
            return sight
        window = wider


def first_window(rules: Sequence[ChunkRule], limit: int) -> int:
    """Return how many jobs to look at for up to so many chunks."""
    largest = max(rule.size for rule in rules)
    return min(max(_LEAST_WINDOW, _CHUNKS_IN_WINDOW * largest, 2 * limit), _LARGEST_WINDOW)


def next_window(window: int, sight: Sight) -> int | None:
    """Return how many to look at if those were not enough; None if there are no more."""
    if sight.seen < window or window >= _LARGEST_WINDOW:
        return None
    return min(window * _WIDER, _LARGEST_WINDOW)


def _gather(formed: Sequence[Formed], jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    """Return jobs by the chunks that they were leased for, in the order of these."""
    leased = {job.id: job for job in jobs}
    chunks = (tuple(leased[n] for n in chunk.ids if n in leased) for chunk in formed)
    return [chunk for chunk in chunks if chunk]
