"""Waits until a stored workflow or batch has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from staffa._internal.backoff import Backoff
from staffa.linking import FlowRow
from staffa.types import Seconds, to_seconds

_LONGEST_WAIT_SECONDS = 1.0
_FIRST_WAIT_SECONDS = 0.02


async def wait_until_ended(
    read: Callable[[], Awaitable[FlowRow]],
    timeout: Seconds | None,  # noqa: ASYNC109  # users give it to handles
) -> None:
    """Wait until a flow has ended.

    Args:
        read: Reads its row.
        timeout: For how long; for ever if not given.

    Raises:
        TimeoutError: If it has not ended in time; it names the flow, and how many jobs are open.
    """
    seconds = None if timeout is None else to_seconds(timeout, "timeout")
    backoff = Backoff(first_seconds=_FIRST_WAIT_SECONDS, cap_seconds=_LONGEST_WAIT_SECONDS)
    flow = await read()
    try:
        async with asyncio.timeout(seconds):
            while flow.finished_at is None:
                await asyncio.sleep(backoff.next_seconds())
                flow = await read()
    except TimeoutError:
        raise TimeoutError(
            f"{flow.kind} {flow.id} has not ended within {seconds:g} s: {flow.active} of its jobs "
            f"are active, {flow.suspended} wait; it goes on, so wait for it again or cancel it"
        ) from None
