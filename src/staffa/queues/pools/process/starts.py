"""Starts children, less and less often while they can't be started.

Invariant: while starts fail, one call tries at a time, after a growing pause of up to five seconds;
when that fails as well, all that have waited for it fail with the same reason. So calls neither
wait for ever nor fail a hundred times a second, and one failure by chance concerns one call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from staffa._internal.backoff import Backoff
from staffa.errors import ProcessUnavailable
from staffa.queues.pools.process.handle import Child


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

    async def start(self) -> Child:
        """Return a child that is ready.

        Raises:
            ProcessUnavailable: If it can't be started.
        """
        if not self._failures:
            return await self._try()
        seen = self._failures
        async with self._turn:
            if self._failures > seen:
                raise ProcessUnavailable(
                    f"{self._reason}; {self._failures} starts in a row have failed"
                )
            if self._failures:
                loop = asyncio.get_running_loop()
                await asyncio.sleep(self._pause_until - loop.time())
            return await self._try()

    async def _try(self) -> Child:
        child = self._make()
        try:
            await child.start()
        except ProcessUnavailable as error:
            self._failures += 1
            self._reason = str(error)
            pause = self._backoff.next_seconds()
            self._pause_until = asyncio.get_running_loop().time() + pause
            raise
        self._failures = 0
        self._backoff.reset()
        return child
