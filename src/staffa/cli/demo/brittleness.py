"""How a brittle third party treats its callers: a policy without sockets, sleeping or threads.

Invariants: every request ends in exactly one decision, so `requests` is the sum of `served`,
`refused`, `failed` and `dropped`; refused requests don't count towards the window, else eager
callers would lock themselves out for good; the n-th admitted request has the same luck for the same
seed, whatever was refused before. Not thread-safe: the server asks under its lock.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class BrittlenessSettings:
    """What the server bears and how often it breaks.

    Args:
        requests_per_window: More requests than these in any window are refused.
        window_seconds: Length of the sliding window.
        failure_probability: Share of the admitted requests that fail, from 0 to 1.
        slow_probability: Share of the admitted requests that are slow, from 0 to 1.
        slow_seconds: How long a slow request waits for its reply.
        outage_after_served: The server goes down once after so many pages; None for never.
        outage_seconds: How long it stays down.
        seed: Same seed, same luck.

    Raises:
        ConfigError: A value is out of range.
    """

    requests_per_window: int = 25
    window_seconds: float = 1.0
    failure_probability: float = 0.05
    slow_probability: float = 0.05
    slow_seconds: float = 1.0
    outage_after_served: int | None = 120
    outage_seconds: float = 5.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.requests_per_window < 1:
            _refuse("requests_per_window", self.requests_per_window, "use 1 or more")
        if self.outage_after_served is not None and self.outage_after_served < 0:
            _refuse("outage_after_served", self.outage_after_served, "use 0 or more, or None")
        for name in ("failure_probability", "slow_probability"):
            if not 0 <= getattr(self, name) <= 1:
                _refuse(name, getattr(self, name), "use a share from 0 to 1")
        for name in ("window_seconds", "slow_seconds", "outage_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                _refuse(name, getattr(self, name), "use a number of seconds above 0")


@dataclass(frozen=True, slots=True)
class Serve:
    """Serve the page, after a delay if the request is a slow one."""

    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Too many requests: the window has room again after so many seconds."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Break with an internal error."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The outage: close the connection without a reply; it lasts so many seconds more."""

    remaining_seconds: float


Decision = Serve | Refuse | Fail | Drop


@dataclass(slots=True)
class Counts:
    """What became of the requests so far; `slow` ones are among those served."""

    requests: int = 0
    served: int = 0
    refused: int = 0
    failed: int = 0
    dropped: int = 0
    slow: int = 0
    outages: int = 0


class Brittleness:
    """Decides the fate of one request after the other.

    Args:
        settings: What the server bears and how often it breaks.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self, settings: BrittlenessSettings, *, clock: Callable[[], float] = SYSTEM_CLOCK.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._luck = random.Random(settings.seed)  # noqa: S311 - luck to be repeated, no secret
        self._admitted_at_seconds: deque[float] = deque()
        self._down_until_seconds: float | None = None
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        """A copy of the counts as they are now."""
        return replace(self._counts)

    def decide(self) -> Decision:
        """Decide on a request that arrives now, and count it."""
        now_seconds = self._clock()
        self._counts.requests += 1
        self._begin_outage_when_due(now_seconds)
        if self._down_until_seconds is not None and now_seconds < self._down_until_seconds:
            self._counts.dropped += 1
            return Drop(self._down_until_seconds - now_seconds)
        retry_after_seconds = self._seconds_until_room(now_seconds)
        if retry_after_seconds > 0:
            self._counts.refused += 1
            return Refuse(retry_after_seconds)
        self._admitted_at_seconds.append(now_seconds)
        return self._draw()

    def _begin_outage_when_due(self, now_seconds: float) -> None:
        due_after = self._settings.outage_after_served
        if self._counts.outages or due_after is None or self._counts.served < due_after:
            return
        self._counts.outages = 1
        self._down_until_seconds = now_seconds + self._settings.outage_seconds

    def _seconds_until_room(self, now_seconds: float) -> float:
        admitted, window_seconds = self._admitted_at_seconds, self._settings.window_seconds
        while admitted and admitted[0] + window_seconds <= now_seconds:
            admitted.popleft()
        if len(admitted) < self._settings.requests_per_window:
            return 0.0
        return admitted[0] + window_seconds - now_seconds

    def _draw(self) -> Serve | Fail:
        # Both numbers are drawn every time, or a change of one probability would change all luck.
        failure, slowness = self._luck.random(), self._luck.random()
        if failure < self._settings.failure_probability:
            self._counts.failed += 1
            return Fail()
        self._counts.served += 1
        if slowness < self._settings.slow_probability:
            self._counts.slow += 1
            return Serve(self._settings.slow_seconds)
        return Serve()


def _refuse(name: str, value: object, remedy: str) -> None:
    raise ConfigError(f"{name} can't be {value!r}: {remedy}")
