"""What an adoption would do, and what to know before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from staffa.adoption import FoundTable, Neighbours, Origin
from staffa.cli.output import tell_seconds
from staffa.config import Config
from staffa.steps import Addition
from staffa.upkeep import Pruner

_LONG_TRANSACTION_SECONDS = 60.0
_RESCUES_AFTER = {Origin.ELIXIR: "60 minutes", Origin.PYTHON: "5 minutes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is found, and what is to be done.

    Args:
        origin: Whose table it is.
        found: The table.
        neighbours: Who works on it.
        additions: What would be added.
        notes: What to know before.
    """

    origin: Origin
    found: FoundTable
    neighbours: Neighbours
    additions: Sequence[Addition]
    notes: Sequence[str]


def note(config: Config, origin: Origin, found: FoundTable) -> list[str]:
    """Return what to know before an adoption."""
    pruner = config.pruner
    notes = []
    if pruner is not None:
        notes.append(
            "workers of Staffa prune finished jobs, those of others too, by the setting pruner: "
            f"{_tell_pruner(pruner)}"
        )
    notes.append(
        f"{origin.maker} gives up running jobs by their age, ours too, by default after "
        f"{_RESCUES_AFTER[origin]}: set its lifeline's age above that of your longest job"
    )
    if found.oldest_transaction > _LONG_TRANSACTION_SECONDS:
        notes.append(
            f"a transaction has been open for {tell_seconds(found.oldest_transaction)}: the "
            "building of indexes waits for it, and is given up after some minutes"
        )
    return notes


def _tell_pruner(pruner: Pruner) -> str:
    ages = {
        "completed": pruner.completed,
        "cancelled": pruner.cancelled,
        "discarded": pruner.discarded,
    }
    return ", ".join(f"{state} {_tell_age(age)}" for state, age in ages.items())


def _tell_age(age: Any) -> str:
    if age is None:
        return "never"
    seconds = age.total_seconds() if hasattr(age, "total_seconds") else float(age)
    return f"after {tell_seconds(seconds)}"
