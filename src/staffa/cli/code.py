"""Compares what the rows ask for with what the code of a project knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staffa import registry
from staffa.cron.stored import StoredCron
from staffa.errors import UnknownWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownName:
    """A worker that rows name and no code here knows.

    Args:
        worker: Its name.
        jobs: How many jobs wait for it.
        crons: The active entries of cron that make jobs of it.
    """

    worker: str
    jobs: int
    crons: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"worker": self.worker, "jobs": self.jobs, "crons": list(self.crons)}


def find_unknown(
    waiting: Mapping[str, int], crons: Sequence[StoredCron], imports: Sequence[str]
) -> list[UnknownName]:
    """Return the workers that are not known here, though imported as the executor would.

    Args:
        waiting: Jobs by worker.
        crons: The entries of cron.
        imports: Packages under which unknown names may be imported.
    """
    active = [entry for entry in crons if entry.active]
    names = sorted({*waiting, *(entry.worker for entry in active)})
    return [
        UnknownName(
            worker=name,
            jobs=waiting.get(name, 0),
            crons=tuple(entry.name for entry in active if entry.worker == name),
        )
        for name in names
        if not _is_known(name, imports)
    ]


def _is_known(name: str, imports: Sequence[str]) -> bool:
    try:
        registry.resolve(name, imports)
    except UnknownWorker:
        return False
    return True
