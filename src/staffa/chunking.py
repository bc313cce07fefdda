"""The contract of chunks: what an engine is told of them, and what it finds.

Claims are verbs of the engine itself; see `staffa.engine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from staffa.jobs import Job


@dataclass(frozen=True, slots=True)
class ChunkRule:
    """When the jobs of a worker run together.

    Args:
        names: The worker's names in rows.
        size: How many run together.
        timeout: For how many seconds the first one waits for others.
        fields: What they have in common.
    """

    names: tuple[str, ...]
    size: int
    timeout: float
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkClaim:
    """What a claim of chunks has found.

    Args:
        chunks: The jobs that it leased, chunk by chunk, the most urgent first.
        others: Whether jobs of other workers wait that are urgent enough to be claimed now.
        delay: Seconds until the next chunk is due; None if only new jobs can make one.
        seen: How many waiting jobs it has looked at.
    """

    chunks: Sequence[tuple[Job, ...]] = field(default_factory=tuple)
    others: bool = False
    delay: float | None = None
    seen: int = 0
