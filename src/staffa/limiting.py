"""The contract of limits of all nodes: how they are written, used and looked at.

A claim under limits is a verb of the engine itself; see `staffa.engine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from staffa.jobs import Job
from staffa.limits import Limits


@dataclass(frozen=True, slots=True)
class LimitedClaim:
    """What a claim under limits has found.

    Args:
        jobs: What it leased.
        delay: Seconds after which more can be claimed though nothing else happens: when a token
            comes back, or 0 where it has not looked at all partitions. None if only new jobs or
            the end of running ones can change anything.
        short: Whether jobs wait that a limit holds back, so that the end of a running one matters.
        followers: The other jobs of a chunk, by the id of its first, which is among `jobs`.
    """

    jobs: list[Job]
    delay: float | None = None
    short: bool = False
    followers: Mapping[int, Sequence[Job]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartitionUse:
    """What a partition uses of its limits.

    Args:
        key: The values that it stands for, as JSON; empty for the queue as a whole.
        running: How many of its jobs run, as far as there is a global limit.
        available: The tokens that are left, where there is a rate limit.
        delay: Seconds until there is a token, 0 if there is one now, where there is a rate limit.
    """

    key: str
    running: int
    available: int | None
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class LimitUse:
    """The limits of a queue, as all nodes obey them, and what is used of them.

    Args:
        queue: The queue.
        limits: What the node that started last has told.
        running: How many jobs run under them.
        available: The tokens that are left of a rate limit without a partition, else None.
        partitions: Those with running jobs or spent tokens, the busiest first, up to a limit.
        delay: Seconds until there is a token of a rate limit without a partition, 0 if there is
            one now, else None.
    """

    queue: str
    limits: Limits
    running: int
    available: int | None
    partitions: Sequence[PartitionUse] = ()
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What was taken of a rate limit.

    Args:
        taken: How many tokens.
        available: How many are left.
        allowed: How many there are at most.
        delay: Seconds until what was asked for, and not taken, can be there.
    """

    taken: int
    available: int
    allowed: int
    delay: float = 0.0


class Limiting(Protocol):
    """Keeps the limits of queues."""

    async def configure_limits(self, limits: Mapping[str, Limits]) -> None:
        """Write the limits of queues: from now on every claim under limits obeys these."""

    async def notice_partitions(self) -> None:
        """Have jobs get the keys of their partitions when they are written, if queues have any."""

    @property
    def knows_partitions(self) -> bool:
        """Whether it has noticed some, or has looked for them a short while ago."""

    async def read_limits(
        self, queues: Sequence[str] | None = None, *, partitions: int = 0
    ) -> list[LimitUse]:
        """Read the limits of queues, or of all, with what up to so many partitions use of them."""

    async def take_tokens(
        self,
        queue: str,
        count: int,
        *,
        partition: Mapping[str, Any] | None = None,
        partly: bool = False,
    ) -> Tokens | None:
        """Take tokens of a queue's rate limit; None if it has none.

        Args:
            queue: The queue.
            count: How many; 0 only looks.
            partition: The values of the partition's fields, where the rate limit has a partition.
            partly: Whether fewer are taken where there are not as many; else none are.
        """

    async def reset_tokens(self, queue: str, *, partition: Mapping[str, Any] | None = None) -> None:
        """Give all tokens back to a queue's rate limit, or to one of its partitions."""

    async def forget_limits(self, *, age: float) -> int:
        """Forget limits that no claim and no start of a node has used for an age in seconds.

        Those are kept that a living process may have, and those of which tokens are still spent.
        """
