"""Uses of `@job` that type checkers refuse: each is marked, and an unused mark is an error."""

from __future__ import annotations

from staffa import Chunk, Job, job


@job(queue="mail")
async def send(to: str, *, copies: int = 1) -> int:
    return copies


@job
def report(day: int) -> None: ...


@job(chunk=5)  # wrong, unseen by ty: no Chunk
def load(jobs: list[Job]) -> None: ...


@job(chunk=Chunk())  # wrong: it takes no list of jobs
def load_one(number: int) -> None: ...


async def wrong_arguments() -> None:
    send(5)  # wrong: the wrong type
    send.new()  # wrong: `to` is missing
    send.new(5)  # wrong: the wrong type
    send.new("ada", "bob")  # wrong: one too many
    send.new("ada", copies="two")  # wrong: the wrong type
    send.new("ada", copy=2)  # wrong: misspelt
    await send.enqueue(None)  # wrong: not optional
    await report.enqueue("monday")  # wrong: the wrong type
    await report.enqueue(day=1, month=2)  # wrong: unknown


async def options_do_not_mix_with_arguments() -> None:
    await send.enqueue("ada", queue="other")  # wrong: goes through options
    await send.relay(5)  # wrong: the wrong type
    await send.relay("ada", timeout=5)  # wrong: goes through options
    send.relay_sync()  # wrong: missing
    await send.options(queue="other").relay(5)  # wrong: the wrong type
    await send.relay("ada").result()  # wrong: not awaited yet
    await (await send.relay("ada")).result(wait=5)  # wrong: unknown
    send.new("ada", priority=1)  # wrong: goes through options


async def wrong_options() -> None:
    send.options(queu="other")  # wrong, unseen by ty: misspelt
    send.options(queue=5)  # wrong: the wrong type
    send.options(priority="high")  # wrong: the wrong type
    send.options(backoff=5)  # wrong, unseen by ty: of the worker, not of one job
    send.options(chain=2)  # wrong: the wrong type
    send.options(unique="yes")  # wrong: the wrong type
    send.options(unique={"perod": 60})  # wrong: misspelt
    send.options(unique=True, replace={"scheduled": ["state"]})  # wrong: never
    await send.options(queue="other").enqueue(5)  # wrong: the wrong type
    send.options(queue="other").new("ada", "bob")  # wrong: one too many


@job(quue="mail")  # wrong, unseen by ty: misspelt
def misspelt() -> None: ...


@job(recorded=5)  # wrong: the wrong type
def wrong_recorded() -> None: ...


@job(args=dict)  # wrong, unseen by ty: of worker classes
def args_of_a_function() -> None: ...


@job(max_attempts="five")  # wrong: the wrong type
def wrong_value() -> None: ...


@job(executor="ray")  # wrong: of a later version
def later() -> None: ...


@job(backoff=lambda: 5)  # wrong: takes no job
def backoff_without_a_job() -> None: ...
