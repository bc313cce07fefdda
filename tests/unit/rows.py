"""Jobs as the engine returns them, made without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from staffa import Job
from staffa._internal import json
from staffa.engine import Producer

CLAIMED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(*, args: Any = None, meta: Any = None, **columns: Any) -> dict[str, Any]:
    """Return the columns that a claim reads."""
    return {
        "id": 1,
        "worker": "myapp.send",
        "args": args if isinstance(args, str) else json.dumps({} if args is None else args),
        "meta": meta if isinstance(meta, str) else json.dumps({} if meta is None else meta),
        "errors": None,
        "tags": [],
        "attempt": 1,
        "max_attempts": 20,
        "priority": 0,
        "inserted_at": CLAIMED_AT,
        "scheduled_at": CLAIMED_AT,
        "attempted_at": CLAIMED_AT,
        **columns,
    }


def claimed(producer: Producer | None = None, **columns: Any) -> Job:
    """Return a job that was just claimed."""
    by = ("node-a", "uuid") if producer is None else (producer.node, str(producer.uuid))
    found = row(**columns)
    return Job.from_claim(found, "default", by, found["attempted_at"])
