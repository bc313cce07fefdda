"""What is used of limits, for people to look at: nothing is locked."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.engines.limited.going import of_all, of_each
from staffa.engines.limited.steps import Steps
from staffa.engines.statements.limited import Busy, Seen
from staffa.engines.statements.limits import LimitStatements
from staffa.limiting import LimitUse, PartitionUse
from staffa.limits import Limits
from staffa.rates import Meter, to_micros


def read_uses(
    statements: LimitStatements, queues: Sequence[str] | None, partitions: int
) -> Steps[list[LimitUse]]:
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
    return LimitUse(
        queue,
        limits,
        seen.running,
        None if whole is None else Meter.read(whole, seen.meter, now).available,
        [
            PartitionUse(
                one.key.partition(":")[2],
                one.running,
                None if each is None else Meter.read(each, one.meter, now).available,
            )
            for one in busy
        ],
    )
