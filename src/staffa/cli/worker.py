"""One worker process of `staffa start`: runs a client's queues until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Mapping

from staffa import registry
from staffa.cli.limit_status import tell_limits
from staffa.cli.oversights import find_oversights
from staffa.cli.processes.parent import MARGIN_SECONDS, Parent
from staffa.client import Staffa
from staffa.limits import Limits
from staffa.queue import Queue, QueueCheck
from staffa.services.health import serve_ports_by

logger = logging.getLogger("staffa")

_LAST_SECONDS = 1.0


async def run_worker(client: Staffa, queues: Mapping[str, Queue], parent: Parent | None) -> None:
    """Run queues until SIGTERM or SIGINT.

    Args:
        client: Runs them.
        queues: What to run.
        parent: The supervisor, in one of several processes.
    """
    _keep_what_is_loaded()
    if parent is not None:
        serve_ports_by(parent.open_port)
        parent.patience = client.config.shutdown_grace + MARGIN_SECONDS
    try:
        await _run(client, queues, parent)
    finally:
        await client.stop()
    await _leave_behind_what_does_not_end()
    if parent is not None:
        parent.leave()


def _keep_what_is_loaded() -> None:
    """Have the garbage collector pass over all modules: they live as long as the process.

    While jobs run it would walk them again and again, which took a tenth of the time of one that
    does nothing.
    """
    gc.collect()
    gc.freeze()


class _Stop:
    """What has been asked: to stop, and then to stop at once.

    Args:
        parent: Says when to stop at once; without one, the second signal does.
    """

    def __init__(self, parent: Parent | None) -> None:
        self._parent = parent
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        again = self.asked.is_set() if self._parent is None else self._parent.hurried
        self.asked.set()
        if again:
            self.hurried.set()


async def _run(client: Staffa, queues: Mapping[str, Queue], parent: Parent | None) -> None:
    stop = _Stop(parent)
    if not await _start(client, queues, stop):
        return
    _tell_what_runs(client)
    if parent is not None:
        parent.tell_running(client.control_version)
    await stop.asked.wait()
    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(client.stop())
        hurrying = group.create_task(_stop_at_once(client, stop))
        await asyncio.wait([stopping])
        hurrying.cancel()
    logger.info("stopped")


def _tell_what_runs(client: Staffa) -> None:
    running = {check.queue: check.limit for check in client.check_all_queues()}
    told = ", ".join(map(_tell_queue, client.check_all_queues()))
    if client.config.node_limit is not None:
        told += f" (node limit {client.config.share.of(client.config.node_limit)})"
    known = [found for name in registry.names() if (found := registry.find(name))]
    logger.info("running %s; workers known: %d", told, len(known))
    if client.config.share.index == 0:  # the first process runs all queues, and speaks for all
        queues = [worker.options.get("queue") for worker in known]
        for oversight in find_oversights(running, queues):
            logger.warning("%s", oversight)


def _tell_queue(check: QueueCheck) -> str:
    limits = Limits(global_limit=check.global_limit, rate_limit=check.rate_limit)
    everywhere = f" (on all nodes {tell_limits(limits)})" if limits.any else ""
    return f"{check.queue}:{check.limit}{everywhere}"


async def _start(client: Staffa, queues: Mapping[str, Queue], stop: _Stop) -> bool:
    """Start, unless a signal comes before that is done; tell if it was."""
    starting = asyncio.ensure_future(client.start(queues=queues))
    asked = asyncio.ensure_future(stop.asked.wait())
    await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
    for task in (starting, asked):
        task.cancel()
    await asyncio.wait([starting, asked])
    if starting.cancelled():
        logger.info("stopped before it had started")
        return False
    starting.result()  # raises what kept it from starting
    return True


async def _stop_at_once(client: Staffa, stop: _Stop) -> None:
    """End the grace period once that is asked for."""
    await stop.hurried.wait()
    logger.info("stopping at once")
    await client.stop(grace=0)


async def _leave_behind_what_does_not_end() -> None:
    """End the process although jobs go on that ignore their cancellation: they were put back."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left and (await asyncio.wait(left, timeout=_LAST_SECONDS))[1]:
        logger.warning("jobs that ignore their cancellation are left behind")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
