"""How long to wait before the next try."""

from __future__ import annotations

import math
import random

_BASE_SECONDS = 15
_JITTER = 0.1
_STEPS = 20


def retry_delay(attempt: int, max_attempts: int, *, chance: float | None = None) -> int:
    """Return the default delay of a failed job in seconds, the same as the peers'.

    15 + 2^n seconds plus up to ten percent, n being the attempt; where a job has more than twenty
    attempts, n is the attempt's share of them on a scale of twenty.

    Args:
        attempt: The attempt that failed, from 1.
        max_attempts: The job's limit.
        chance: The jitter, 0 to 1; random if not given.

    Example:
        >>> retry_delay(3, 20, chance=0.0)
        23
        >>> retry_delay(50, 100, chance=0.0)
        1039
    """
    share = attempt if max_attempts <= _STEPS else math.floor(attempt / max_attempts * _STEPS + 0.5)
    seconds = _BASE_SECONDS + 2 ** min(max(share, 0), _STEPS)
    jitter = random.random() if chance is None else chance  # noqa: S311
    return int(seconds * (1 + _JITTER * jitter))


class Backoff:
    """Growing, capped, jittered delays of one loop that retries for ever.

    Args:
        first_seconds: The first delay, before jitter.
        cap_seconds: The longest delay, before jitter.

    Example:
        >>> backoff = Backoff(first_seconds=1, cap_seconds=3)
        >>> [math.ceil(backoff.next_seconds()) for _ in range(4)]
        [1, 2, 3, 3]
    """

    def __init__(self, *, first_seconds: float = 0.1, cap_seconds: float = 5.0) -> None:
        self._first = first_seconds
        self._cap = cap_seconds
        self._failures = 0

    def next_seconds(self) -> float:
        """Return the delay after one more failure: 75 to 100 percent of its nominal length."""
        nominal = min(self._cap, self._first * 2 ** min(self._failures, 30))
        self._failures += 1
        return float(nominal * random.uniform(0.75, 1.0))  # noqa: S311

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0
