"""What tests of users ask of the engine, and production does not."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from functools import partial
from typing import Self

from staffa._internal.clock import Clock
from staffa.drivers.joined_file import JoinedFile
from staffa.drivers.sqlite import FileConnection
from staffa.engines.sqlite.functions import install
from staffa.engines.sqlite.statements.changes import ChangeStatements
from staffa.engines.sqlite.statements.idiom import SQLITE
from staffa.engines.sqlite.statements.jobs import JobStatements
from staffa.engines.sqlite.statements.resets import ResetStatements
from staffa.engines.walks import Walks
from staffa.rehearsal import Execute


class SqliteRehearsal:
    """The base of the engine that has these methods."""

    _clock: Clock
    _writer: FileConnection
    _reader: FileConnection
    _walks: Walks
    _jobs: JobStatements
    _changes: ChangeStatements

    def joined(self, execute: Execute) -> Self:
        """Return an engine that works in a transaction of the user's."""
        engine = copy(self)
        engine._writer = engine._reader = JoinedFile(execute, partial(install, clock=self._clock))
        engine._walks = Walks(engine._reader.read, self._changes)
        return engine

    async def stage_queue(self, queue: str, until: datetime | None) -> int:
        """Make the jobs of a queue available that are due until a time."""
        return await self._writer.write(self._jobs.stage_queue(queue, until))

    async def reset(self) -> None:
        """Delete all there is."""
        await self._writer.write(ResetStatements("main", SQLITE).reset())
