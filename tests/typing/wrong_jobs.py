"""Uses of `@job` that type checkers refuse: each is marked, and an unused mark is an error."""

from __future__ import annotations

from staffa import job


@job(queue="mail")
async def send(to: str, *, copies: int = 1) -> int:
    return copies


@job
def report(day: int) -> None: ...


async def wrong_arguments() -> None:
    send(5)  # type: ignore[arg-type, unused-coroutine]  # the wrong type
    send.new()  # type: ignore[call-arg]  # `to` is missing
    send.new(5)  # type: ignore[arg-type]  # the wrong type
    send.new("ada", "bob")  # type: ignore[call-arg, arg-type]  # one too many
    send.new("ada", copies="two")  # type: ignore[arg-type]  # the wrong type
    send.new("ada", copy=2)  # type: ignore[call-arg]  # misspelt
    await send.enqueue(None)  # type: ignore[arg-type]  # not optional
    await report.enqueue("monday")  # type: ignore[arg-type]  # the wrong type
    await report.enqueue(day=1, month=2)  # type: ignore[call-arg]  # unknown


async def options_do_not_mix_with_arguments() -> None:
    await send.enqueue("ada", queue="other")  # type: ignore[call-arg]  # goes through options
    send.new("ada", priority=1)  # type: ignore[call-arg]  # goes through options


async def wrong_options() -> None:
    send.options(queu="other")  # type: ignore[call-arg]  # misspelt
    send.options(queue=5)  # type: ignore[arg-type]  # the wrong type
    send.options(priority="high")  # type: ignore[arg-type]  # the wrong type
    send.options(backoff=5)  # type: ignore[call-arg]  # of the worker, not of one job
    send.options(weight=2)  # type: ignore[call-arg]  # of a later version
    send.options(unique="yes")  # type: ignore[arg-type]  # the wrong type
    send.options(unique={"perod": 60})  # type: ignore[arg-type]  # misspelt
    send.options(unique=True, replace={"scheduled": ["state"]})  # type: ignore[list-item]  # never
    await send.options(queue="other").enqueue(5)  # type: ignore[arg-type]  # the wrong type
    send.options(queue="other").new("ada", "bob")  # type: ignore[call-arg, arg-type]  # one too many


@job(quue="mail")  # type: ignore[call-overload]  # misspelt
def misspelt() -> None: ...


@job(recorded=5)  # type: ignore[call-overload]  # the wrong type
def wrong_recorded() -> None: ...


@job(args=dict)  # type: ignore[call-overload]  # of worker classes
def args_of_a_function() -> None: ...


@job(max_attempts="five")  # type: ignore[call-overload]  # the wrong type
def wrong_value() -> None: ...


@job(executor="ray")  # type: ignore[call-overload]  # of a later version
def later() -> None: ...


@job(backoff=lambda: 5)  # type: ignore[arg-type]  # takes no job
def backoff_without_a_job() -> None: ...
