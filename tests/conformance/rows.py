"""What a test says about the row of a job: which columns an operation changed, and to what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from staffa.jobs import Job

COLUMNS = (
    "id", "state", "queue", "worker", "args", "meta", "tags", "errors", "attempt", "max_attempts",
    "priority", "attempted_by", "inserted_at", "scheduled_at", "attempted_at", "completed_at",
    "cancelled_at", "discarded_at",
)  # fmt: skip
_SLACK = timedelta(hours=1)  # no test depends on speed; a leak of a time zone is larger than this


def changed(before: Job, after: Job) -> dict[str, Any]:
    """Return the columns that differ, with their later values."""
    return {
        name: getattr(after, name)
        for name in COLUMNS
        if getattr(before, name) != getattr(after, name)
    }


class Since:
    """Equal to times, or texts of times, at or soon after a moment.

    Args:
        moment: The earliest time.
        plus: Seconds that are added to it.
    """

    def __init__(self, moment: datetime, plus: float = 0) -> None:
        self.moment = moment + timedelta(seconds=plus)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            other = datetime.fromisoformat(other)
        if not isinstance(other, datetime) or other.utcoffset() != timedelta(0):
            return False
        return self.moment <= other < self.moment + _SLACK

    __hash__ = None  # type: ignore[assignment]  # equal to many values

    def __repr__(self) -> str:
        return f"<a time soon after {self.moment.astimezone(UTC)}>"


def error(attempt: int, text: str, moment: datetime) -> dict[str, Any]:
    """Return an element of a job's errors that was written at or soon after a moment."""
    return {"attempt": attempt, "at": Since(moment), "error": text}
