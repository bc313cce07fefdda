"""What a client says of its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


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
