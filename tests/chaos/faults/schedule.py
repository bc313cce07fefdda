"""What goes wrong in a run, and when."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.chaos.faults.fault import Fault


def schedule(
    random: Random, seconds: float, gap: float, faults: Sequence[type[Fault]]
) -> list[tuple[float, Fault]]:
    """Return what goes wrong and when, from the beginning of the run.

    Args:
        random: Decides it all.
        seconds: Until when.
        gap: The mean number of seconds between two.
        faults: Of which kinds; one of each comes first, in any order, then by their weights.
    """
    first = random.sample(faults, len(faults))
    planned = []
    at = random.expovariate(1 / gap)
    while at < seconds:
        kind = first.pop() if first else random.choices(faults, [f.weight for f in faults])[0]
        planned.append((at, kind(Random(random.getrandbits(64)))))
        at += random.expovariate(1 / gap)
    return planned
