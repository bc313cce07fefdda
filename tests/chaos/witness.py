"""Watches a schema while a test does harm, and tells what contradicts the contract afterwards."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from staffa import Staffa, current_job, job
from staffa.errors import DatabaseError
from tests.chaos import marks
from tests.chaos.history import History, Note, install, read_history
from tests.chaos.marks import mark_async
from tests.chaos.oracles import judge
from tests.support.events import TIMEOUT_SECONDS, eventually


@job(name="witnessed")
async def work(token: str) -> None:
    """Tell that it runs, and that it ends."""
    await mark_async(current_job(), "begun")
    await mark_async(current_job(), "completing")


class Witness:
    """What is known of the jobs of a schema.

    Args:
        dsn: Where the schema is, past all that does harm.
        prefix: The schema.
    """

    def __init__(self, dsn: str, prefix: str) -> None:
        self._dsn = dsn
        self._prefix = prefix
        self._notes: list[Note] = []
        self._tokens = 0

    @property
    def committed(self) -> int:
        """How many jobs are known to be there."""
        return sum(len(note.data["ids"]) for note in self._notes if note.kind == "committed")

    async def enqueue(self, app: Staffa, count: int, *, scheduled_in: float = 0.0) -> None:
        """Enqueue jobs together; where that fails, nobody knows whether they are there."""
        tokens = [str(number) for number in range(self._tokens, self._tokens + count)]
        self._tokens += count
        try:
            options = work.options(scheduled_in=scheduled_in) if scheduled_in else work
            stored = await app.enqueue_many([options.new(token) for token in tokens])
        except DatabaseError:
            self._note("uncertain", [])
        else:
            self._note("committed", [entry.id for entry in stored])

    async def history(self) -> History:
        """Return all that has happened so far."""
        unhurried = {"statement_timeout": "0"}  # whatever a test has set for the database
        connection = await asyncpg.connect(self._dsn, server_settings=unhurried)
        try:
            return await read_history(connection, self._prefix, notes=self._notes)
        finally:
            await connection.close()

    async def settled(self, within: float = TIMEOUT_SECONDS) -> History:
        """Wait until all jobs have ended, and check what has happened to them."""

        async def ended() -> bool:
            history = await self.history()
            states = {history.last_state(number) for number in history.of_job}
            return len(history.of_job) >= self.committed and states <= {"completed", None}

        await eventually(ended, "the end of all jobs", within)
        history = await self.history()
        assert {name: wrong for name, wrong in judge(history).items() if wrong} == {}
        return history

    def _note(self, kind: str, ids: Sequence[int | None]) -> None:
        self._notes.append(Note(kind, datetime.now(UTC), {"ids": list(ids)}))


@asynccontextmanager
async def watching(dsn: str, prefix: str) -> AsyncIterator[Witness]:
    """Have a migrated schema watched."""
    connection = await asyncpg.connect(dsn)
    await install(connection, prefix)
    await connection.close()
    before = {name: os.environ.get(name) for name in (marks.DSN, marks.PREFIX)}
    os.environ.update({marks.DSN: dsn, marks.PREFIX: prefix})
    try:
        yield Witness(dsn, prefix)
    finally:
        marks.close()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
