"""Counts many values in few bins, so that quantiles can be told of them within two percent.

A DDSketch: the bounds of the bins grow by a constant factor. The error is that of the dashboards
that merge such sketches, so it can't be chosen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

RELATIVE_ERROR = 0.02
_LOG_GAMMA = math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
_LEAST = 1.0


class Sketch:
    """Whole numbers of one or more; what is less counts as one.

    Example:
        >>> sketch = Sketch()
        >>> for nanoseconds in (55_000, 55_100, 3_000_000_000):
        ...     sketch.add(nanoseconds)
        >>> sketch.as_payload()
        {'data': {'273': 2, '546': 1}, 'size': 3}
    """

    __slots__ = ("_bins", "_size")

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self._size = 0

    def add(self, value: float) -> None:
        """Count a value."""
        self.add_many([value])

    def add_many(self, values: Sequence[float]) -> None:
        """Count values."""
        if not values:
            return
        counts = {_bin_of(max(values)): len(values)}
        if _bin_of(min(values)) not in counts:  # times that jobs of one claim have waited are alike
            log, ceil, gamma = math.log, math.ceil, _LOG_GAMMA
            counts = Counter(
                [ceil(log(value) / gamma) if value > _LEAST else 0 for value in values]
            )
        for number, count in counts.items():
            self._bins[number] = self._bins.get(number, 0) + count
        self._size += len(values)

    def as_payload(self) -> dict[str, Any]:
        """Return the counts by bin, and their sum."""
        return {
            "data": {str(number): count for number, count in self._bins.items()},
            "size": self._size,
        }


def _bin_of(value: float) -> int:
    return math.ceil(math.log(value) / _LOG_GAMMA) if value > _LEAST else 0
