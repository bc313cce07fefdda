"""The scenario of limits: tenants that share a queue, and a queue with a rate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import psycopg

from staffa._internal.identifiers import quote_identifier
from tests.chaos.acts import cancel_one, store
from tests.chaos.faults import Fault
from tests.chaos.history import History
from tests.chaos.limited_jobs import (
    AT_ONCE,
    FOR_EACH,
    IN_A_TIME,
    METERED,
    QUEUES,
    TENANTS,
    work_for,
    work_metered,
)
from tests.chaos.limited_oracles import AtOnce, InATime
from tests.chaos.oracles import Oracle
from tests.chaos.plans import draw
from tests.chaos.scenario import Scene

_NAMES = ("ada", "grace", "edsger", "alan", "barbara")
_SHARES = (4, 2, 1, 1, 1)
_LARGEST_BULK = 4


class LimitsScenario:
    """See the module."""

    name = "limits"
    module = "tests.chaos.limited_app"
    queues: Mapping[str, int] = {name: queue.limit for name, queue in QUEUES.items()}
    settings: Mapping[str, Any] = {}
    faults: Sequence[type[Fault]] = ()

    async def prepare(self, connection: asyncpg.Connection, prefix: str) -> None:
        """There is nothing to make."""

    async def enqueue(self, scene: Scene, number: int) -> None:
        """Enqueue for a tenant, with the key of its partition or without one, or by the meter."""
        ways = (self._for_tenants, self._without_key, self._metered)
        way = scene.random.choices(ways, [5, 2, 2])[0]
        await way(scene, f"{scene.name}-{number}")

    async def operate(self, scene: Scene) -> None:
        """Cancel a job: its slot is free at once."""
        await cancel_one(scene, f"queue IN ('{TENANTS}', '{METERED}')")

    async def settle(self, scene: Scene) -> None:
        """Nothing keeps jobs from ending."""

    async def settled(self, connection: asyncpg.Connection, prefix: str) -> bool:
        """All is done when the jobs have ended."""
        return True

    async def oracles(
        self, connection: asyncpg.Connection, prefix: str, history: History
    ) -> Mapping[str, Oracle]:
        """Return those of the limits; that no partition is stuck, the general ones tell."""
        metered = work_metered.worker_name
        return {
            "at once for each": AtOnce(work_for.worker_name, FOR_EACH.allowed, "tenant"),
            "at once": AtOnce(metered, AT_ONCE.allowed),
            "in a time": InATime(metered, IN_A_TIME.allowed, IN_A_TIME.seconds),
        }

    async def _for_tenants(self, scene: Scene, token: str) -> None:
        count = scene.random.randint(1, _LARGEST_BULK)
        names = scene.random.choices(_NAMES, _SHARES, k=count)
        await store(
            scene,
            [
                work_for.new(f"{token}.{part}", name, draw(scene.random))
                for part, name in enumerate(names)
            ],
        )

    async def _without_key(self, scene: Scene, token: str) -> None:
        """Insert a job as other clients do, which know of no partitions."""
        (name,) = scene.random.choices(_NAMES, _SHARES)
        job = work_for.new(token, name, draw(scene.random))
        jobs = f"{quote_identifier(scene.prefix)}.oban_jobs"
        async with await psycopg.AsyncConnection.connect(scene.dsn) as connection:
            cursor = await connection.execute(
                f"INSERT INTO {jobs} (worker, queue, args, max_attempts) VALUES (%s, %s, %s, 4)"
                " RETURNING id",
                [job.worker, job.queue, json.dumps(job.args)],
            )
            found = await cursor.fetchone()
        assert found is not None
        scene.notebook.write("committed", ids=[found[0]], tokens=[token])

    async def _metered(self, scene: Scene, token: str) -> None:
        count = scene.random.randint(1, _LARGEST_BULK)
        await store(
            scene,
            [work_metered.new(f"{token}.{part}", draw(scene.random)) for part in range(count)],
        )
