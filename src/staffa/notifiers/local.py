"""Notifications within one process: clients on the same database hear each other.

For databases that carry none. What other processes do is found by polling.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from staffa.errors import ConfigError
from staffa.notifier import Handler, decode_payload, encode_payload
from staffa.telemetry import observed


@dataclass(frozen=True, eq=False, slots=True)
class _Ear:
    """Somebody who listens."""

    place: tuple[str, int]
    channels: Sequence[str]
    handler: Handler
    loop: asyncio.AbstractEventLoop


_ears: list[_Ear] = []


@observed("staffa.notifier", "notify")
class LocalNotifier:
    """Carries notifications between the clients of a process.

    Args:
        place: What those have in common that hear each other: the database.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._ear: _Ear | None = None

    @property
    def connected(self) -> bool:
        """Whether notifications can arrive at the moment."""
        return self._ear in _ears

    async def listen(self, channels: Sequence[str], handler: Handler) -> None:
        """Listen to channels from now on."""
        await self.stop()
        self._ear = _Ear(self._here, channels, handler, asyncio.get_running_loop())
        _ears.append(self._ear)

    async def stop(self) -> None:
        """Stop listening."""
        if self._ear is not None and self._ear in _ears:
            _ears.remove(self._ear)
        self._ear = None

    async def notify(
        self, messages: Iterable[tuple[str, Mapping[str, Any]]], *, conn: Any = None
    ) -> None:
        """Send payloads to channels.

        Raises:
            ConfigError: If a user's connection is given: no transaction carries them.
            ValueError: If a payload is too long.
        """
        if conn is not None:
            raise ConfigError("notifications can't be sent in a transaction here: leave conn= out")
        for channel, payload in messages:
            sent = encode_payload(payload)  # what arrives is a copy, as from another process
            for ear in tuple(_ears):
                if ear.place == self._here and channel in ear.channels:
                    with suppress(RuntimeError):  # its loop was closed, perhaps this very moment
                        ear.loop.call_soon_threadsafe(ear.handler, channel, decode_payload(sent))

    def notify_on(self, messages: Iterable[tuple[str, Mapping[str, Any]]], conn: Any) -> None:
        """Refuse: no transaction carries them.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError("notifications can't be sent in a transaction here: leave conn= out")

    @property
    def _here(self) -> tuple[str, int]:
        """The database in this process: a forked child does not reach its parent."""
        return self._place, os.getpid()
