"""What `staffa cron` shows of entries."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

from staffa.cron.expression import Expression
from staffa.cron.stored import StoredCron
from staffa.cron.zones import load_zone
from staffa.errors import ConfigError

COLUMNS = (
    "name", "expression", "in_words", "timezone", "worker", "active", "last_run", "next_run",
)  # fmt: skip
_UNREADABLE = "can't be read here"


def describe_cron(entry: StoredCron) -> dict[str, Any]:
    """Return an entry; what a row holds that can't be understood here is told as such."""
    try:
        words: str | None = Expression.parse(entry.expression).words
        next_run = entry.next_run
    except ConfigError:
        words, next_run = None, None
    return {
        "name": entry.name,
        "expression": entry.expression,
        "in_words": words,
        "timezone": entry.timezone,
        "dst": entry.dst,
        "guaranteed": entry.guaranteed,
        "worker": entry.worker,
        "queue": entry.options.get("queue"),
        "active": entry.active,
        "paused": entry.paused,
        "dynamic": entry.dynamic,
        "last_run": entry.last_run,
        "last_job_id": entry.last_job_id,
        "next_run": next_run,
    }


def describe_fully(entry: StoredCron) -> dict[str, Any]:
    """Return all that is known of an entry."""
    return {
        **describe_cron(entry),
        "args": entry.args,
        "options": entry.options,
        "registered_at": entry.registered_at,
        "updated_at": entry.updated_at,
    }


def shown_cron(described: dict[str, Any], column: str) -> Any:
    """Return what people see of it: times are those of the entry's time zone."""
    value = described[column]
    if column == "in_words":
        return value or _UNREADABLE
    if column == "active":
        return "paused" if described["paused"] else _yes(value)
    if isinstance(value, bool):
        return _yes(value)
    if value is not None and column in {"last_run", "next_run", "registered_at", "updated_at"}:
        return value.astimezone(_zone(described["timezone"]))
    return value


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _zone(name: str) -> tzinfo:
    try:
        return load_zone(name)
    except ConfigError:
        return UTC
