"""Bounded polling, for what other processes do and nobody announces."""

from __future__ import annotations

import time
from collections.abc import Iterator

from staffa._internal.clock import SYSTEM_CLOCK


def attempts(seconds: float, *, pause: float = 0.01) -> Iterator[None]:
    """Yield at once, then after every pause, until the time is up.

    Args:
        seconds: How long to go on; there is always at least one attempt.
        pause: Seconds between two attempts.

    Example:
        >>> sum(1 for _ in attempts(0))
        1
    """
    end = SYSTEM_CLOCK.monotonic() + seconds
    yield
    while SYSTEM_CLOCK.monotonic() < end:
        time.sleep(pause)
        yield
