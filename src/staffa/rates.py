"""What was spent of a rate limit, and when there is more: arithmetic on the database's time.

A meter is stored as JSON and read by whoever holds the queue's row. Times are whole microseconds,
so that nothing is lost in rounding. A sliding window counts starts in 60 buckets a period, the one
that is partly over in full: at no time are more than allowed within a period, and what is spent
comes back at most a sixtieth of the period late. A clock that went back counts as standing still.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from staffa.limits import RateLimit

BUCKETS = 60
_SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """Return the microseconds since 1970.

    Example:
        >>> to_micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
        1000000
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Meter:
    """What was spent of a rate limit at a moment.

    Args:
        rate: The limit.
        now: The moment, in microseconds since 1970.
        buckets: The tokens spent in each bucket of a window that still counts.
        missing: The tokens that a bucket of tokens lacks to be full.

    Example:
        >>> meter = Meter.read(RateLimit(3, period=60), None, 0).spend(2)
        >>> meter.available, meter.delay(1), meter.delay(2)
        (1, 0.0, 61.0)
    """

    rate: RateLimit
    now: int
    buckets: Mapping[int, int]
    missing: float

    @classmethod
    def read(cls, rate: RateLimit, stored: Mapping[str, Any] | None, now: int) -> Self:
        """Return a meter as it was stored, at a later moment.

        What was stored under another algorithm or period counts as spent now, unless it is older
        than the period.
        """
        stored = stored or {}
        buckets = {int(place): int(spent) for place, spent in stored.get("buckets", {}).items()}
        missing, then = float(stored.get("missing", 0.0)), int(stored.get("at", now))
        now = max(now, then)
        if stored and stored.get("kind") != _kind(rate):
            spent = sum(buckets.values()) + math.ceil(missing)
            spent = spent if now - then < rate.seconds * _SECOND else 0
            return cls(rate, now, {}, 0.0).spend(spent) if spent else cls(rate, now, {}, 0.0)
        if rate.algorithm == "token_bucket":
            missing -= (now - then) / _SECOND * rate.allowed / rate.seconds
            return cls(rate, now, {}, max(missing, 0.0))
        oldest = _place(rate, now) - _kept(rate)
        counting = {place: spent for place, spent in buckets.items() if place >= oldest}
        return cls(rate, now, counting, 0.0)

    @property
    def available(self) -> int:
        """The tokens that are left."""
        if self.rate.algorithm == "token_bucket":
            return max(math.floor(self.rate.allowed - self.missing + 1e-9), 0)
        return max(self.rate.allowed - sum(self.buckets.values()), 0)

    def spend(self, count: int) -> Self:
        """Return the meter after so many tokens were spent."""
        if self.rate.algorithm == "token_bucket":
            return type(self)(self.rate, self.now, {}, self.missing + count)
        place = _place(self.rate, self.now)
        buckets = {**self.buckets, place: self.buckets.get(place, 0) + count}
        return type(self)(self.rate, self.now, buckets, 0.0)

    def delay(self, count: int) -> float:
        """Return the seconds until there are so many tokens; at most as many as are allowed."""
        count = min(count, self.rate.allowed)
        if self.available >= count:
            return 0.0
        if self.rate.algorithm == "token_bucket":
            lacking = self.missing + count - self.rate.allowed
            return lacking * self.rate.seconds / self.rate.allowed
        lacking = sum(self.buckets.values()) + count - self.rate.allowed
        for place in sorted(self.buckets):
            lacking -= self.buckets[place]
            if lacking <= 0:
                break
        back_at = _beginning(self.rate, place + _kept(self.rate) + 1)
        return max(back_at - self.now, 0) / _SECOND

    def as_json(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            "kind": _kind(self.rate),
            "at": self.now,
            "buckets": {str(place): spent for place, spent in self.buckets.items()},
            "missing": self.missing,
        }


def _kind(rate: RateLimit) -> str:
    return f"{rate.algorithm}:{rate.seconds:.15g}"


def _kept(rate: RateLimit) -> int:
    """Return how many buckets before the present one still count."""
    return BUCKETS if rate.algorithm == "sliding_window" else 0


def _per_period(rate: RateLimit) -> int:
    return BUCKETS if rate.algorithm == "sliding_window" else 1


def _place(rate: RateLimit, moment: int) -> int:
    """Return the number of the bucket that a moment is in."""
    return moment * _per_period(rate) // round(rate.seconds * _SECOND)


def _beginning(rate: RateLimit, place: int) -> int:
    """Return the moment at which a bucket begins."""
    return -(-place * round(rate.seconds * _SECOND) // _per_period(rate))
