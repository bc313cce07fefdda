"""What a client does that works inline: jobs run where they are enqueued, without a database."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from staffa._internal.calls import Call
from staffa._internal.clock import Clock
from staffa.config import Config
from staffa.jobs import Job
from staffa.queues.inline import InlineRunner, raise_failure
from staffa.queues.pools.thread import Threads


async def run_inline(
    jobs: Sequence[Job], config: Config, clock: Clock, threads: Threads | None = None
) -> list[Job]:
    """Run new jobs once, one after the other, and return them as they have ended.

    Args:
        jobs: As they would be written.
        config: The client's settings.
        clock: Measures.
        threads: Where plain functions run; in threads of their own if not given.

    Raises:
        Exception: What made an attempt fail; the jobs after it do not run.
    """
    ended = []
    async with InlineRunner(config, clock, threads) as runner:
        for job in jobs:
            outcome, row = await runner.perform(job)
            raise_failure(outcome)
            ended.append(row)
    return ended


class CallersThread:
    """Runs plain functions on the thread of a synchronous caller, which waits for them anyway.

    So they find what belongs to that thread: the transaction of a test, for one. They can't be left
    alone when they take too long; they are told to stop, and waited for.

    Args:
        made: The call that is under way.
    """

    def __init__(self, made: Call[Any]) -> None:
        self._made = made

    async def run(self, call: Callable[[], Any], *, ask_to_stop: Callable[[], None]) -> Any:
        """Run a function with the context variables of the job."""
        ask = self._made.brought(partial(_catch, contextvars.copy_context(), call))
        running = asyncio.ensure_future(ask())
        try:
            result, error = await asyncio.shield(running)
        except asyncio.CancelledError:
            ask_to_stop()
            result, error = await running
        if error is not None:
            raise error
        return result


def _catch(
    context: contextvars.Context, call: Callable[[], Any]
) -> tuple[Any, BaseException | None]:
    """Return what a function returns or raises: nothing of it must end the caller's waiting."""
    try:
        return context.run(call), None
    except BaseException as error:  # noqa: BLE001  # the executor judges what a job raises
        return None, error
