"""What is set about queues, and the queues that are kept in the database.

A schema that is not migrated yet has no dynamic queues, and is no reason not to obey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from staffa.drivers.asyncpg import Dedicated
from staffa.drivers.asyncpg_pool import Pool
from staffa.drivers.joined import Joined
from staffa.dynamic import DynamicQueue
from staffa.engine import ChangeQueues, Control, Producer, Pulse, dynamic_control
from staffa.engines.statements.dynamic import DynamicStatements, kept
from staffa.engines.statements.limits import LimitStatements
from staffa.engines.statements.queues import QueueStatements
from staffa.errors import SchemaMissing
from staffa.telemetry import observed


class PostgresQueues:
    """The queues' rows in a schema.

    Args:
        prefix: The schema.
    """

    def __init__(self, prefix: str) -> None:
        self._queues = QueueStatements(prefix)
        self._dynamic = DynamicStatements(prefix)
        self._limits = LimitStatements(prefix)

    async def control(
        self, pool: Pool | Joined, name: str, controls: Sequence[Control]
    ) -> list[Control]:
        """Set options of queues, and keep them among those of dynamic ones."""
        if not kept(controls):
            return await pool.run(self._queues.control(name, controls))
        try:
            async with pool.transaction() as run:
                written = await run(self._queues.control(name, controls))
                await run(self._dynamic.keep(name, kept(written)))
        except SchemaMissing:
            return await pool.run(self._queues.control(name, controls))
        return written

    async def read(self, pool: Pool | Joined, name: str) -> list[DynamicQueue]:
        """Read dynamic queues."""
        return await pool.run(self._dynamic.read(name))

    async def change(self, pool: Pool | Joined, name: str, change: ChangeQueues) -> list[Control]:
        """Change dynamic queues as a function says that sees them while they are locked."""
        async with pool.transaction() as run:
            await run(self._dynamic.lock(name))
            rows = await run(self._dynamic.read(name))
            changes = change(rows)
            written: list[Control] = []
            if changes.controls:
                controls = await run(self._queues.control(name, changes.controls))
                written += controls
            if changes.rows:
                changed = await run(self._dynamic.write(name, changes.rows))
                written += [dynamic_control(row) for row in changed]
            if changes.limits:
                await run(self._limits.configure(changes.limits))
        return written

    async def forget(self, pool: Pool | Joined, *, age: float) -> int:
        """Forget what makes no difference."""
        forgotten = await pool.run(self._queues.forget(age=age))
        try:
            return forgotten + await pool.run(self._dynamic.forget(age=age))
        except SchemaMissing:
            return forgotten

    async def follow(
        self, connection: Dedicated, producer: Producer, known: int | None, pulse: Pulse
    ) -> Pulse:
        """Return what a heartbeat has read, with the dynamic queues that have changed.

        They are read after the version of the last change, so that none up to it is missed; not at
        all where that has not changed.
        """
        if known is not None and pulse.version <= known:
            return pulse
        try:
            rows = await connection.run(self._dynamic.changes(producer.name, known))
        except SchemaMissing:
            return pulse
        return replace(pulse, controls=[*pulse.controls, *map(dynamic_control, rows)])


@observed("staffa.engine")
class PostgresControls:
    """The base of the engine that has these methods."""

    pool: Pool | Joined
    _queues: PostgresQueues

    async def control_queues(self, name: str, controls: Sequence[Control]) -> list[Control]:
        """Set options of queues."""
        return await self._queues.control(self.pool, name, controls)

    async def read_dynamic_queues(self, name: str) -> list[DynamicQueue]:
        """Read dynamic queues."""
        return await self._queues.read(self.pool, name)

    async def change_dynamic_queues(self, name: str, change: ChangeQueues) -> list[Control]:
        """Change dynamic queues."""
        return await self._queues.change(self.pool, name, change)

    async def forget_controls(self, *, age: float) -> int:
        """Forget options and deleted queues that make no difference."""
        return await self._queues.forget(self.pool, age=age)
