"""What is used of limits, for people to look at: nothing is locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staffa.dialogues import Dialogue
from staffa.engines.limited.going import of_all, of_each
from staffa.engines.statements.limited import Busy, Seen
from staffa.engines.statements.limits import LimitStatements
from staffa.limiting import LimitUse, PartitionUse
from staffa.limits import Limits, RateLimit
from staffa.rates import Meter, to_micros


def read_uses(
    statements: LimitStatements, queues: Sequence[str] | None, partitions: int
) -> Dialogue[list[LimitUse]]:
    """Read the limits of queues, or of all, with what up to so many partitions use of them."""
    known: dict[str, Limits] = yield statements.list_limits(queues)
    uses = []
    for queue, limits in known.items():
        seen: Seen = yield statements.look(queue, counted=True, node=None)
        busy: Sequence[Busy] = ()
        if partitions and limits.partition is not None:
            busy = yield statements.find_busy(queue, limits.partition, partitions)
        uses.append(_use(queue, limits, seen, busy))
    return uses


def _use(queue: str, limits: Limits, seen: Seen, busy: Sequence[Busy]) -> LimitUse:
    now = to_micros(seen.now)
    whole, each = of_all(limits.rate_limit), of_each(limits.rate_limit)
    available, delay = _left(whole, seen.meter, now)
    return LimitUse(
        queue,
        limits,
        seen.running,
        available,
        [
            PartitionUse(one.key.partition(":")[2], one.running, *_left(each, one.meter, now))
            for one in busy
        ],
        delay,
    )


def _left(
    rate: RateLimit | None, meter: Mapping[str, Any] | None, now: int
) -> tuple[int | None, float | None]:
    """Return the tokens that are left, and the seconds until there is one."""
    if rate is None:
        return None, None
    found = Meter.read(rate, meter, now)
    return found.available, found.delay(1)
