"""Notes of those who enqueue, cancel and kill: lines of a file that outlive whoever wrote them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.history import Note


class Notebook:
    """A file that lines are added to, whole whoever else writes and whoever is killed.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, kind: str, **data: Any) -> None:
        """Add a note."""
        line = json.dumps({"kind": kind, "at": datetime.now(UTC).isoformat(), **data})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    def read(self) -> list[Note]:
        """Return all notes so far."""
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        return [_note(json.loads(line)) for line in lines]


def _note(data: dict[str, Any]) -> Note:
    return Note(data.pop("kind"), datetime.fromisoformat(data.pop("at")), data)
