"""What is set about queues, and the queues that are kept in the file, each in one transaction.

A file that is not migrated yet has no dynamic queues, and is no reason not to obey.
"""

from __future__ import annotations

from collections.abc import Sequence

from staffa.drivers.sqlite import Run
from staffa.engine import ChangeQueues, Control, dynamic_control
from staffa.engines.sqlite.statements.nodes import ControlStatements
from staffa.engines.statements.dynamic import DynamicStatements, kept


def control_queues(
    queues: ControlStatements,
    dynamic: DynamicStatements | None,
    name: str,
    controls: Sequence[Control],
    run: Run,
) -> list[Control]:
    """Set options of queues, and keep them among those of dynamic ones."""
    together = queues.control_together(name, controls)
    written = together.combine([run(part()) for part in together.parts])
    if dynamic is not None and kept(written):
        run(dynamic.keep(name, kept(written)))
    return written


def change_queues(
    queues: ControlStatements,
    dynamic: DynamicStatements,
    name: str,
    change: ChangeQueues,
    run: Run,
) -> list[Control]:
    """Change dynamic queues as a function says that sees them while nobody else writes."""
    run(dynamic.lock(name))
    rows = run(dynamic.read(name))
    changes = change(rows)
    written: list[Control] = []
    if changes.controls:
        together = queues.control_together(name, changes.controls)
        written += together.combine([run(part()) for part in together.parts])
    if changes.rows:
        run(queues.count_changes(name, len(changes.rows)))
        changed = run(dynamic.write(name, changes.rows))
        written += [dynamic_control(row) for row in changed]
    return written


def forget_queues(
    queues: ControlStatements, dynamic: DynamicStatements | None, age: float, run: Run
) -> int:
    """Forget what makes no difference."""
    forgotten = run(queues.forget(age=age))
    return forgotten if dynamic is None else forgotten + run(dynamic.forget(age=age))
