"""What follows when jobs are changed: running ones are stopped, queues woken, hooks called."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from staffa.client.cancels import follow_cancel, follow_ends
from staffa.client.filtered_changes import PORTION
from staffa.client.flows import Flows
from staffa.client.signals import Signals
from staffa.client.stored_batches import StoredBatches
from staffa.engine import Changed, Changes
from staffa.errors import DatabaseError
from staffa.linking import Followed
from staffa.telemetry import report
from staffa.types import State


class Following(Signals):
    """The part of the client that sees to what follows from changes."""

    @property
    def _flows(self) -> Flows:
        return Flows(self._open, self._after_cancel, self._tell_of, self.signal, self._clock)

    @property
    def _batches(self) -> StoredBatches:
        return StoredBatches(self._open, self._after_cancel, self._insertion, self._clock)

    async def _after_cancel(self, changed: Sequence[Changed]) -> None:
        await self._stop(changed)
        engine = (await self._open()).engine
        hooks = None if self._node is None else self._call_cancel_hooks
        await follow_cancel(changed, engine, hooks, self.config.name)
        await self._follow(changed)

    async def _after_retry(self, changed: Sequence[Changed]) -> None:
        await self._wake_queues(changed)
        await self._follow(changed)

    async def _follow(self, changed: Sequence[Changed]) -> None:
        """Tell of what has come of changes of jobs that belong to flows."""
        if isinstance(changed, Changes):
            await self._tell_of(changed.followed)

    def _call_cancel_hooks(self, wanted: Sequence[int]) -> None:
        self._tell_node(lambda node: node.supervisor.aftermath.cancelled(wanted))

    async def _stop(self, changed: Sequence[Changed]) -> None:
        await self._stop_running(
            [job.id for job in changed if job.previous_state is State.EXECUTING]
        )

    async def _wake_queues(self, changed: Sequence[Changed]) -> None:
        await self._wake({job.queue for job in changed})

    async def _tell_of(self, followed: Followed) -> None:
        if followed.woken:
            await self._wake(followed.woken)
        engine = (await self._open()).engine
        tell = None if self._node is None else self._tell_aftermath
        await follow_ends(followed, engine, tell, self.config.name)

    def _tell_aftermath(self, followed: Followed) -> None:
        self._tell_node(lambda node: node.supervisor.aftermath.followed(followed))

    async def _stop_running(self, numbers: Sequence[int]) -> None:
        """Stop cancelled jobs that run: here at once, elsewhere by notifications or heartbeats."""
        if not numbers:
            return
        self._tell_node(lambda node: node.supervisor.check_leases())
        backend = await self._open()
        try:
            for start in range(0, len(numbers), PORTION):
                await backend.notifier.notify(
                    message
                    for number in numbers[start : start + PORTION]
                    for message in self._make_kill(number)
                )
        except DatabaseError as error:
            report("a cancel was not notified; heartbeats tell", error, level=logging.INFO)

    def _make_kill(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        """Return what stops a job, after what tells our own nodes that its row says so already."""
        signal = {"action": "pkill", "job_id": number}
        return [("control", {"name": self.config.name, "signal": signal}), ("signal", signal)]
