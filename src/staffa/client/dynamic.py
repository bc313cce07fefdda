"""Queues that are kept in the database: inserting, changing and deleting them from anywhere.

A change is written to rows first, in one transaction; then it is notified, which only hurries it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from staffa.client.queues import Queues
from staffa.dynamic import DynamicQueue, read_options
from staffa.errors import ConfigError, DatabaseError
from staffa.queue import ALL_QUEUES, Queue, check_queue_name, parse_queues
from staffa.queues import dynamic
from staffa.queues.dynamic import Plan
from staffa.queues.synchronising import change, tell
from staffa.telemetry import report


class DynamicQueues(Queues):
    """Queues that are kept in the database."""

    async def insert_queue(self, queue: str, options: int | Queue | Mapping[str, Any]) -> None:
        """Have a queue run from now on in each worker process that its `only` names.

        It is kept in the database, so that processes which start later run it, too. If there is a
        dynamic queue of this name, it has these options from now on and no others.

        Args:
            queue: Its name.
            options: How it runs: a limit, a `Queue`, or a table as in ``staffa.toml``.

        Raises:
            ConfigError: If the name or an option can't be used.
            DatabaseError: If it could not be written; nothing has changed then, unless only the
                reply was lost. It may be repeated.

        Example:
            ```python
            await app.insert_queue("reports", Queue(limit=2, only=Only(node_matches="^batch")))
            await app.delete_queue("reports")
            ```
        """
        await self.insert_queues({queue: options})

    async def insert_queues(self, queues: Mapping[str, int | Queue | Mapping[str, Any]]) -> None:
        """Do the same with several queues, all or none.

        Args:
            queues: Their options by name.

        Raises:
            ConfigError: If a name or an option can't be used.
            DatabaseError: If they could not be written.

        Example:
            ```python
            await app.insert_queues({"tenant.1": 5, "tenant.2": {"limit": 2, "paused": True}})
            ```
        """
        wanted = parse_queues(queues)
        if ALL_QUEUES in wanted:
            raise ConfigError(f"queue {ALL_QUEUES!r} names all queues: give another name")
        await self._change(partial(dynamic.insert, queues=wanted))

    async def update_queue(self, queue: str, **options: Any) -> None:
        """Change options of a dynamic queue, and leave its others as they are.

        Two clients that change different options of one queue at the same time undo nothing of
        each other's.

        Args:
            queue: Its name.
            **options: Options of `Queue` by name; None takes one back to its default.

        Raises:
            UnknownOption: If there is no such queue.
            ConfigError: If an option can't be used.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.insert_queue("reports", 2)
            await app.update_queue("reports", limit=5, only={"not_node": "web.1"})
            ```
        """
        check_queue_name(queue)
        read_options(queue, {name: value for name, value in options.items() if value is not None})
        await self._change(partial(dynamic.update, name=queue, options=options))

    async def delete_queue(self, queue: str) -> bool:
        """Have a dynamic queue run nowhere any more; running jobs go on, waiting ones stay.

        A process that was configured with a queue of this name, not a dynamic one, goes on with
        that.

        Args:
            queue: Its name.

        Returns:
            Whether there was one.

        Raises:
            ConfigError: If the queue is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            await app.delete_queue("reports")
            ```
        """
        plan = await self._change(partial(dynamic.delete, name=check_queue_name(queue)))
        return bool(plan.happened)

    async def list_queues(self) -> list[DynamicQueue]:
        """Return the dynamic queues of this instance by name, whatever runs here.

        Raises:
            DatabaseError: If they could not be read.

        Example:
            ```python
            for queue in await app.list_queues():
                print(queue.queue, queue.options)
            ```
        """
        backend = await self._open()
        found = await backend.engine.read_dynamic_queues(self.config.name)
        return [queue for queue in found if not queue.deleted]

    async def get_queue(self, queue: str) -> DynamicQueue | None:
        """Return a dynamic queue; None if there is none of that name.

        Args:
            queue: Its name.

        Raises:
            DatabaseError: If it could not be read.

        Example:
            ```python
            await app.insert_queue("reports", 2)
            found = await app.get_queue("reports")
            print(found.read().limit)
            ```
        """
        return next((one for one in await self.list_queues() if one.queue == queue), None)

    async def _change(self, make: Callable[[Sequence[DynamicQueue]], Plan]) -> Plan:
        backend = await self._open()
        plan, written = await change(backend.engine, self.config.name, make)
        tell(plan, self.config.name)
        if not written:
            return plan
        await self._have_node(lambda here: here.supervisor.roster.obey(written))
        try:
            await backend.notifier.notify([("control", {"name": self.config.name})])
        except DatabaseError as error:
            report("a change was not notified; heartbeats tell", error, level=logging.INFO)
        return plan
