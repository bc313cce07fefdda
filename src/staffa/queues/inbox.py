"""What notifications ask for, until it is written to rows.

Invariants: what comes while rows are written waits together for the next write, the last item of a
key alone, in the order in which the last ones came; what an outage keeps from being written is
tried again for ever, and never takes the place of what came later.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from staffa._internal.backoff import Backoff
from staffa.errors import DatabaseError
from staffa.service import Service, severity
from staffa.telemetry import Outages

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Inbox(Service, Generic[K, V]):
    """Writes what comes, one bundle after the other.

    Args:
        what: Is written, in words, for reports.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self._waiting: dict[K, V] = {}
        self._arrived = asyncio.Event()

    @abstractmethod
    async def write(self, items: Sequence[V]) -> None:
        """Write a bundle.

        Raises:
            DatabaseError: If it is to be tried again.
        """

    def put(self, key: K, item: V) -> None:
        """Have an item written soon, after all others, in place of an earlier one of its key."""
        self._waiting.pop(key, None)
        self._waiting[key] = item
        self._arrived.set()

    async def run(self) -> None:
        """Write what has come, until cancelled."""
        backoff = Backoff()
        outages = Outages(f"writing {self._what}")
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            bundle, self._waiting = self._waiting, {}
            try:
                await self.write(list(bundle.values()))
            except DatabaseError as error:
                outages.report(f"{self._what} will be written later", error, level=severity(error))
                later, self._waiting = self._waiting, bundle
                for key, item in later.items():
                    self.put(key, item)
                await asyncio.sleep(backoff.next_seconds())
                self._arrived.set()
            else:
                backoff.reset()
                outages.end()
