"""A stand-in of a node of Elixir Oban: its statements and notifications, as they were recorded.

It claims, acknowledges, snoozes, retries, stages, cancels, signals and pings in plain SQL, as the
Basic engine of Elixir Oban 2.24 does. What its workers do is given as coroutine functions. It polls
rarely: what it does soon, notifications had it do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import asyncpg

from staffa.notifier import decode_payload

CLAIM = """
WITH subset AS MATERIALIZED (
    SELECT id FROM {jobs} WHERE state = 'available' AND queue = $1
     ORDER BY priority, scheduled_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE {jobs} AS j SET state = 'executing', attempt = attempt + 1,
       attempted_at = timezone('UTC', clock_timestamp()), attempted_by = $3
  FROM subset AS x WHERE j.id = x.id AND j.attempt < j.max_attempts
RETURNING j.id, j.worker, j.args::text, j.meta::text, j.attempt, j.max_attempts
"""
COMPLETE = """
UPDATE {jobs} SET state = 'completed', completed_at = timezone('UTC', clock_timestamp()),
       meta = meta || $2::text::jsonb WHERE id = $1
"""
FAIL = """
UPDATE {jobs} SET errors = errors || $2::text::jsonb,
       state = CASE WHEN attempt >= max_attempts THEN 'discarded' ELSE 'retryable' END::{state},
       discarded_at = CASE WHEN attempt >= max_attempts
                           THEN timezone('UTC', clock_timestamp()) END,
       scheduled_at = CASE WHEN attempt >= max_attempts THEN scheduled_at
                           ELSE timezone('UTC', clock_timestamp()) + make_interval(secs => $3) END
 WHERE id = $1
"""
SNOOZE = """
UPDATE {jobs} SET state = 'scheduled', attempt = attempt - 1,
       scheduled_at = timezone('UTC', clock_timestamp()) + make_interval(secs => $2),
       meta = meta || jsonb_build_object('snoozed', coalesce((meta->>'snoozed')::int, 0) + 1)
 WHERE id = $1
"""
CANCEL = """
WITH before AS (SELECT id, state FROM {jobs} WHERE id = $1 FOR UPDATE)
UPDATE {jobs} AS j SET state = 'cancelled', cancelled_at = timezone('UTC', clock_timestamp()),
       errors = CASE WHEN $2::text IS NULL THEN errors ELSE errors || $2::text::jsonb END
  FROM before WHERE j.id = before.id AND j.state NOT IN ('cancelled', 'completed', 'discarded')
RETURNING before.state::text
"""
STAGE = """
WITH subset AS (
    SELECT id FROM {jobs} WHERE state IN ('scheduled', 'retryable')
       AND scheduled_at <= timezone('UTC', clock_timestamp())
     ORDER BY scheduled_at, id LIMIT 5000 FOR UPDATE SKIP LOCKED)
UPDATE {jobs} AS j SET state = 'available' FROM subset AS x WHERE j.id = x.id RETURNING j.queue
"""
INSERT = """
INSERT INTO {jobs} (state, queue, worker, args, meta, tags, errors, attempt, max_attempts, priority,
                    inserted_at, scheduled_at)
VALUES (CASE WHEN $5::float8 IS NULL THEN 'available' ELSE 'scheduled' END::{state}, $1, $2,
        $3::text::jsonb, '{{}}', '{{}}', '{{}}', 0, $4, 0, timezone('UTC', clock_timestamp()),
        timezone('UTC', clock_timestamp()) + make_interval(secs => coalesce($5::float8, 0)))
RETURNING id
"""
INSERT_ALL = """
INSERT INTO {jobs} (queue, worker, args)
SELECT $1, $2, jsonb_build_object('number', n) FROM generate_series(1, $3::int) AS n RETURNING id
"""
NOTIFY = "SELECT pg_notify($1, told) FROM json_array_elements_text($2::text::json) AS told"

Outcome = tuple[str, Any]
"""`("ok", None)`, `("error", text)`, `("cancel", reason)`, `("snooze", seconds)`, or
`("record", term)` with the bytes of an Erlang term, as the extension Pro of Oban stores them."""

Work = Callable[[Mapping[str, Any]], Awaitable[Outcome]]
OK: Outcome = ("ok", None)


class ElixirNode:
    """One node.

    Args:
        dsn: The database.
        prefix: The schema.
        queues: The limits of its queues.
        workers: What its workers do, by their names.
        node: Its name.
        poll: Seconds between two looks of its stager.
    """

    def __init__(
        self,
        dsn: str,
        prefix: str,
        queues: Mapping[str, int],
        workers: Mapping[str, Work],
        *,
        node: str = "web.1",
        poll: float = 3600.0,
    ) -> None:
        self.limits = dict(queues)
        self.paused: set[str] = set()
        self.running: dict[int, asyncio.Task[None]] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._dsn = dsn
        self._prefix = prefix
        self._workers = workers
        self._node = node
        self._poll = poll
        self._uuid = str(uuid.uuid4())
        self._queue_of: dict[int, str] = {}
        self._wanted = {queue: asyncio.Event() for queue in queues}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        pool = await asyncpg.create_pool(self._dsn, min_size=2, max_size=6)
        assert pool is not None
        self._pool = pool
        self._ear: asyncpg.Connection = await asyncpg.connect(self._dsn)
        for channel in ("insert", "signal", "leader", "sonar", "gossip", "metrics", "cronitor"):
            await self._ear.add_listener(f"{self._prefix}.oban_{channel}", self._hear)
        loops = [self._run_queue(queue) for queue in self.limits]
        self._tasks = [asyncio.ensure_future(loop) for loop in (*loops, self._stage())]
        await self.notify("sonar", {"node": self._node, "ping": True})
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks, *self.running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._ear.close()
        await self._pool.close()

    async def insert(
        self,
        worker: str,
        args: Mapping[str, Any] | None = None,
        *,
        queue: str,
        max_attempts: int = 20,
        schedule_in: float | None = None,
    ) -> int:
        """Insert a job, and tell of it unless it is scheduled."""
        text = json.dumps(args or {})
        found = await self._run(INSERT, queue, worker, text, max_attempts, schedule_in)
        if schedule_in is None:
            await self.notify("insert", {"queue": queue})
        return int(found[0]["id"])

    async def insert_all(self, worker: str, count: int, *, queue: str) -> list[int]:
        """Insert equal jobs, numbered in their args, and tell of them once."""
        found = await self._run(INSERT_ALL, queue, worker, count)
        await self.notify("insert", {"queue": queue})
        return [row["id"] for row in found]

    async def cancel_job(self, number: int) -> None:
        """Cancel a job: its row, and then, if it runs, by a signal to everybody."""
        found = await self._run(CANCEL, number, None)
        if found and found[0]["state"] == "executing":
            await self.notify("signal", {"action": "pkill", "job_id": number})

    async def signal(self, action: str, queue: str = "*", **options: Any) -> None:
        """Send a signal about queues to everybody, as `Oban.pause_queue` and its kin do."""
        await self.notify("signal", {"action": action, "ident": "any", "queue": queue, **options})

    async def notify(self, channel: str, payload: Mapping[str, Any]) -> None:
        """Send a notification; short ones are plain JSON."""
        await self._run(
            NOTIFY,
            f"{self._prefix}.oban_{channel}",
            json.dumps([json.dumps(payload, separators=(",", ":"))]),
        )

    def _hear(self, connection: object, pid: int, channel: str, payload: object) -> None:
        kind = channel.rpartition("_")[2]
        told = decode_payload(str(payload))
        self.heard.append((kind, told))
        if kind == "insert" and told["queue"] in self._wanted:
            self._wanted[told["queue"]].set()
        if kind == "signal" and told.get("ident", "any") in ("any", f"Oban.{self._node}"):
            self._obey(told)

    def _obey(self, signal: Mapping[str, Any]) -> None:
        if signal["action"] == "pkill":
            if signal["job_id"] in self.running:
                self.running[signal["job_id"]].cancel()
            return
        for queue in self.limits if signal["queue"] == "*" else [signal["queue"]]:
            match signal["action"]:
                case "pause":
                    self.paused.add(queue)
                case "resume":
                    self.paused.discard(queue)
                case "scale" if queue in self.limits:
                    self.limits[queue] = signal["limit"]
                case "stop":
                    self.limits.pop(queue, None)
            if queue in self._wanted:
                self._wanted[queue].set()

    async def _run_queue(self, queue: str) -> None:
        while True:
            self._wanted[queue].clear()
            taken = [number for number, name in self._queue_of.items() if name == queue]
            demand = self.limits.get(queue, 0) - len(taken)
            if demand > 0 and queue not in self.paused:
                for row in await self._run(CLAIM, queue, demand, [self._node, self._uuid]):
                    self._queue_of[row["id"]] = queue
                    self.running[row["id"]] = asyncio.ensure_future(self._perform(queue, row))
            await self._wanted[queue].wait()

    async def _perform(self, queue: str, row: Mapping[str, Any]) -> None:
        number = row["id"]
        try:
            job = {**row, "args": json.loads(row["args"]), "meta": json.loads(row["meta"])}
            await self._acknowledge(
                number, row["attempt"], *await self._workers[row["worker"]](job)
            )
        finally:
            del self.running[number], self._queue_of[number]
            self._wanted[queue].set()

    async def _acknowledge(self, number: int, attempt: int, kind: str, value: Any) -> None:
        match kind:
            case "ok":
                await self._run(COMPLETE, number, "{}")
            case "record":
                packed = base64.b64encode(value).decode()
                meta = json.dumps({"recorded": True, "return": packed})
                await self._run(COMPLETE, number, meta)
            case "error":
                await self._run(FAIL, number, _error(attempt, value), 0.0)
            case "cancel":
                await self._run(CANCEL, number, _error(attempt, value))
            case "snooze":
                await self._run(SNOOZE, number, float(value))

    async def _stage(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            for row in await self._run(STAGE):
                await self.notify("insert", {"queue": row["queue"]})

    async def _run(self, statement: str, *values: Any) -> list[Mapping[str, Any]]:
        names = {"jobs": f"{self._prefix}.oban_jobs", "state": f"{self._prefix}.oban_job_state"}
        return [dict(row) for row in await self._pool.fetch(statement.format(**names), *values)]


def _error(attempt: int, text: str) -> str:
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"attempt": attempt, "at": at, "error": f"** (Oban.PerformError) {text}"})
