"""Starts children, less and less often while they can't be started.

Invariant: while starts fail, one call tries at a time, after a growing pause of up to five seconds.
From the third failure in a row on, its failure is that of all calls that have waited for it. So
calls neither wait for ever nor fail a hundred times a second, and a failure by chance concerns one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from staffa._internal.backoff import Backoff
from staffa.errors import ProcessUnavailable
from staffa.queues.pools.process.handle import Child

_CERTAIN = 3
"""From how many failures in a row on it is no chance any more."""


class Starts:
    """The starts of one pool.

    Args:
        make: Makes a child that is not started yet.
    """

    def __init__(self, make: Callable[[], Child]) -> None:
        self._make = make
        self._backoff = Backoff(first_seconds=0.1, cap_seconds=5.0)
        self._turn = asyncio.Lock()
        self._failures = 0
        self._reason = ""
        self._pause_until = 0.0

    @property
    def failures(self) -> int:
        """How many rounds of starts have failed since the last success."""
        return self._failures

    async def start(self, seen: int) -> Child:
        """Return a child that is ready.

        Args:
            seen: The failures when the call came.

        Raises:
            ProcessUnavailable: If it can't be started.
        """
        if not self._failures:
            return await self._try()
        async with self._turn:
            if self._failures > seen and self._failures >= _CERTAIN:
                raise ProcessUnavailable(
                    f"{self._reason}; {self._failures} starts in a row have failed"
                )
            if self._failures:
                loop = asyncio.get_running_loop()
                await asyncio.sleep(self._pause_until - loop.time())
            return await self._try()

    async def _try(self) -> Child:
        child = self._make()
        failed = self._failures
        try:
            await child.start()
        except ProcessUnavailable as error:
            self._note_failure(failed, error)
            raise
        self._failures = 0
        self._backoff.reset()
        return child

    def _note_failure(self, failed: int, error: ProcessUnavailable) -> None:
        if self._failures > failed:
            return  # another one of the same round was first
        self._failures = failed + 1
        self._reason = str(error)
        self._pause_until = asyncio.get_running_loop().time() + self._backoff.next_seconds()
