"""Making, starting and stopping a client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, cast
from weakref import WeakSet

from staffa import instance
from staffa._internal.clock import SYSTEM_CLOCK, Clock
from staffa._internal.forks import unforked
from staffa._internal.lazy import load
from staffa._internal.loop_thread import is_loop_thread, loop_thread
from staffa._internal.loops import LoopsLock, call_soon_on, run_on
from staffa.client.answers import Answers
from staffa.client.depths import Depths
from staffa.client.health import Health
from staffa.client.homes import Homes
from staffa.client.insertion import Insertion, Wakes
from staffa.client.node import Node
from staffa.client.options import ClientOptions
from staffa.client.temporary import TemporaryFolder
from staffa.config import Config
from staffa.errors import ConfigError, InstanceError
from staffa.modes import TestingMode, current_mode
from staffa.queue import Queue, parse_queues
from staffa.types import Connectivity, Seconds, to_seconds

if TYPE_CHECKING:
    from staffa.client.backend import Backend
    from staffa.embedded import EmbeddedPostgres

_NODE_SECONDS = 1.0


class Lifecycle:
    """What the other parts of the client stand on: its settings, its database, its node."""

    def __init__(
        self,
        dsn: str | None = None,
        *,
        queues: Mapping[str, int | Queue | Mapping[str, Any]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        pool: Any = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        if "worker_processes" in options:
            raise ConfigError(
                "worker_processes is for 'staffa start', which reads it from staffa.toml, "
                "STAFFA_WORKER_PROCESSES or --processes: a client runs in one process"
            )
        if pool is not None:
            if dsn is not None:
                raise ConfigError("dsn and pool= are both given: give one of them")
            dsn = load("staffa.drivers.pools:dsn_of")(pool)
        config = Config.load(dsn=dsn, queues={} if queues is None else queues, **options)
        # Of what runs, the file and the environment tell `staffa start` alone.
        self.config = config.with_dynamic_queues(options.get("dynamic_queues"))
        self._clock = clock
        self._depths = Depths(self.config.max_depth, clock, self.config.name)
        self._homes = Homes()
        self._temporary = TemporaryFolder()
        self._embedded: EmbeddedPostgres | None = None
        self._embedded_dsn: str | None = None
        self._node: Node | None = None
        self._node_loop: asyncio.AbstractEventLoop | None = None
        self._health: Health | None = None
        self._changing = LoopsLock()
        self._stopping = False
        instance.register(self.config.name, cast("instance.Enqueues", self))
        _clients.add(self)

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
    def control_version(self) -> int | None:
        """Which changes of queues were known when it started; None if it runs none."""
        return None if self._node is None else self._node.supervisor.watchman.began_at

    @property
    def _mode(self) -> TestingMode | None:
        """What it does with jobs in tests; None in earnest."""
        return current_mode(self.config.testing)

    @property
    def health_url(self) -> str | None:
        """Where `/healthz` and `/readyz` are, with `health_port` and while it runs queues."""
        return None if self._health is None else self._health.url

    async def start(self, *, queues: Mapping[str, Any] | None = None) -> None:
        """Connect, and run the queues. Without queues the client only sends, so it does in tests.

        Args:
            queues: Runs these instead of those given at construction.

        Raises:
            SchemaMissing: If the tables are not there: run ``staffa migrate up``.
            DatabaseUnavailable: If the database can't be reached.
            InstanceError: If it runs already.
            ConfigError: If `health_port` is in use.
        """
        async with self._changing:
            if self._node is not None:
                raise InstanceError(f"the client {self.config.name!r} runs already: stop it first")
            if queues is not None:
                self.config = self.config.with_queues(parse_queues(queues))
            instance.register(self.config.name, cast("instance.Enqueues", self))
            if self.config.runs_queues and self._mode is None:
                self._health = Health.open(self.config, self._clock)
            try:
                await self._start()
            except BaseException:
                await self._close_health()
                raise

    async def _start(self) -> None:
        home = await self._homes.open(self._make_backend)
        backend = home.backend
        await backend.check_schema()
        if not self.config.runs_queues or self._mode is not None:
            return
        node = Node(self.config, backend.engine, backend.notifier, home.wakeups, self._clock)
        self._node, self._node_loop = node, home.loop
        try:
            await node.start()
        except BaseException:
            self._node = None
            raise
        if self._health is not None:
            self._health.vitals.node = node

    async def stop(self, *, grace: Seconds | None = None) -> None:
        """Stop in order: no more claims, running jobs may end, what is left is put back.

        A second call while the first one waits ends the grace period at once. It may be called on
        another thread than `start`.

        Args:
            grace: How long running jobs may go on; `shutdown_grace` if not given.
        """
        seconds = self.config.shutdown_grace if grace is None else to_seconds(grace, "grace")
        if self._health is not None:
            self._health.vitals.stopping = True
        if self._stopping:
            self._tell_node(lambda node: node.supervisor.hurry())
        async with self._changing:
            self._stopping = True
            try:
                if self._node is not None and self._node_loop is not None:
                    await run_on(self._node_loop, partial(self._node.stop, seconds))
                    self._node = None
                await self._homes.close()
                self._temporary.remove()
                await self._stop_embedded()
            finally:
                self._stopping = False
                await self._close_health()
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

    @property
    def _insertion(self) -> Insertion:
        # Made each time: the client must hold nothing that holds it, to be forgotten when dropped.
        return Insertion(
            self.config,
            self._clock,
            self._depths,
            self._open,
            Wakes(self._wake, self._wake_soon, self._wake_here, self._wakes_along),
            self._answers,
        )

    async def _open(self) -> Backend:
        """Return the database's side for the running loop, made when it is first needed."""
        return (await self._homes.open(self._make_backend)).backend

    async def _answers(self) -> Answers:
        """Return what waits for relayed jobs on the running loop."""
        return (await self._homes.open(self._make_backend)).answers

    async def _make_backend(self) -> Backend:
        if is_loop_thread(asyncio.get_running_loop()):
            loop_thread().before_end(self._end)
        dsn = self.config.dsn or self._embedded_dsn or await self._start_embedded()
        make_backend = load("staffa.client.backend:make_backend")
        with unforked():  # it reads the package's files, which imports
            backend: Backend = make_backend(
                self.config, dsn, self._after_reconnect, self._clock, self._temporary
            )
        return backend

    async def _start_embedded(self) -> str:
        server: EmbeddedPostgres = load("staffa.embedded:EmbeddedPostgres")(Path.cwd())
        dsn = await asyncio.to_thread(server.start)
        self._embedded, self._embedded_dsn = server, dsn
        return dsn

    async def _close_health(self) -> None:
        health, self._health = self._health, None
        if health is not None:
            await health.close()

    async def _stop_embedded(self) -> None:
        embedded, self._embedded, self._embedded_dsn = self._embedded, None, None
        if embedded is not None:
            await asyncio.to_thread(embedded.stop)

    async def _wake(self, queues: Collection[str]) -> None:
        """Tell this process and all others that queues have jobs."""
        self._wake_here(queues)
        home = self._homes.here()
        if home is not None:  # else the client was stopped meanwhile
            await home.wakeups.send(queues)

    def _wake_here(self, queues: Collection[str]) -> None:
        """Tell this process."""
        self._tell_node(lambda node: node.supervisor.wake(queues))

    def _wakes_along(self, queue: str) -> Collection[str] | None:
        """Return what the statement that writes a job tells of besides; None if it does not."""
        home = self._homes.here()
        return None if home is None else home.wakeups.goes_along(queue)

    def _wake_soon(self, queues: Collection[str]) -> None:
        """Do the same soon, from any thread: on a loop that the client uses, if one still runs."""
        self._wake_here(queues)
        home = self._homes.find_running()
        if home is not None:
            wakeups = home.wakeups
            call_soon_on(home.loop, lambda: wakeups.send_soon(queues))

    def _tell_node(self, what: Callable[[Node], object]) -> None:
        """Call something with the node of this process, if there is one, soon and on its loop."""
        node, loop = self._node, self._node_loop
        if node is not None and loop is not None:
            call_soon_on(loop, lambda: what(node))

    async def _have_node(self, what: Callable[[Node], object]) -> None:
        """Do the same, and wait until it is done; but not for long if its loop is blocked."""
        node, loop = self._node, self._node_loop
        if node is not None and loop is not None:

            async def act() -> None:
                what(node)

            await run_on(loop, act, within=_NODE_SECONDS)

    async def _end(self) -> None:
        """Leave nothing open at the exit of the interpreter."""
        await self.stop(grace=0)

    def _after_reconnect(self) -> None:
        self._tell_node(lambda node: node.wake_all())

    def leave_behind(self) -> None:
        """Begin as if just made, in a process that was forked: the parent runs the node, if any."""
        _inherited.append((self._node, self._embedded))
        self._homes.leave_behind()
        self._node = self._node_loop = self._embedded = self._health = None
        self._changing = LoopsLock()
        self._stopping = False


_clients: WeakSet[Lifecycle] = WeakSet()
_inherited: list[object] = []


def _leave_behind() -> None:
    for client in list(_clients):
        client.leave_behind()


os.register_at_fork(after_in_child=_leave_behind)
