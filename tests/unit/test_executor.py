"""Running jobs: what no database is needed for."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, cast

import pytest

from staffa import State, job
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.engine import Engine
from staffa.errors import ConfigError
from staffa.queues.acker import Acker
from staffa.queues.checkpoints import Checkpoints
from staffa.queues.executor import Executor
from staffa.queues.outcomes import Ended, Outcome
from staffa.queues.pools.process import ProcessPool, ProcessPoolSettings
from staffa.queues.pools.thread import ThreadPool
from tests.unit.rows import claimed
from tests.unit.scripted import PRODUCER


class Outcomes:
    """Stands for the acker: keeps what is handed to it."""

    def __init__(self) -> None:
        self.found: asyncio.Queue[Outcome] = asyncio.Queue()

    def submit(self, outcome: Ended) -> None:
        self.found.put_nowait(outcome.in_full())


async def run(worker: str) -> State:
    """Run a job of a worker, and return the state that it ends in."""
    outcomes, threads = Outcomes(), ThreadPool()
    processes = ProcessPool(ProcessPoolSettings(size=1))
    checkpoints = Checkpoints(cast("Engine", None), PRODUCER, SYSTEM_CLOCK)
    executor = Executor(
        cast("Acker", outcomes),
        threads,
        processes,
        checkpoints,
        imports=(),
        unknown_after=60.0,
        clock=SYSTEM_CLOCK,
    )
    executor.start(claimed(worker=worker), lambda job: None)
    outcome = await asyncio.wait_for(outcomes.found.get(), 30)
    threads.stop()
    return outcome.ack.state


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_async_function_behind_a_plain_wrapper_is_never_completed_without_a_run() -> None:
    ran = []

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    async def work() -> None:
        ran.append(1)

    try:
        decorated = job(name="wrapped")(wrapped(work))
    except ConfigError:  # a refusal is as good
        return
    state = await run(decorated.worker_name)
    assert ran or state is not State.COMPLETED


async def test_a_job_of_either_kind_ends_completed() -> None:
    @job(name="plain")
    def plain() -> None: ...

    @job(name="waits")
    async def waits() -> None: ...

    assert await run(plain.worker_name) is State.COMPLETED
    assert await run(waits.worker_name) is State.COMPLETED
