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
        TimeoutError: If it has not ended in time.
    """
    seconds = None if timeout is None else to_seconds(timeout, "timeout")
    backoff = Backoff(first_seconds=_FIRST_WAIT_SECONDS, cap_seconds=_LONGEST_WAIT_SECONDS)
    async with asyncio.timeout(seconds):
        while (await read()).finished_at is None:  # noqa: ASYNC110  # the database changes
            await asyncio.sleep(backoff.next_seconds())
