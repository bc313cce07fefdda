"""The PostgreSQL of a chaos run: durable, its own, and crashed now and then."""

from __future__ import annotations

import asyncio
from pathlib import Path

from staffa.embedded import EmbeddedPostgres
from staffa.embedded.account import Account
from staffa.embedded.cluster import Cluster
from staffa.embedded.places import Places

_CRASH_SECONDS = 60.0


class ChaosServer:
    """A server in a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._embedded = EmbeddedPostgres(folder)

    async def start(self) -> str:
        """Start it, also after a crash, and return its DSN."""
        return await asyncio.to_thread(self._embedded.start)

    async def crash(self) -> None:
        """Stop it immediately, as `pg_ctl stop -m immediate` does."""
        account = Account.current()
        cluster = Cluster(Places.of(self._folder, account), account)
        ended = await asyncio.to_thread(cluster._end, "QUIT", _CRASH_SECONDS)
        assert ended, "the server does not stop"

    def stop(self) -> None:
        """Stop it in order, and keep its data."""
        self._embedded.stop()

    def remove(self) -> None:
        """Stop it, and delete its data."""
        self._embedded.remove()
