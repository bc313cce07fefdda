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
from staffa.queues.rules import divide


async def run_inline(
    jobs: Sequence[Job], config: Config, clock: Clock, threads: Threads | None = None
) -> list[Job]:
    """Run new jobs once, one after the other, and return them as they have ended.

    Those of a worker with chunks run together with others that are given.

    Args:
        jobs: As they would be written.
        config: The client's settings.
        clock: Measures.
        threads: Where plain functions run; in threads of their own if not given.

    Raises:
        Exception: What made an attempt fail; the jobs after it do not run.
    """
    ended: dict[int, Job] = {}
    async with InlineRunner(config, clock, threads) as runner:
        for together in divide(jobs):
            if len(together) > 1:
                performed = await runner.perform_together(together)
            else:
                performed = [await runner.perform(together[0])]
            for job, (outcome, row) in zip(together, performed, strict=True):
                raise_failure(outcome)
                ended[id(job)] = row
    return [ended[id(job)] for job in jobs]


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
