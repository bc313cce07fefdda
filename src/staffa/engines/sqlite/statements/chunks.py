"""The statements of chunks that differ from PostgreSQL's in more than their texts."""

from __future__ import annotations

from typing import Any

from staffa.chunking import ChunkRule
from staffa.engines.statements import chunks as shared
from staffa.engines.statements.area import Row


class ChunkStatements(shared.ChunkStatements):
    """What is asked of jobs that run together."""

    def describe(self, rule: ChunkRule) -> dict[str, Any]:
        """Return a rule as the look reads it."""
        return {
            "names": rule.names,
            "size": rule.size,
            "timeout": rule.timeout,
            "fields": rule.fields,
        }

    def order(self, row: Row) -> list[int]:
        """Return the ids of a chunk, which come with their places."""
        return [number for _, number in sorted(row["ids"])]
