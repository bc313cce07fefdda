"""The health ports of all children: each is opened once, and tells of all of them.

A child that has ended is replaced, so it makes the node not ready, but not dead: an orchestrator
that restarted everything would help no more, and would end what the others run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from staffa.cli.processes.messages import Message
from staffa.errors import ConfigError
from staffa.services.health import LocalServer, Question, Verdict

AskAll = Callable[[str, int, Question], Awaitable[list[Verdict]]]


class Ports:
    """What children had opened.

    Args:
        ask_all: Asks all children about a port of theirs, on the supervisor's event loop.
    """

    def __init__(self, ask_all: AskAll) -> None:
        self._ask_all = ask_all
        self._loop = asyncio.get_running_loop()
        self._open: dict[tuple[str, int], LocalServer] = {}

    async def open(self, host: str, port: int) -> Message:
        """Open a port, unless it is, and return what the child is told: its number, or why not."""
        if (host, port) not in self._open:
            try:
                server = LocalServer(host, port, partial(self._judge, host, port))
            except ConfigError as error:
                return {"number": None, "refused": str(error)}
            self._open[host, port] = server
        return {"number": self._open[host, port].number, "refused": None}

    async def close(self) -> None:
        """Close all."""
        for server in self._open.values():
            await asyncio.to_thread(server.close)

    async def _judge(self, host: str, port: int, question: Question) -> Verdict:
        """Called on the thread of a port."""
        asked = asyncio.run_coroutine_threadsafe(self._gather(host, port, question), self._loop)
        return await asyncio.wrap_future(asked)

    async def _gather(self, host: str, port: int, question: Question) -> Verdict:
        verdicts = await self._ask_all(host, port, question)
        reasons = [
            f"process {verdict.details['process']}: {why}"
            for verdict in verdicts
            for why in verdict.reasons
        ]
        return Verdict(reasons, {"processes": [dict(verdict.details) for verdict in verdicts]})
