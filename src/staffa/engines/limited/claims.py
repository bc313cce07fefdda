"""Claims: from a queue without partitions by urgency, else from its partitions in turns."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from staffa.dialogues import Dialogue
from staffa.engine import Producer
from staffa.engines.limited.going import Going
from staffa.engines.limited.members import InChunks
from staffa.engines.limited.turns import Turns
from staffa.engines.statements.limited import Catch, Locked, Ring
from staffa.engines.statements.limits import LimitStatements
from staffa.limiting import LimitedClaim
from staffa.limits import Limits


def claim(
    statements: LimitStatements,
    queue: str,
    limit: int,
    producer: Producer,
    limits: Limits,
    in_chunks: InChunks | None = None,
    learn: Callable[[Going], None] | None = None,
) -> Dialogue[LimitedClaim]:
    """Lease available jobs of a queue as far as its limits allow it, some of them in chunks.

    Args:
        statements: The engine's statements.
        queue: The queue.
        limit: How many jobs are wanted.
        producer: Who leases.
        limits: What the node is configured with, should the database know of no limits.
        in_chunks: The chunks, if there are workers for them.
        learn: Told of the claim when it has come to its end.
    """
    row: Locked | None = yield statements.lock(queue)
    if row is None:
        yield statements.configure({queue: limits})
        row = yield statements.lock(queue)
        assert row is not None  # noqa: S101  # it was written in this transaction
    going = Going(statements, queue, limit, producer, row)
    if in_chunks is not None:
        return (yield from in_chunks.claim(going, _claim_once))
    claimed = yield from _claim_once(going)
    if learn is not None:
        learn(going)
    return claimed


def _claim_once(going: Going) -> Dialogue[LimitedClaim]:
    partition = going.limits.partition
    if partition is not None:
        return (yield from Turns(going, Ring(going.queue, partition)).claim())
    return (yield from _claim_by_urgency(going))


def _claim_by_urgency(going: Going) -> Dialogue[LimitedClaim]:
    strays = yield from going.count_strays()
    whole = yield from going.look(sum(strays.values()))
    room = min(going.wanted, whole.room)
    if room > 0:
        catch: Catch = yield going.statements.take_flat(
            going.queue,
            room,
            tokens=None if whole.meter is None else whole.tokens,
            now=whole.now,
            producer=going.producer,
            weights=going.weights,
            chunked=going.chunked,
        )
        yield from going.note_taken(whole, catch.taken)
    if going.left > 0 and (whole.slots <= 0 or whole.meter is not None):
        # Either nothing waits, or what does is held back.
        weight: int | None = yield going.statements.weigh_head(
            going.queue, going.weights, going.chunked
        )
        going.short = weight is not None and whole.slots <= 0
        if weight is not None and whole.slots > 0 and whole.meter is not None:
            delay = whole.meter.delay(weight)
            if delay > 0:
                going.wait_for(delay)
    in_order = sorted(going.taken, key=attrgetter("urgency"))
    return (yield from going.finish(one.job for one in in_order))
