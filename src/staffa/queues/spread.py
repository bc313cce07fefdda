"""Spreads jobs over the nodes: how large a part of them this one takes, and how soon.

Every node that runs a queue is woken when jobs come, and the first to claim would take all. So, as
long as others live (which the heartbeats tell):

- a claim takes 1/n of the free slots of n nodes, rounded up. Where that comes back full, there is
  more than our part, and the next claim takes as much of what is left;
- a node that runs something waits before it claims, for `_SECONDS` times the part of its slots that
  is taken, and a random quarter more or less: the less a node has to do, the sooner it takes more.
  One that is idle never waits;
- when two such claims in a row came back full, all free slots are claimed at once; when that came
  back full, too, there is a backlog, and until a claim comes back short nothing is waited for.

Of nine jobs for three idle nodes with ten slots each, each takes four at most, in whatever order
they come; only a node that is slower than the others' waits gets less than its part. A backlog
keeps all slots of all nodes full, and so is shared as these are. It costs a node three claims and
about a tenth of a second to get there; one that is alone claims all at once, always.

The wait is measured from the last claim or, of a queue that had none to do, from the wake-up. It is
looked at again whenever a job ends, so a node that becomes idle meanwhile claims at once.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from staffa._internal.clock import Clock

_SECONDS = 0.05
_SHARED_CLAIMS = 2


class Spread:
    """What a queue leaves to other nodes.

    Args:
        peers: Returns how many other nodes live.
        clock: Measures the waits.
        stretch: Returns by what a wait is multiplied.
    """

    def __init__(
        self,
        peers: Callable[[], int],
        clock: Clock,
        stretch: Callable[[], float] = lambda: random.uniform(0.75, 1.25),  # noqa: S311
    ) -> None:
        self._peers = peers
        self._clock = clock
        self._stretch = stretch
        self._full_claims = 0
        self._waiting = False
        self._since = -math.inf
        self._seconds = 0.0

    def part(self, free: int) -> int:
        """Return how many of so many free slots are claimed."""
        if self._full_claims >= _SHARED_CLAIMS:
            return free
        return -(-free // (1 + self._peers()))

    def wait(self, load: float) -> float:
        """Return how many seconds are left until a node of some load claims; 0 if none are."""
        left = 0.0
        if load > 0.0 and self._full_claims <= _SHARED_CLAIMS and self._peers():
            left = self._since + self._seconds * min(load, 1.0) - self._clock.monotonic()
        self._waiting = left > 0.0
        return max(left, 0.0)

    def woken(self) -> None:
        """Note a wake-up; those that come while one is waited for make it no longer."""
        if not self._waiting and not self._full_claims:
            self._begin()

    def waited(self) -> None:
        """Note that a wait is over, whatever the clock says: in tests it may stand still."""
        self._since = -math.inf

    def claimed(self, *, full: bool) -> None:
        """Note a claim, and whether it has found as many jobs as it asked for."""
        self._full_claims = min(self._full_claims + 1, _SHARED_CLAIMS + 1) if full else 0
        self._waiting = False
        self._begin()

    def _begin(self) -> None:
        self._since = self._clock.monotonic()
        self._seconds = _SECONDS * self._stretch()
