"""How values go into SQLite's statements and come out: lists as JSON, times as text."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from staffa._internal import json
from staffa.engines.sqlite.times import cut_time, read_time, write_time
from staffa.engines.statements.area import Idiom, Row
from staffa.engines.statements.conditions import Phrases
from staffa.errors import DataRefused

_TIMES = frozenset(
    {"inserted_at", "scheduled_at", "read_at", "started_at", "changed_at", "due_at", "used_at"}
)
_CRON_TIMES = frozenset({"last_tick", "booted_at", "registered_at", "updated_at"})
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MAYBE_TIMES = frozenset(
    {"last_run", "attempted_at", "completed_at", "cancelled_at", "discarded_at", "finished_at"}
)
_FLAGS = frozenset({"active", "guaranteed", "paused", "dynamic"})
_LISTS = frozenset({"tags", "attempted_by", "ids", "flows", "pending", "needed", "fired"})


def encode(params: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return parameters as `sqlite3` takes them.

    Raises:
        DataRefused: If a text can't be stored.

    Example:
        >>> encode((5, [UUID(int=1)]))
        (5, '["00000000-0000-0000-0000-000000000001"]')
    """
    plain = map(_plain, params)
    return tuple(json.dumps(value) if isinstance(value, list) else value for value in plain)


def _plain(value: Any) -> Any:
    match value:
        case list() | tuple():
            return [_plain(item) for item in value]
        case str() if "\x00" in value:
            raise DataRefused(f"{value!r:.100} has a NUL, which can't be stored")
        case datetime():
            return write_time(value)
        case UUID():
            return str(value)
        case float() if not math.isfinite(value):
            return str(value)  # for functions to refuse; JSON has no such numbers
    return value


def decode(row: Row) -> Row:
    """Return a row as the decoders expect it."""
    return {name: _readable(name, value) for name, value in row.items()}


def _readable(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return cut_time(value)
    if name in _CRON_TIMES:
        return max(cut_time(value), _LONG_AGO)
    if name in _MAYBE_TIMES:
        return read_time(value)
    if name in _FLAGS:
        return bool(value)
    if name in _LISTS:
        found = json.loads(value)
        return found if isinstance(found, list) else []
    return value


_FINISHED_AT = (
    "CASE job.state WHEN 'completed' THEN job.completed_at"
    " WHEN 'cancelled' THEN job.cancelled_at WHEN 'discarded' THEN job.discarded_at END"
)
_AMONG = "{} IN (SELECT given.value FROM json_each({{}}) AS given)"
_TAGS = (
    "EXISTS (SELECT 1 FROM json_each(job.tags) AS tag"
    " JOIN json_each({}) AS given ON given.value = tag.value)"
)
_ALL_TAGS = (
    "NOT EXISTS (SELECT 1 FROM json_each({}) AS given WHERE given.value NOT IN"
    " (SELECT tag.value FROM json_each(job.tags) AS tag))"
)

_PHRASES = Phrases(
    pieces={
        "ids": (_AMONG.format("job.id"), list),
        "after_id": ("job.id > {}", int),
        "before_id": ("job.id < {}", int),
        "queues": (_AMONG.format("job.queue"), list),
        "workers": (_AMONG.format("job.worker"), list),
        "priorities": (_AMONG.format("job.priority"), list),
        "nodes": (_AMONG.format("json_extract(job.attempted_by, '$[0]')"), list),
        "inserted_after": ("job.inserted_at >= {}", lambda time: time),
        "inserted_before": ("job.inserted_at < {}", lambda time: time),
        "scheduled_after": ("job.scheduled_at >= {}", lambda time: time),
        "scheduled_before": ("job.scheduled_at < {}", lambda time: time),
        "attempted_after": ("job.attempted_at >= {}", lambda time: time),
        "attempted_before": ("job.attempted_at < {}", lambda time: time),
        "finished_after": (f"{_FINISHED_AT} >= {{}}", lambda time: time),
        "finished_before": (f"{_FINISHED_AT} < {{}}", lambda time: time),
        "tags": (_TAGS, list),
        "all_tags": (_ALL_TAGS, list),
        "args": ("staffa_contains(job.args, {})", json.dumps),
        "meta": ("staffa_contains(job.meta, {})", json.dumps),
    },
    any_state="+job.state IN ({})",
    # The condition of a partial index must be there word for word.
    indexed=(
        "job.state = 'available' AND +job.state IN ({})",
        "job.state IN ('scheduled', 'retryable') AND +job.state IN ({})",
        "job.state = 'executing' AND +job.state IN ({})",
    ),
    arm="SELECT job.id FROM oban_jobs AS job WHERE {}",
)

SQLITE = Idiom("sqlite", "staffa.engines.sqlite", encode, decode, _PHRASES, by_rows=True)
