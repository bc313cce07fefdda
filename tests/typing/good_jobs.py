"""Uses of `@job` that type checkers accept: this file is checked, never run."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from staffa import Cancel, Chunk, Discard, Job, Snooze, State, Unique, job
from staffa.relays import Relay


@job
async def plain(to: str, subject: str = "hi") -> int:
    return len(to + subject)


@job(queue="mail", priority=1, max_attempts=5, tags=["a"], meta={"a": 1}, timeout=30)
def with_options(a: int, /, b: str, *, c: bool = False) -> str:
    return f"{a}{b}{c}"


@job(name="MyApp.Printer", backoff=15, executor="thread", scheduled_in=timedelta(hours=1))
def named() -> None: ...


@job(backoff=lambda job: job.attempt * 2.0)
def backoff_of_job() -> None: ...


def slowly(job: Job, error: BaseException) -> timedelta:
    return timedelta(seconds=job.attempt * len(str(error)))


@job(backoff=slowly)
async def results(kind: str) -> Cancel | Discard | Snooze | None:
    match kind:
        case "cancel":
            return Cancel("gone")
        case "discard":
            return Discard()
        case "snooze":
            return Snooze(timedelta(minutes=5))
    return None


@job(unique=True, replace={"scheduled": ["args", "priority"], State.RETRYABLE: ["meta"]})
async def unique_job(number: int) -> None: ...


@job(unique=Unique(period=timedelta(hours=1), keys=["number"], states=["scheduled"]))
async def by_number(number: int) -> None: ...


@job(queue="events", chunk=Chunk(size=50, timeout=timedelta(seconds=2), by=["args.a", "meta.b"]))
async def load(jobs: list[Job]) -> dict[Job, Cancel | Snooze]:
    return {one: Snooze(5) for one in jobs if one.attempt == 1}


@job(chunk=Chunk())
def load_plainly(jobs: list[Job]) -> None: ...


async def chunks() -> None:
    assert_type(load.new(event=1, account="a"), Job)
    assert_type(await load.options(priority=2).enqueue(event=1), Job)
    assert_type(await load([load.new()]), dict[Job, Cancel | Snooze])
    load_plainly([])


async def uniques() -> None:
    assert_type(unique_job.options(unique=False).new(1), Job)
    assert_type(await by_number.options(unique={"period": 5, "group": "all"}).enqueue(1), Job)
    assert_type((await by_number.enqueue(number=1)).conflict, bool)


async def calls() -> None:
    coroutine: Coroutine[Any, Any, int] = plain("ada")
    assert_type(await coroutine, int)
    assert_type(await plain("ada", subject="hey"), int)
    assert_type(with_options(1, b="b", c=True), str)
    assert_type(plain.worker_name, str)


async def jobs() -> None:
    assert_type(plain.new("ada"), Job)
    assert_type(plain.new(to="ada", subject="hey"), Job)
    assert_type(with_options.new(1, "b", c=True), Job)
    assert_type(await plain.enqueue("ada"), Job)
    assert_type(await with_options.enqueue(1, b="b"), Job)
    assert_type(await named.enqueue(), Job)
    assert_type(await plain.relay("ada"), Relay)
    assert_type(await with_options.options(conn=None).relay(1, b="b"), Relay)
    assert_type((await named.relay()).job, Job)


async def options(connection: object) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert_type(plain.options(queue="mail", priority=0).new("ada"), Job)
    assert_type(await plain.options(conn=connection, scheduled_at=at).enqueue("ada"), Job)
    assert_type(await plain.options(scheduled_in=60).enqueue(to="ada", subject="hey"), Job)
    assert_type(await with_options.options(timeout=timedelta(seconds=1)).enqueue(1, "b"), Job)


assert_type(results.new("cancel").args, dict[str, Any])
