"""The statements of what is set about queues at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staffa._internal import json
from staffa.engine import Control, Statement
from staffa.engines.statements.area import Area, count


class QueueStatements(Area):
    """What is asked of the queues' rows."""

    folder = "queues"

    def control(self, name: str, controls: Sequence[Control]) -> Statement[list[Control]]:
        """Set options of queues; an option of a queue and scope may be named once."""
        return self.statement(
            "control",
            (
                name,
                [control.queue for control in controls],
                [control.scope for control in controls],
                [control.option for control in controls],
                [json.dumps(control.value) for control in controls],
            ),
            lambda rows: [control_of(row) for row in rows],
        )

    def forget(self, *, age: float) -> Statement[int]:
        """Forget options that make no difference."""
        return self.statement("forget", (age,), count)


def control_of(row: Mapping[str, Any]) -> Control:
    """Return what a row sets; a value that can't be decoded is None, which nobody obeys."""
    try:
        value = json.loads(row["value"])
    except ValueError:  # it must not stop the heartbeat
        value = None
    return Control(row["queue"], row["scope"], row["option"], value, row["version"])
