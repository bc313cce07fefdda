"""The statements of chunks that differ from PostgreSQL's in more than their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staffa.engines.statements import chunks as shared


class ChunkStatements(shared.ChunkStatements):
    """What is asked of jobs that run together."""

    def order(self, ids: Sequence[Any]) -> list[int]:
        """Return the ids of a chunk, which come with their places."""
        return [number for _, number in sorted(ids)]
