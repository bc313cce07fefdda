"""What a chaos run is made of: scenarios bring jobs, work, faults and oracles of their own.

A feature adds a module with one `Scenario`, and its place in `tests.chaos.scenarios`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import asyncpg

from staffa import Staffa
from tests.chaos.faults import Fault
from tests.chaos.history import History
from tests.chaos.notes import Notebook
from tests.chaos.oracles import Oracle


@dataclass(frozen=True)
class Scene:
    """What those who do the work of a scenario have at hand.

    Args:
        client: A client that only sends.
        dsn: How the client connects; may lead through a proxy.
        prefix: The schema.
        notebook: Where they note what they know.
        random: Theirs alone.
        name: Theirs alone in a run, for tokens.
    """

    client: Staffa
    dsn: str
    prefix: str
    notebook: Notebook
    random: Random
    name: str


class Scenario(Protocol):
    """A kind of work, and what must be true of it."""

    name: str
    module: str
    """What worker processes import: its jobs."""
    queues: Mapping[str, int]
    """What they run, with the limit of each process."""
    settings: Mapping[str, Any]
    """Further settings of theirs."""
    faults: Sequence[type[Fault]]
    """Faults that it adds."""

    async def prepare(self, connection: asyncpg.Connection, prefix: str) -> None:
        """Make what it needs beside the schema of the jobs."""

    async def enqueue(self, scene: Scene, number: int) -> None:
        """Enqueue something, in a process of its own, and note what came of it."""

    async def operate(self, scene: Scene) -> None:
        """Do what an operator does: cancel, retry, pause."""

    async def settle(self, scene: Scene) -> None:
        """Undo what would keep jobs from ending, after the last fault."""

    async def settled(self, connection: asyncpg.Connection, prefix: str) -> bool:
        """Tell whether all is done that its oracles expect, besides jobs that have ended."""

    async def oracles(
        self, connection: asyncpg.Connection, prefix: str, history: History
    ) -> Mapping[str, Oracle]:
        """Return its oracles, with what they must know of the tables."""
