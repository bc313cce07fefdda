"""Making, starting and stopping a client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from staffa import instance
from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa._internal.lazy import load
from staffa.client.depths import Depths
from staffa.client.node import Node
from staffa.client.wakeups import Wakeups
from staffa.config import ClientOptions, Config
from staffa.errors import InstanceError
from staffa.modes import TestingMode, current_mode
from staffa.queue import Queue, parse_queues
from staffa.types import Connectivity, Seconds, to_seconds

if TYPE_CHECKING:
    from staffa.client.backend import Backend
    from staffa.embedded import EmbeddedPostgres


class Lifecycle:
    """What the other parts of the client stand on: its settings, its database, its node."""

    def __init__(
        self,
        dsn: str | None = None,
        *,
        queues: Mapping[str, int | Queue | Mapping[str, Any]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.config = Config.load(dsn=dsn, queues={} if queues is None else queues, **options)
        self._clock = clock
        self._depths = Depths(self.config.max_depth, clock, self.config.name)
        self._backend: Backend | None = None
        self._wakeups: Wakeups | None = None
        self._embedded: EmbeddedPostgres | None = None
        self._node: Node | None = None
        self._opening = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._stopping = False
        instance.register(self.config.name, cast("instance.Enqueues", self))

    @classmethod
    def get_instance(cls, name: str | None = None) -> Self:
        """Return the client of a name, or the only one of this process.

        Args:
            name: The name that it was made with.

        Raises:
            InstanceError: If there is none, or several and no name is given.
        """
        return cast("Self", instance.get(name))

    @property
    def started(self) -> bool:
        """Whether it runs queues."""
        return self._node is not None

    @property
    def connectivity(self) -> Connectivity:
        """Whether notifications reach this process, as far as it knows; see `Connectivity`."""
        return Connectivity.UNKNOWN if self._node is None else self._node.upkeep.connectivity

    @property
    def _mode(self) -> TestingMode | None:
        """What it does with jobs in tests; None in earnest."""
        return current_mode(self.config.testing)

    async def start(self, *, queues: Mapping[str, Any] | None = None) -> None:
        """Connect, and run the queues. Without queues the client only sends, so it does in tests.

        Args:
            queues: Runs these instead of those given at construction.

        Raises:
            SchemaMissing: If the tables are not there: run ``staffa migrate up``.
            DatabaseUnavailable: If the database can't be reached.
            InstanceError: If it runs already.
        """
        async with self._changing:
            if self._node is not None:
                raise InstanceError(f"the client {self.config.name!r} runs already: stop it first")
            if queues is not None:
                self.config = self.config.with_queues(parse_queues(queues))
            instance.register(self.config.name, cast("instance.Enqueues", self))
            backend = await self._open()
            await backend.check_schema()
            if not self.config.queues or self._mode is not None:
                return
            assert self._wakeups is not None  # noqa: S101  # made with the backend
            node = Node(self.config, backend.engine, backend.notifier, self._wakeups, self._clock)
            self._node = node
            try:
                await node.start()
            except BaseException:
                self._node = None
                raise

    async def stop(self, *, grace: Seconds | None = None) -> None:
        """Stop in order: no more claims, running jobs may end, what is left is put back.

        A second call while the first one waits ends the grace period at once.

        Args:
            grace: How long running jobs may go on; `shutdown_grace` if not given.
        """
        seconds = self.config.shutdown_grace if grace is None else to_seconds(grace, "grace")
        if self._stopping and self._node is not None:
            self._node.supervisor.hurry()
        async with self._changing:
            self._stopping = True
            try:
                if self._node is not None:
                    await self._node.stop(seconds)
                    self._node = None
                await self._close()
            finally:
                self._stopping = False
            instance.unregister(self.config.name, cast("instance.Enqueues", self))

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _open(self) -> Backend:
        """Return the database's side, made when it is first needed."""
        if self._backend is not None:
            return self._backend
        async with self._opening:
            if self._backend is None:
                dsn = self.config.dsn or await self._start_embedded()
                make_backend = load("staffa.client.backend:make_backend")
                backend: Backend = make_backend(self.config, dsn, self._after_reconnect)
                self._wakeups = Wakeups(backend.notifier)
                self._backend = backend
            return self._backend

    async def _close(self) -> None:
        backend, self._backend, self._wakeups = self._backend, None, None
        if backend is not None:
            await backend.engine.close()
        embedded, self._embedded = self._embedded, None
        if embedded is not None:
            await asyncio.to_thread(embedded.stop)

    async def _start_embedded(self) -> str:
        server: EmbeddedPostgres = load("staffa.embedded:EmbeddedPostgres")(Path.cwd())
        dsn = await asyncio.to_thread(server.start)
        self._embedded = server
        return dsn

    def _after_reconnect(self) -> None:
        if self._node is not None:
            self._node.wake_all()
