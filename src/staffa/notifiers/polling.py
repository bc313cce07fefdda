"""For where nobody can listen, as behind a pooler: jobs, cancels and the rest are found by polling.

Sending goes on: a pooler lets NOTIFY through, and nodes that do listen are hurried by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from staffa.notifier import Handler, Notifier


class PollingNotifier:
    """Sends, and hears nothing.

    Args:
        sender: Sends.
    """

    def __init__(self, sender: Notifier) -> None:
        self._sender = sender

    @property
    def connected(self) -> bool:
        """Never: nothing can arrive."""
        return False

    async def listen(self, channels: Sequence[str], handler: Handler) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""

    async def notify(
        self, messages: Iterable[tuple[str, Mapping[str, Any]]], *, conn: Any = None
    ) -> None:
        """Send payloads to channels, in the transaction of a user's connection if one is given.

        Raises:
            DatabaseError: If they could not be sent.
        """
        await self._sender.notify(messages, conn=conn)

    def notify_on(self, messages: Iterable[tuple[str, Mapping[str, Any]]], conn: Any) -> None:
        """Send payloads in the transaction of a connection of synchronous code."""
        self._sender.notify_on(messages, conn)
