"""What a job of the general scenario is to do: part of its args, so that the seed decides it.

A body is written once, as a generator of actions; `perform` and `perform_async` carry them out in a
thread or process, and on the event loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Generator
from random import Random
from typing import Any, Literal, TypedDict

import psycopg

from staffa import Cancel, Discard, Job, Record, Snooze, current_job
from staffa._internal.identifiers import quote_identifier
from staffa.errors import DatabaseError
from tests.chaos import marks

Outcome = Literal["complete", "record", "cancel", "discard", "complete in", "die"]
_STEP_SECONDS = 0.02
_OUTCOMES: tuple[Outcome, ...] = ("complete", "record", "cancel", "discard", "complete in")
_WEIGHTS = (70, 8, 6, 6, 10)


class Plan(TypedDict, total=False):
    """What a job does, in this order.

    `checkpoints` is how many it stores, `seconds` how long it works, later attempts for less;
    attempts up to `fails` then raise, and the first `snoozes` of the other runs are snoozed. Then
    comes the outcome.
    """

    seconds: float
    checkpoints: int
    fails: int
    snoozes: int
    outcome: Outcome


class Planned(Exception):
    """The failure that the plan wants."""


def draw(random: Random, *, in_process: bool = False) -> Plan:
    """Return a plan at random."""
    outcome = random.choices(_OUTCOMES, _WEIGHTS)[0]
    if in_process and random.random() < 0.05:
        outcome = "die"
    seconds = random.choices([0.0, random.uniform(0, 0.3), random.uniform(0.5, 4)], [5, 4, 1])[0]
    plan = Plan(seconds=round(seconds, 3), outcome=outcome)
    if random.random() < 0.15:
        plan["checkpoints"] = random.randint(1, 3)
    if random.random() < 0.2:
        plan["fails"] = random.randint(1, 5)
    if random.random() < 0.1:
        plan["snoozes"] = random.randint(1, 2)
    return plan


Action = tuple[Literal["mark", "store", "progress", "work", "complete"], Any]
Body = Generator[Action, None, Any]


def follow(job: Job, plan: Plan) -> Body:
    """Yield the actions of a run, and return its result."""
    yield "mark", ("begun", {"checkpoint": job.meta.get("checkpoint", 0)})
    for number in range(1, plan.get("checkpoints", 0) + 1):
        if number > job.meta.get("checkpoint", 0):
            yield "store", number
            yield "mark", ("stored", {"checkpoint": number})
    yield "progress", 0.5
    seconds = plan.get("seconds", 0)
    yield "work", seconds if job.attempt == 1 and not job.meta.get("snoozed") else min(seconds, 0.1)
    if job.attempt <= plan.get("fails", 0):
        yield "mark", ("failing", {})
        raise Planned(f"attempt {job.attempt}")
    if job.meta.get("snoozed", 0) < plan.get("snoozes", 0):
        yield "mark", ("snoozing", {})
        return Snooze(0.2)
    match plan.get("outcome"):
        case "cancel":
            yield "mark", ("cancelling", {})
            return Cancel("planned")
        case "discard":
            yield "mark", ("discarding", {})
            return Discard("planned")
        case "die" if job.attempt == 1:
            yield "mark", ("dying", {})
            os._exit(9)
        case "complete in":
            yield "mark", ("completing", {})
            yield "complete", job.args["token"]
            return None
        case "record":
            yield "mark", ("completing", {})
            return Record({"token": job.args["token"]})
        case _:
            yield "mark", ("completing", {})
            return None


def perform(plan: Plan) -> Any:
    """Follow a plan in a thread or a process."""
    job = current_job()
    body = follow(job, plan)
    while True:
        try:
            kind, value = next(body)
        except StopIteration as end:
            return end.value
        match kind:
            case "mark":
                marks.mark(job, value[0], **value[1])
            case "store":
                job.update_meta(checkpoint=value)
            case "progress":
                job.progress(value)
            case "work":
                until = time.monotonic() + value
                while time.monotonic() < until:
                    job.raise_if_cancelled()
                    time.sleep(_STEP_SECONDS)
            case "complete":
                try:
                    _complete_in(job, value)
                except (psycopg.Error, DatabaseError):
                    marks.mark(job, "failing")
                    raise


async def perform_async(plan: Plan) -> Any:
    """Follow a plan on the event loop."""
    job = current_job()
    body = follow(job, plan)
    while True:
        try:
            kind, value = next(body)
        except StopIteration as end:
            return end.value
        match kind:
            case "mark":
                await marks.mark_async(job, value[0], **value[1])
            case "store":
                await job.update_meta(checkpoint=value)
            case "progress":
                await job.progress(value)
            case "work":
                await asyncio.sleep(value)
            case "complete":
                try:
                    await _complete_in_async(job, value)
                except (psycopg.Error, DatabaseError):
                    await marks.mark_async(job, "failing")
                    raise


def _complete_in(job: Job, token: str) -> None:
    """Complete in a transaction of the job's own, beside a row that tells it."""
    with psycopg.connect(os.environ[marks.DSN]) as connection:
        connection.execute(_effect(), [token])
        job.complete_in(connection)


async def _complete_in_async(job: Job, token: str) -> None:
    async with await psycopg.AsyncConnection.connect(os.environ[marks.DSN]) as connection:
        await connection.execute(_effect(), [token])
        await job.complete_in(connection)


def _effect() -> str:
    """Return the statement that writes the row beside a job."""
    schema = quote_identifier(os.environ[marks.PREFIX])
    return f"INSERT INTO {schema}.chaos_effects (kind, token) VALUES ('completed', %s)"
