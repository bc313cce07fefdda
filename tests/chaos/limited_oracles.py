"""Oracles of limits: exact at every moment, whoever was killed.

Claims under limits wait for each other, and a change takes its place before it is committed: so all
that a claim has seen to be over lies before it, and may be counted in the order of places.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.chaos.history import History


@dataclass(frozen=True, slots=True)
class AtOnce:
    """No more jobs of a worker run at once than are allowed.

    Args:
        worker: Its name.
        allowed: How many; with an arg, of each of its values.
        arg: The name of the arg that divides them; jobs that don't have it are not judged.
    """

    worker: str
    allowed: int
    arg: str | None = None

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        running: dict[int, str] = {}
        counts: Counter[str] = Counter()
        wrong = []
        for change in history.changes:
            if change.worker != self.worker or (self.arg and self.arg not in change.args):
                continue
            if (key := running.pop(change.job, None)) is not None:
                counts[key] -= 1
            if change.after is None or change.after.state != "executing":
                continue
            key = "" if self.arg is None else str(change.args[self.arg])
            running[change.job] = key
            counts[key] += 1
            if counts[key] > self.allowed:
                whose = f" of {key}" if key else ""
                wrong.append(f"{counts[key]} jobs{whose} ran at once at {change.at}")
        return wrong


@dataclass(frozen=True, slots=True)
class InATime:
    """No more jobs of a worker start within a time than are allowed, by the rows' own times.

    Args:
        worker: Its name.
        allowed: How many.
        period: Within so many seconds, wherever these begin.
    """

    worker: str
    allowed: int
    period: float

    def __call__(self, history: History) -> list[str]:
        """Judge."""
        starts = sorted(
            tenure.lease.attempted_at
            for tenure in history.tenures
            if tenure.claim.worker == self.worker
        )
        return [
            f"{self.allowed + 1} jobs started between {first} and {last}"
            for first, last in zip(starts, starts[self.allowed :], strict=False)
            if (last - first).total_seconds() < self.period
        ]
