"""What the executor asks about jobs of workflows."""

from __future__ import annotations

from typing import Protocol

from staffa.jobs import Job
from staffa.registry import WorkerDefinition


class Composes(Protocol):
    """Serves jobs of workflows; `client` gives the executor one."""

    async def fill(self, job: Job, definition: WorkerDefinition) -> None:
        """Give a claimed job the arguments that its row lacks.

        Raises:
            InvalidArgs: If one that is required can't be found.
            DatabaseError: If the database can't be reached.
        """

    async def graft(self, job: Job, result: object) -> str:
        """Write the jobs that a function has returned, once; return what is noted of that.

        Raises:
            ConfigError: If it is no workflow, or one that does not fit together.
            DatabaseError: If it could not be written.
        """
