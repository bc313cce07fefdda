"""Looking at the queues of this process, and changing queues wherever they run.

A change is written to rows first, in one statement; then it is notified, which only hurries it.
"""

from __future__ import annotations

import logging
from typing import Any

from staffa._internal.identifiers import MAX_NAME_LENGTH, is_storable_name
from staffa.client.operations import Operations
from staffa.engine import EVERYBODY, Control, node_scope
from staffa.errors import ConfigError, DatabaseError, InstanceError
from staffa.queue import ALL_QUEUES, MAX_LIMIT, Queue, QueueCheck, check_queue_name
from staffa.queues.controls import is_limit
from staffa.telemetry import report


class Queues(Operations):
    """Queues."""

    def check_queue(self, queue: str) -> QueueCheck:
        """Return what a queue does in this process.

        Raises:
            InstanceError: If it does not run here.
        """
        checks = self.check_all_queues()
        for check in checks:
            if check.queue == queue:
                return check
        running = ", ".join(check.queue for check in checks) or "none"
        raise InstanceError(f"queue {queue!r} does not run here: running are {running}")

    def check_all_queues(self) -> list[QueueCheck]:
        """Return what each queue does in this process."""
        node = self._node
        return [] if node is None else node.supervisor.roster.check()

    async def pause_queue(self, queue: str, *, node: str | None = None) -> None:
        """Claim no more jobs of a queue; jobs that run go on.

        Args:
            queue: Its name.
            node: Only on this node, until its processes end. Without it on all nodes, those that
                are started later too, until the queue is resumed.

        Raises:
            ConfigError: If the queue or the node is no name.
            DatabaseError: If it could not be written; nothing has changed then, unless only the
                reply was lost. It may be repeated.

        Example:
            ```python
            await app.pause_queue("mail")
            await app.resume_queue("mail")
            ```
        """
        await self._control("pause", _check_queue(queue), {"paused": True}, node)

    async def resume_queue(self, queue: str, *, node: str | None = None) -> None:
        """Claim jobs of a queue again.

        Args:
            queue: Its name.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.resume_queue("mail", node="web.1")
            ```
        """
        await self._control("resume", _check_queue(queue), {"paused": False}, node)

    async def pause_all_queues(self, *, node: str | None = None) -> None:
        """Claim no more jobs of any queue; jobs that run go on.

        Args:
            node: Only on this node, until its processes end.

        Raises:
            ConfigError: If the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.pause_all_queues()
            await app.resume_queue("mail")  # all but this one stay paused
            ```
        """
        await self._control("pause", ALL_QUEUES, {"paused": True}, node)

    async def resume_all_queues(self, *, node: str | None = None) -> None:
        """Claim jobs of all queues again, whichever way they were paused.

        Args:
            node: Only on this node.

        Raises:
            ConfigError: If the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.resume_all_queues()
            ```
        """
        await self._control("resume", ALL_QUEUES, {"paused": False}, node)

    async def scale_queue(self, queue: str, *, limit: int, node: str | None = None) -> None:
        """Change how many jobs of a queue run at once in each process, until the process ends.

        The processes of one `staffa start --processes N` share the limit.

        Args:
            queue: Its name.
            limit: How many. Jobs that run above a lower limit go on.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name, or the limit can't be used.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.scale_queue("mail", limit=20)
            ```
        """
        await self._control("scale", _check_queue(queue), {"limit": _check_limit(limit)}, node)

    async def start_queue(
        self,
        queue: str,
        *,
        limit: int | None = None,
        paused: bool | None = None,
        node: str | None = None,
    ) -> None:
        """Run a queue in each worker process that is alive now, until it ends.

        Args:
            queue: Its name.
            limit: How many of its jobs run at once in each process, or in all of one `staffa start
                --processes N` together. Without it, what was set last, what is configured, or 10.
            paused: Whether it starts paused. Without it, a pause stays as it is.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name, or an option can't be used.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.start_queue("reports", limit=2, node="web.1")
            ```
        """
        settings: dict[str, Any] = {"running": True}
        if limit is not None:
            settings["limit"] = _check_limit(limit)
        if paused is not None:
            if not isinstance(paused, bool):
                raise ConfigError(f"paused is {paused!r:.100}: give True or False")
            settings["paused"] = paused
        await self._control("start", _check_queue(queue), settings, node)

    async def stop_queue(self, queue: str, *, node: str | None = None) -> None:
        """Run a queue no more, in each worker process that is alive now; jobs that run go on.

        Args:
            queue: Its name.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.stop_queue("reports")
            ```
        """
        await self._control("stop", _check_queue(queue), {"running": False}, node)

    async def _control(
        self, action: str, queue: str, settings: dict[str, Any], node: str | None
    ) -> None:
        scope = EVERYBODY if node is None else node_scope(_check_node(node))
        backend = await self._open()
        wanted = [Control(queue, scope, option, value) for option, value in settings.items()]
        written = await backend.engine.control_queues(self.config.name, wanted)
        if node is None or node == self.config.node:
            await self._have_node(lambda here: here.supervisor.roster.obey(written))
        signal = _make_signal(action, queue, settings, self._ident(node))
        twin = {"name": self.config.name, "signal": signal}
        try:
            await backend.notifier.notify([("control", twin), ("signal", signal)])
        except DatabaseError as error:
            report(f"a {action} was not notified; heartbeats tell", error, level=logging.INFO)

    def _ident(self, node: str | None) -> str:
        return "any" if node is None else f"{self.config.name}.{node}"


def _make_signal(action: str, queue: str, settings: dict[str, Any], ident: str) -> dict[str, Any]:
    """Return what peers understand: keys that they don't know stop some of them."""
    signal: dict[str, Any] = {"action": action, "queue": queue, "ident": ident}
    if action == "start":
        signal["limit"] = settings.get("limit", Queue().limit)  # they have no default
        if "paused" in settings:
            signal["paused"] = settings["paused"]
    elif action == "scale":
        signal["limit"] = settings["limit"]
    return signal


def _check_queue(queue: str) -> str:
    if check_queue_name(queue) == ALL_QUEUES:
        raise ConfigError(
            f"queue {queue!r} names all queues: call pause_all_queues or resume_all_queues"
        )
    return queue


def _check_node(node: object) -> str:
    if not is_storable_name(node):
        raise ConfigError(
            f"node {node!r:.200} is no name: give 1 to {MAX_NAME_LENGTH} characters, or none for "
            "all nodes"
        )
    return str(node)


def _check_limit(limit: int) -> int:
    if not is_limit(limit):
        raise ConfigError(f"limit is {limit!r:.100}: give a whole number from 1 to {MAX_LIMIT}")
    return limit
