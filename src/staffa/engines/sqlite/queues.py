"""What is set about queues, and the queues that are kept in the file, each in one transaction.

A file that is not migrated yet has no dynamic queues, and is no reason not to obey.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from staffa.dialogues import all_of, hold_here
from staffa.drivers.sqlite import FileConnection, Run
from staffa.dynamic import DynamicQueue
from staffa.engine import ChangeQueues, Control, dynamic_control
from staffa.engines.sqlite.statements.nodes import ControlStatements
from staffa.engines.statements.dynamic import DynamicStatements, kept
from staffa.engines.statements.limits import LimitStatements
from staffa.errors import SchemaMissing
from staffa.telemetry import observed

T = TypeVar("T")


@observed("staffa.engine")
class SqliteControls:
    """The base of the engine that has these methods."""

    _writer: FileConnection
    _reader: FileConnection
    _queues: ControlStatements
    _dynamic: DynamicStatements
    _limits: LimitStatements

    async def control_queues(self, name: str, controls: Sequence[Control]) -> list[Control]:
        """Set options of queues."""

        def control(run: Run, *, dynamic: bool) -> list[Control]:
            written = self._control(run, name, controls)
            if dynamic and kept(written):
                run(self._dynamic.keep(name, kept(written)))
            return written

        return await self._transact(control)

    async def read_dynamic_queues(self, name: str) -> list[DynamicQueue]:
        """Read dynamic queues."""
        return await self._reader.read(self._dynamic.read(name))

    async def change_dynamic_queues(self, name: str, change: ChangeQueues) -> list[Control]:
        """Change dynamic queues as a function says that sees them while nobody else writes."""

        def decide(run: Run) -> list[Control]:
            run(self._dynamic.lock(name))
            rows = run(self._dynamic.read(name))
            changes = change(rows)
            written = self._control(run, name, changes.controls) if changes.controls else []
            if changes.rows:
                run(self._queues.count_changes(name, len(changes.rows)))
                changed = run(self._dynamic.write(name, changes.rows))
                written += [dynamic_control(row) for row in changed]
            if changes.limits:
                run(self._limits.configure(changes.limits))
            return written

        return await self._writer.transact(decide)

    async def forget_controls(self, *, age: float) -> int:
        """Forget options and deleted queues that make no difference."""

        def forget(run: Run, *, dynamic: bool) -> int:
            forgotten = run(self._queues.forget(age=age))
            return forgotten + (run(self._dynamic.forget(age=age)) if dynamic else 0)

        return await self._transact(forget)

    def _control(self, run: Run, name: str, controls: Sequence[Control]) -> list[Control]:
        return hold_here(all_of(self._queues.control_together(name, controls)), run)

    async def _transact(self, work: Callable[..., T]) -> T:
        try:
            return await self._writer.transact(partial(work, dynamic=True))
        except SchemaMissing:  # it has no table of dynamic queues yet
            return await self._writer.transact(partial(work, dynamic=False))
