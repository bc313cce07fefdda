"""The Elixir program's part, played in plain SQL: it writes the rows that Elixir Oban writes."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import asyncpg

# Oban.insert(Oban.Job.new(%{...}, worker: "badges.print", queue: :badges))
INSERT = """
INSERT INTO oban_jobs (state, queue, worker, args, meta, tags, errors, attempt, max_attempts,
                       priority, inserted_at, scheduled_at)
VALUES ('available', 'badges', 'badges.print', $1::text::jsonb, '{}', '{}', '{}', 0, 20, 0,
        timezone('UTC', now()), timezone('UTC', now()))
RETURNING id
"""
NOTIFY = """SELECT pg_notify('public.oban_insert', '{"queue":"badges"}')"""

CLAIM = """
WITH subset AS MATERIALIZED (
    SELECT id FROM oban_jobs WHERE state = 'available' AND queue = 'conference'
     ORDER BY priority, scheduled_at, id LIMIT 10 FOR UPDATE SKIP LOCKED)
UPDATE oban_jobs AS job
   SET state = 'executing', attempt = attempt + 1, attempted_at = timezone('UTC', now()),
       attempted_by = ARRAY['conference@web.1', '5d3d6551-9fe8-4906-ab83-a57bec0bb930']
  FROM subset WHERE job.id = subset.id AND job.attempt < job.max_attempts
RETURNING job.id, job.args::text
"""
COMPLETE = """
UPDATE oban_jobs SET state = 'completed', completed_at = timezone('UTC', now()) WHERE id = $1
"""


@dataclass(frozen=True)
class Attendee:
    """Somebody who comes."""

    number: int
    name: str
    company: str


async def ask(connection: asyncpg.Connection, attendee: Attendee) -> int:
    """Ask for a badge, and return the number of the job."""
    args = {
        "attendee": attendee.number,
        "name": attendee.name,
        "company": attendee.company,
    }
    number: int = await connection.fetchval(INSERT, json.dumps(args))
    await connection.execute(NOTIFY)
    return number


async def take_answers(connection: asyncpg.Connection, count: int) -> list[dict[str, Any]]:
    """Run the jobs of the worker `Conference.BadgePrinted` until there were so many."""
    answers: list[dict[str, Any]] = []
    heard = asyncio.Event()
    await connection.add_listener("public.oban_insert", lambda *_: heard.set())
    while len(answers) < count:
        heard.clear()
        for row in await connection.fetch(CLAIM):
            answers.append(json.loads(row["args"]))
            await connection.execute(COMPLETE, row["id"])
        if len(answers) < count:
            try:
                async with asyncio.timeout(1.0):  # a notification is a hint
                    await heard.wait()
            except TimeoutError:
                pass
    return answers
