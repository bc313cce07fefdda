"""Forged histories, told step by step: what an oracle must accept, and what it must refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from tests.chaos.history import Beat, Change, History, Lease, Mark, Note, Row

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Forgery:
    """A history in the making; each call is a second later than the one before."""

    def __init__(self) -> None:
        self._now = _BEGIN
        self._rows: dict[int, Row] = {}
        self._args: dict[int, dict[str, Any]] = {}
        self._changes: list[Change] = []
        self._marks: list[Mark] = []
        self._beats: list[Beat] = []
        self._notes: list[Note] = []
        self._effects: set[str] = set()

    def wait(self, seconds: float) -> Self:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        return self

    def insert(self, job: int = 1, *, meta: dict[str, Any] | None = None, **args: Any) -> Self:
        """Insert an available job."""
        self._args[job] = args
        return self._change(job, Row("available"), meta=meta or {})

    def change(self, job: int = 1, **columns: Any) -> Self:
        """Change columns of a job."""
        return self._change(job, replace(self._rows[job], **columns))

    def delete(self, job: int = 1) -> Self:
        """Delete a job."""
        return self._change(job, None)

    def claim(self, job: int = 1, *, producer: str = "p", used: int = 1) -> Self:
        """Lease a job."""
        return self.change(
            job,
            state="executing",
            attempt=self._rows[job].attempt + used,
            attempted_at=self._now,
            producer=producer,
        )

    def end(self, state: str, job: int = 1, *, given_back: int = 0, rescued: int = 0) -> Self:
        """Leave a state for another one."""
        row = self._rows[job]
        return self.change(
            job, state=state, attempt=row.attempt - given_back, rescued=row.rescued + rescued
        )

    def retry(self, job: int = 1) -> Self:
        """Retry a job by hand."""
        return self.change(job, state="available", scheduled_at=self._now)

    def lease(self, job: int = 1) -> Lease:
        """Return the lease of a job."""
        row = self._rows[job]
        assert row.attempted_at is not None
        assert row.producer is not None
        return Lease(job, row.attempt, row.attempted_at, row.producer)

    def mark(self, kind: str, job: int = 1, *, lease: Lease | None = None, **detail: Any) -> Self:
        """Have a running job write a mark, under its lease or another one."""
        lease = self.lease(job) if lease is None else lease
        self._marks.append(Mark(len(self._marks), self._tick(), kind, lease, detail=detail))
        return self

    def beat(self, producer: str = "p", *, node: str = "n") -> Self:
        """Have a producer show that it lives."""
        place = len(self._beats)
        self._beats.append(Beat(place, self._tick(), producer, node, place))
        return self

    def note(self, kind: str, **data: Any) -> Self:
        """Have somebody note something."""
        self._notes.append(Note(kind, self._tick(), data))
        return self

    def effect(self, token: str) -> Self:
        """Write a row beside a job."""
        self._effects.add(token)
        return self

    def completed(self, job: int = 1, **args: Any) -> Self:
        """Have a job run as it should, from the beginning to the end."""
        self.insert(job, **args).claim(job).mark("begun", job).mark("completing", job)
        return self.end("completed", job)

    def history(self) -> History:
        """Return what was told."""
        return History(
            self._changes, self._marks, self._beats, self._notes, frozenset(self._effects)
        )

    def _change(self, job: int, after: Row | None, meta: dict[str, Any] | None = None) -> Self:
        before = self._rows.pop(job, None)
        if after is not None:
            self._rows[job] = after
        place, now, args = len(self._changes), self._tick(), self._args[job]
        self._changes.append(Change(place, now, job, before, after, "w", args, meta or {}))
        return self

    def _tick(self) -> datetime:
        now = self._now
        self._now += timedelta(seconds=1)
        return now
