"""What a client has open, for each event loop that uses it.

Connections belong to the loop on which they were made. A program may use one client on several: on
its own loop, on the one of synchronous calls, on those that come and go with `asyncio.run`. So each
loop has a home: connections of its own, made when it first needs them.

Invariants: a home is used on its loop alone, and closed there, whoever asks for it; one whose loop
has ended is forgotten, as its connections have gone along. After a fork the child begins without
any: it keeps what it has inherited without touching it, as closing a connection would end the
session of the parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from staffa._internal.loops import LoopsLock, run_on
from staffa.client.answers import Answers
from staffa.client.wakeups import Wakeups

if TYPE_CHECKING:
    from staffa.client.backend import Backend

_inherited: list[object] = []


@dataclass(frozen=True, slots=True)
class Home:
    """What a client has open on one loop.

    Args:
        loop: The loop.
        backend: The database's side.
        wakeups: Tells other nodes of jobs.
        answers: Waits for the ends of relayed jobs.
    """

    loop: asyncio.AbstractEventLoop
    backend: Backend
    wakeups: Wakeups
    answers: Answers

    async def close(self) -> None:
        """Close it, on its loop, once all jobs are told of."""
        await self.answers.close()
        await self.wakeups.flush()
        await self.backend.engine.close()


class Homes:
    """The homes of one client."""

    def __init__(self) -> None:
        self._homes: dict[asyncio.AbstractEventLoop, Home] = {}
        self._making = LoopsLock()

    def here(self) -> Home | None:
        """Return the home of the running loop, if it has one."""
        return self._homes.get(asyncio.get_running_loop())

    async def open(self, make: Callable[[], Awaitable[Backend]]) -> Home:
        """Return the home of the running loop, made if it has none.

        Args:
            make: Makes the database's side for the running loop.
        """
        loop = asyncio.get_running_loop()
        home = self._homes.get(loop)
        if home is not None:
            return home
        async with self._making:
            for ended in [known for known in self._homes if known.is_closed()]:
                self._homes.pop(ended, None)
            if loop not in self._homes:
                backend = await make()
                answers = Answers(backend.engine, backend.make_listener)
                self._homes[loop] = Home(loop, backend, Wakeups(backend.notifier), answers)
            return self._homes[loop]

    def find_running(self) -> Home | None:
        """Return a home whose loop runs, this thread's if there is one; any thread may ask."""
        try:
            here = self.here()
        except RuntimeError:
            here = None
        others = (home for home in list(self._homes.values()) if home.loop.is_running())
        return here or next(others, None)

    async def close(self) -> None:
        """Close all of them, each on its own loop."""
        homes, self._homes = self._homes, {}
        for home in homes.values():
            await run_on(home.loop, home.close)

    def leave_behind(self) -> None:
        """Begin without any after a fork."""
        _inherited.append(self._homes)
        self._homes = {}
        self._making = LoopsLock()
