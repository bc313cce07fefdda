"""The surroundings of a process that kills itself at a point, and what is judged afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from staffa import Staffa
from staffa._internal.identifiers import quote_identifier
from staffa._internal.kill_points import KILL_POINT, parse_kill_point
from staffa.client.backend import make_migrator
from staffa.telemetry import Event
from tests.chaos import kill_jobs
from tests.chaos.history import History, Note, install, read_history
from tests.chaos.kill_checks import Snapshot, check
from tests.chaos.kill_settings import SETTINGS
from tests.chaos.oracles import CronTicks
from tests.support.database import PROJECT
from tests.support.events import Recorder, eventually
from tests.support.processes import WorkerProcess, inherited
from tests.support.rows import Rows


class World:
    """A schema in which a process dies at a point, and another one goes on.

    Args:
        point: Where it dies.
        dsn: The database.
        rows: The tables.
        events: What clients of the test's own process tell.
        folder: Where logs go.
    """

    def __init__(self, point: str, dsn: str, rows: Rows, events: Recorder, folder: Path) -> None:
        self.dsn = dsn
        self.rows = rows
        self.folder = folder
        self.phase = parse_kill_point(point).phase
        self.name = point
        self._events = events
        self._processes: list[WorkerProcess] = []
        self._began_at = datetime.now(UTC)
        self._clients: list[Staffa] = []
        folder.mkdir()
        self.sender = self.make_client(name=f"sender at {point}")

    @classmethod
    @asynccontextmanager
    async def at(cls, point: str, dsn: str, events: Recorder, folder: Path) -> AsyncIterator[World]:
        """Make a schema with a history, and end with all that was started there."""
        prefix = f"killed at {point}"
        await make_migrator(dsn, prefix).up()
        connection = await asyncpg.connect(dsn)
        await install(connection, prefix)
        kill_jobs.SCHEMA.set(prefix)
        world = cls(point, dsn, Rows(connection, prefix), events, folder)
        try:
            yield world
        finally:
            await world.close()
            await connection.execute(f"DROP SCHEMA {quote_identifier(prefix)} CASCADE")
            await connection.close()

    def spawn(self, *, dies: bool = True, **options: Any) -> WorkerProcess:
        """Start a process that runs queues, and dies at the point."""
        log = self.folder / f"process-{len(self._processes)}.log"
        given = {"module": "tests.chaos.kill_app", "name": self.name, **SETTINGS, **options}
        if dies:
            given["kill_point"] = self.name
        os.environ[kill_jobs.PREFIX] = self.rows.prefix  # inherited; nobody else is here to read it
        self._began_at = datetime.now(UTC)
        made = WorkerProcess(self.dsn, self.rows.prefix, log, **given)
        self._processes.append(made)
        return made

    async def killed(self, process: WorkerProcess) -> None:
        """Wait until a process has died, by the point and by nothing else."""
        code = await process.ended()
        told = process.log.read_text()
        assert code == -signal.SIGKILL, told
        assert f"SIGKILL at {self.name.partition(':')[0]}\n" in told

    async def stopped(self, process: WorkerProcess) -> None:
        """Wait until a process stands still at the point."""
        await process.logged(f"SIGSTOP at {self.name.partition(':')[0]}\n")

    async def run_script(self, *, dies: bool, program: str) -> None:
        """Run a program to its end or death."""
        given = {"STAFFA_DSN": self.dsn, "STAFFA_PREFIX": self.rows.prefix}
        if dies:
            given[KILL_POINT] = self.name
        self._began_at = datetime.now(UTC)
        script = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", program),
            cwd=PROJECT,
            env={**inherited(), **given},
            stderr=subprocess.PIPE,
        )
        _, errors = await script.communicate()
        assert script.returncode == (-signal.SIGKILL if dies else 0), errors.decode()

    def make_client(self, **options: Any) -> Staffa:
        """Return a client of this process."""
        made = Staffa(self.dsn, **{"prefix": self.rows.prefix, **SETTINGS, **options})
        self._clients.append(made)
        return made

    def take_over(self, **options: Any) -> Staffa:
        """Return a healthy node, not yet started."""
        return self.make_client(**{"name": self.name, "queues": {"default": 10}, **options})

    async def snapshot(self) -> Snapshot:
        """Return all jobs."""
        found = await self.rows.connection.fetch(f"SELECT id FROM {self.rows.jobs} ORDER BY id")
        return {row["id"]: await self.rows.get(row["id"]) for row in found}

    async def left(self, condition: Callable[[Snapshot], bool], what: str) -> Snapshot:
        """Return all jobs as the death has left them, after a check."""
        await self._settled()
        rows = await self.snapshot()
        assert condition(rows), f"not {what}: {rows}"
        return rows

    async def _settled(self) -> None:
        """Wait until the server has done what the dead have sent, and ended their sessions."""
        schema = quote_identifier(self.rows.prefix)

        async def gone() -> bool:
            return not await self.rows.connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'staffa'"
                " AND position($1 in query) > 0 AND backend_start > $2",
                schema,
                self._began_at,
            )

        await eventually(gone, "the end of the sessions of the dead")

    def table(self, name: str) -> str:
        """Return the name of a table of the schema, for a statement."""
        return f"{quote_identifier(self.rows.prefix)}.{name}"

    async def count(self, table: str) -> int:
        """Return how many rows a table of the schema has."""
        return int(await self.rows.connection.fetchval(f"SELECT count(*) FROM {self.table(table)}"))

    async def counts(self, table: str, number: int) -> None:
        """Check how many rows the death has left in a table."""
        await self._settled()
        assert await self.count(table) == number

    async def is_registered(self) -> bool:
        """Tell whether there is an entry of cron."""
        return await self.count("staffa_crons") == 1

    async def put_back_ticks(self, minutes: int) -> datetime:
        """Have the last tick so long ago, and return the minute of the database's clock."""
        now: datetime = await self.rows.connection.fetchval(
            f"UPDATE {self.table('staffa_crons')} SET last_tick = timezone('UTC', now())"
            " - make_interval(mins => $1) RETURNING now()",
            minutes,
        )
        return now.replace(second=0, microsecond=0)

    async def has_fired(self, tick: datetime) -> bool:
        """Tell whether there is a job of a tick."""
        made = [row["meta"]["cron_time"] for row in (await self.snapshot()).values()]
        return _text(tick) in made

    async def check_ticks(self, first: datetime) -> None:
        """Check that each minute from the first one on has made one job, and no other has."""
        history = await self.history({})
        last = max(change.at for change in history.changes)
        minutes = range(int((last - first).total_seconds() // 60) + 1)
        ticks = [_text(first + timedelta(minutes=minute)) for minute in minutes]
        newest = frozenset(ticks[1:])  # a minute may begin as the last node stops
        assert CronTicks("tick", frozenset(ticks), excused=newest)(history) == []

    def release(self) -> None:
        """Let the jobs that hold end."""
        (self.folder / "released").touch()

    async def finish(self, left: Snapshot, **options: Any) -> Snapshot:
        """Have a healthy node finish all jobs, and judge the end by what the death had left."""
        async with self.take_over(**options):
            await self.rows.until_count(completed=len(left))
        ended = await self.snapshot()
        history = await self.history(left)
        check(history, left, ended)
        told = [event.data["job"].id for event in self._told("completed")]
        assert len(told) == len(set(told))
        assert self._told("lease_lost") == []
        return ended

    async def history(self, committed: Snapshot) -> History:
        """Return the history, with what was known to be committed."""
        notes = [Note("committed", datetime.now(UTC), {"ids": list(committed)})]
        return await read_history(self.rows.connection, self.rows.prefix, notes=notes)

    def _told(self, outcome: str) -> list[Event]:
        found = self._events.of(f"staffa.job.{outcome}")
        return [event for event in found if event.instance == self.name]

    async def close(self) -> None:
        """End what is left."""
        self.release()
        for process in self._processes:
            process.kill()
        for client in self._clients:
            await client.stop(grace=0)


def _text(tick: datetime) -> str:
    return tick.strftime("%Y-%m-%dT%H:%M:%SZ")
