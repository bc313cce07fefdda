"""What the builders have in common: their texts, and the simplest of decoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staffa._internal.sql import load_sql

Rows = Sequence[Mapping[str, Any]]


class Area:
    """The statements of one folder of ``sql/``, for one schema.

    Args:
        prefix: The schema.
    """

    folder: str

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def text(self, verb: str) -> str:
        """Return the text of a verb's file."""
        return load_sql("staffa.engines.postgres", f"sql/{self.folder}/{verb}.sql", self._prefix)


def count(rows: Rows) -> int:
    """Return how many rows came back."""
    return len(rows)


def any_row(rows: Rows) -> bool:
    """Tell whether a row came back."""
    return bool(rows)
