"""Starts the children, passes signals on, and ends when all of them have ended.

The first child is started alone: what keeps it from running (a module, the settings, the database)
would keep all from it, and is so told once. The others follow when its queues run.

What is set at run time for processes that are alive, a limit or the pause of a node, is set for the
node. So it holds for children that are started later, in the place of others, as long as the
supervisor lives: each is told which changes the very first one knew, and takes in those after them.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence

from staffa.cli.processes.health import Ports
from staffa.cli.processes.place import Place
from staffa.services.health import Question, Verdict
from staffa.share import Share

logger = logging.getLogger("staffa")


class Supervisor:
    """Looks after the children of one `staffa start`. Made on its event loop.

    Args:
        command: Runs queues.
        count: How many processes do.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._ports = Ports(self._ask_all)
        self._places = [
            Place(command, Share(index, count), self._ports.open, self._on_running, self._refuse)
            for index in range(count)
        ]
        self._since: int | None = None
        self._stopping = False
        self._refused: int | None = None

    async def run(self) -> int:
        """Run until a signal, or until a child refuses to start; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        first, *others = self._places
        async with asyncio.TaskGroup() as group:
            kept = group.create_task(first.keep())
            ran = group.create_task(first.has_run.wait())
            await asyncio.wait({kept, ran}, return_when=asyncio.FIRST_COMPLETED)
            for place in others:
                group.create_task(place.keep())
            telling = group.create_task(self._tell_running())
            await asyncio.wait([kept])
            ran.cancel()
            telling.cancel()
        await self._ports.close()
        logger.info("all worker processes have ended")
        if self._refused is not None:
            return self._refused
        return next((place.exit_code for place in self._places if place.exit_code), 0)

    async def _tell_running(self) -> None:
        for place in self._places:
            await place.has_run.wait()
        logger.info("all %d worker processes run", len(self._places))

    def _on_running(self, control_version: int | None) -> None:
        if self._since is None and control_version is not None:
            self._since = control_version
            for place in self._places:
                place.hold_since(control_version)

    def _on_signal(self) -> None:
        if self._stopping:
            logger.info("stopping all worker processes at once")
            for place in self._places:
                place.hurry()
            return
        logger.info("stopping all worker processes")
        self._stop()

    def _stop(self) -> None:
        self._stopping = True
        for place in self._places:
            place.stop()

    def _refuse(self, code: int) -> None:
        if self._refused is None:
            self._refused = code
        self._stop()

    async def _ask_all(self, host: str, port: int, question: Question) -> list[Verdict]:
        return await asyncio.gather(*(place.judge(host, port, question) for place in self._places))
