"""What is asked about health, and what a client says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement.

    Args:
        reasons: Why it is bad; none if it is good.
        details: What it was judged by, as JSON.
    """

    reasons: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class Vitals(Protocol):
    """Judges a client; called on the thread of the health port."""

    def alive(self, longest_block: float | None) -> Verdict:
        """Tell whether the process does what only a new one could mend otherwise.

        Args:
            longest_block: For how many seconds the event loop may be blocked; None for ever.
        """

    def ready(self) -> Verdict:
        """Tell whether jobs can be claimed and run now."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a probe asks.

    Args:
        word: Whether the process is alive, or ready.
        longest_block: For how many seconds the event loop of one that is alive may be blocked; None
            for ever.
    """

    word: Literal["alive", "ready"]
    longest_block: float | None = None

    def put_to(self, clients: Mapping[str, Vitals]) -> Verdict:
        """Return what all clients of a process say, by name."""
        found = {name: self._ask(vitals) for name, vitals in clients.items()}
        return Verdict(
            [f"{name}: {why}" for name, verdict in found.items() for why in verdict.reasons],
            {"clients": {name: dict(verdict.details) for name, verdict in found.items()}},
        )

    def _ask(self, vitals: Vitals) -> Verdict:
        return vitals.alive(self.longest_block) if self.word == "alive" else vitals.ready()
