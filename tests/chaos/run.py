"""One chaos run: prepare, disturb, let it settle, judge."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import asyncpg

from staffa import Staffa
from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from tests.chaos import marks
from tests.chaos.faults import FAULTS, Fault, schedule
from tests.chaos.history import FINAL, History, install, read_history
from tests.chaos.notes import Notebook
from tests.chaos.oracles import (
    GENERAL,
    AbandonedLeases,
    CappedRescues,
    Oracle,
    SilentProducers,
    judge,
)
from tests.chaos.scenario import Scenario, Scene
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.server import ChaosServer
from tests.chaos.settings import (
    DEAD_AFTER,
    HEARTBEAT,
    MAX_RESCUES,
    PREFIX,
    PROMPT,
    RunSettings,
)
from tests.chaos.slots import STOP_SECONDS, EnqueuerSlot, WorkerSlot
from tests.chaos.world import World
from tests.support.events import eventually
from tests.support.proxy import Proxy

_OPERATOR_SECONDS = 0.5
_IDLE_SECONDS = 60.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a run.

    Args:
        history: All that is known of it.
        faults: How often each fault was injected.
        skipped: How many could not be.
        violations: What contradicts each oracle.
    """

    history: History
    faults: Counter[str]
    skipped: int
    violations: Mapping[str, list[str]]

    @property
    def passed(self) -> bool:
        """Whether nothing contradicts any oracle."""
        return not any(self.violations.values())


