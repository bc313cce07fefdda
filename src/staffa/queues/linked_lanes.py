"""Writes the outcomes of jobs of flows on several connections at once.

What follows from an outcome may take long, as where a thousand steps wait for it: those of other
flows are written meanwhile.

Invariant: flows with one root have one lane as soon as the root is known, so that lanes don't wait
for each other's locks; until then the flow stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staffa.memberships import named_flows
from staffa.queues.linked_acker import LinkedAcker
from staffa.queues.outcomes import Ended

_MOST_ROOTS = 10_000


class LinkedLanes:
    """What writes them.

    Args:
        make: Makes what writes on one connection, with the roots of flows that it takes note of.
        count: How many of them there are.
    """

    def __init__(self, make: Callable[[dict[str, str]], LinkedAcker], count: int) -> None:
        self._roots: dict[str, str] = {}
        self._lanes = [make(self._roots) for _ in range(count)]

    def submit(self, outcome: Ended) -> None:
        """Have an outcome written."""
        try:
            flows = named_flows(outcome.job.meta)
        except ValueError:  # it can't be decoded: any lane will do
            flows = ()
        self._lane_of(flows[0] if flows else "").submit(outcome)

    def waiting(self) -> list[Sequence[Ended]]:
        """Return the outcomes that are to be written next, those of each lane apart."""
        return [some for lane in self._lanes for some in lane.waiting()]

    def unwritten(self) -> list[Ended]:
        """Return the outcomes that are not known to be stored."""
        return [ended for lane in self._lanes for ended in lane.unwritten()]

    async def flush(self) -> None:
        """Return once everything submitted so far, and since, is written."""
        for lane in self._lanes:
            await lane.flush()

    async def start(self) -> None:
        """Start them."""
        for lane in self._lanes:
            await lane.start()

    async def stop(self) -> None:
        """Stop them."""
        for lane in self._lanes:
            await lane.stop()

    def _lane_of(self, flow: str) -> LinkedAcker:
        if len(self._roots) > _MOST_ROOTS:
            self._roots.clear()
        return self._lanes[hash(self._roots.get(flow, flow)) % len(self._lanes)]
