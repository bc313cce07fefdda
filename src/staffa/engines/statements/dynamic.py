"""The statements of queues that are kept in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from staffa._internal import json
from staffa.dynamic import DynamicQueue
from staffa.engine import AS_CONFIGURED, EVERYBODY, Control, Statement
from staffa.engines.statements.area import Area, Rows, count
from staffa.queue import ALL_QUEUES

_KEPT = frozenset({"limit", "paused"})


class DynamicStatements(Area):
    """What is asked of the dynamic queues' rows."""

    folder = "dynamic"

    def lock(self, name: str) -> Statement[int]:
        """Keep others from changing the queues of an instance."""
        return self.statement("lock", (name,), count)

    def read(self, name: str) -> Statement[list[DynamicQueue]]:
        """Read the queues of an instance."""
        return self.statement("read", (name,), _queues)

    def changes(self, name: str, known: int | None) -> Statement[list[DynamicQueue]]:
        """Read what has changed since a version."""
        return self.statement("changes", (name, known), _queues)

    def write(self, name: str, rows: Sequence[DynamicQueue]) -> Statement[list[DynamicQueue]]:
        """Write queues; each may be named once."""
        items = [
            {
                "queue": row.queue,
                "options": dict(row.options),
                "configured": None if row.configured is None else dict(row.configured),
                "deleted": row.deleted,
            }
            for row in rows
        ]
        return self.statement("write", (name, json.dumps(items)), _queues)

    def keep(self, name: str, controls: Sequence[Control]) -> Statement[int]:
        """Keep what was set, under the versions that it got."""
        return self.statement(
            "keep",
            (
                name,
                [control.queue for control in controls],
                [control.option for control in controls],
                [json.dumps(control.value) for control in controls],
                [control.version for control in controls],
            ),
            count,
        )

    def forget(self, *, age: float) -> Statement[int]:
        """Forget queues that were deleted."""
        return self.statement("forget", (age,), count)


def kept(controls: Sequence[Control]) -> list[Control]:
    """Return what is kept among the options of a dynamic queue.

    A pause of all queues is not: it holds for each of them as long as it is not lifted.
    """
    return [
        control
        for control in controls
        if control.scope == EVERYBODY
        and control.option in _KEPT
        and control.value != AS_CONFIGURED
        and (control.queue != ALL_QUEUES or control.value is False)
    ]


def _queues(rows: Rows) -> list[DynamicQueue]:
    return [
        DynamicQueue(
            queue=row["queue"],
            options=_table(row["options"]) or {},
            configured=_table(row["configured"]),
            deleted=bool(row["deleted"]),
            version=row["version"],
            changed_at=row["changed_at"],
        )
        for row in rows
    ]


def _table(text: str | None) -> Mapping[str, Any] | None:
    """Return an object; what can't be decoded has an option that nobody knows."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:  # it must not stop the heartbeat
        return {"": text}
    return found if isinstance(found, dict) else {"": found}