class ChaosRun:
    """A run.

    Args:
        settings: How large it is.
        server: Its server.
        scenarios: What is done in it.
    """

    def __init__(
        self,
        settings: RunSettings,
        server: ChaosServer,
        scenarios: Sequence[Scenario] = SCENARIOS,
    ) -> None:
        self._settings = settings
        self._server = server
        self._scenarios = scenarios
        self._notebook = Notebook(settings.folder / "notes")
        self._faults: Counter[str] = Counter()
        self._skipped = 0

    async def run(self) -> Verdict:
        """Do it all."""
        dsn = await self._server.start()
        await self._prepare(dsn)
        with marks.exported(dsn, PREFIX):
            async with self._world(dsn) as world:
                await self._disturb(world)
                await self._settle(world)
        return await self._judge(dsn)

    async def _prepare(self, dsn: str) -> None:
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        await make_migrator(dsn, PREFIX).up()
        connection = await asyncpg.connect(dsn)
        await install(connection, PREFIX)
        for scenario in self._scenarios:
            await scenario.prepare(connection, PREFIX)
        await connection.close()

    @contextlib.asynccontextmanager
    async def _world(self, dsn: str) -> AsyncIterator[World]:
        """Start all processes; of the workers and enqueuers, all but the first have a proxy."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            proxies = [
                None if number == 0 else await stack.enter_async_context(Proxy(dsn))
                for number in range(settings.workers + settings.enqueuers)
            ]
            workers = [
                self._worker(f"worker-{number}", dsn, proxies[number])
                for number in range(settings.workers)
            ]
            enqueuers = [
                EnqueuerSlot(
                    f"enqueuer-{number}", settings.folder, self._notebook,
                    proxies[settings.workers + number], dsn=dsn,
                    arguments=["--prefix", PREFIX, "--seed", str(settings.seed),
                               "--rate", str(settings.jobs_per_second)],
                )
                for number in range(settings.enqueuers)
            ]  # fmt: skip
            world = World(self._server, dsn, PREFIX, self._notebook, workers, enqueuers)
            for slot in (*workers, *enqueuers):
                stack.callback(slot.kill)
            async with asyncio.TaskGroup() as group:
                for slot in (*workers, *enqueuers):
                    group.create_task(slot.keep())
                yield world

    def _worker(self, name: str, dsn: str, proxy: Proxy | None) -> WorkerSlot:
        queues = {name: limit for each in self._scenarios for name, limit in each.queues.items()}
        settings = {key: value for each in self._scenarios for key, value in each.settings.items()}
        # Those without a proxy are never told anything: to them every notification is lost.
        deaf = {} if proxy else {"notifier": "polling"}
        return WorkerSlot(
            name,
            self._settings.folder,
            self._notebook,
            proxy,
            dsn=dsn,
            prefix=PREFIX,
            modules=[scenario.module for scenario in self._scenarios],
            queues=queues,
            settings={**PROMPT, **settings, **deaf},
        )

    async def _disturb(self, world: World) -> None:
        """Inject the faults of the schedule, each at its time, while operators work."""
        settings = self._settings
        slots = (*world.workers, *world.enqueuers)
        await eventually(lambda: all(slot.is_up for slot in slots), "all processes", STOP_SECONDS)
        kinds = [*FAULTS, *(fault for each in self._scenarios for fault in each.faults)]
        if settings.only:
            kinds = [kind for kind in kinds if kind.name in settings.only]
        planned = schedule(
            Random(settings.seed), settings.seconds, settings.seconds_between_faults, kinds
        )
        operator = asyncio.create_task(self._operate(world))
        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                for at, fault in planned:
                    await asyncio.sleep(max(began + at - time.monotonic(), 0))
                    group.create_task(self._inject(fault, world))
                await asyncio.sleep(max(began + settings.seconds - time.monotonic(), 0))
        finally:
            operator.cancel()
            await asyncio.wait([operator])

    async def _inject(self, fault: Fault, world: World) -> None:
        drawn = {name: value for name, value in vars(fault).items() if name != "random"}
        self._notebook.write("fault", name=fault.name, drawn=repr(drawn))
        done = await fault.inject(world)
        self._notebook.write("fault over", name=fault.name, done=done)
        if done:
            self._faults[fault.name] += 1
        else:
            self._skipped += 1

    async def _operate(self, world: World) -> None:
        random = Random(f"{self._settings.seed} operator")
        async with self._scene(world, random) as scene:
            while True:
                with contextlib.suppress(Exception):  # an outage, in whatever shape it comes
                    await random.choice(self._scenarios).operate(scene)
                await asyncio.sleep(random.expovariate(1 / _OPERATOR_SECONDS))

    @contextlib.asynccontextmanager
    async def _scene(self, world: World, random: Random) -> AsyncIterator[Scene]:
        client = Staffa(world.dsn, prefix=PREFIX, name="operator")
        try:
            yield Scene(client, world.dsn, PREFIX, self._notebook, random, "operator")
        finally:
            await client.stop()

    async def _settle(self, world: World) -> None:
        """Let all jobs end, now that nothing disturbs them, then all processes.

        It is given up when nothing has changed for long, however slow the machine is.
        """
        self._notebook.write("settling")
        await asyncio.gather(*(slot.stop() for slot in world.enqueuers))
        async with self._scene(world, Random(0)) as scene:
            for scenario in self._scenarios:
                await scenario.settle(scene)
        seen, since = None, time.monotonic()
        connection = await asyncpg.connect(world.dsn)
        while time.monotonic() - since < _IDLE_SECONDS:
            left, last = await self._look(connection)
            if left == 0 and all(slot.is_up for slot in world.workers):
                waits = [not await each.settled(connection, PREFIX) for each in self._scenarios]
                if not any(waits):
                    break
            if (left, last) != seen:
                seen, since = (left, last), time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)
        await connection.close()
        await asyncio.gather(*(slot.stop() for slot in world.workers))

    async def _look(self, connection: asyncpg.Connection) -> tuple[int, int]:
        """Return how many jobs have not ended, and the place of the last change."""
        schema = quote_identifier(PREFIX)
        row = await connection.fetchrow(
            f"SELECT (SELECT count(*) FROM {schema}.oban_jobs WHERE state::text <> ALL ($1)) AS n,"
            f" (SELECT coalesce(max(seq), 0) FROM {schema}.history_changes) AS last",
            list(FINAL),
        )
        assert row is not None
        return row["n"], row["last"]

    async def _judge(self, dsn: str) -> Verdict:
        connection = await asyncpg.connect(dsn)
        effects = await connection.fetch(
            f"SELECT token FROM {quote_identifier(PREFIX)}.chaos_effects WHERE kind = 'enqueued'"
        )
        history = await read_history(
            connection,
            PREFIX,
            notes=self._notebook.read(),
            effects=[row["token"] for row in effects],
        )
        oracles: dict[str, Oracle] = {
            **GENERAL,
            "capped rescues": CappedRescues(MAX_RESCUES),
            "hasty rescues": SilentProducers(DEAD_AFTER - HEARTBEAT),
            "abandoned leases": AbandonedLeases(self._settings.rescue_bound),
            "processes that failed": processes_that_failed,
        }
        for scenario in self._scenarios:
            oracles.update(await scenario.oracles(connection, PREFIX, history))
        await connection.close()
        return Verdict(history, self._faults, self._skipped, judge(history, oracles))


def processes_that_failed(history: History) -> list[str]:
    """Processes end when they are told to or killed, and not by themselves."""
    return [
        f"{note.data['node']} {note.kind}; see {note.data['log']}"
        for note in history.noted("crashed", "hung")
    ]
