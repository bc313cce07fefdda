"""The statements of chunks; each verb is the file of that name in ``sql/chunks/``.

What is decided between them is in `staffa.engines.chunks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from staffa.chunking import ChunkRule
from staffa.engine import Producer, Statement
from staffa.engines.statements.area import Area, Row, Rows
from staffa.engines.statements.jobs import claimed_jobs
from staffa.jobs import Job


@dataclass(frozen=True, slots=True)
class Formed:
    """A chunk that can be claimed.

    Args:
        ids: Its jobs, the most urgent first.
        rule: What it was formed by.
    """

    ids: Sequence[int]
    rule: ChunkRule

    @property
    def full(self) -> bool:
        """Whether it has as many jobs as it may have."""
        return len(self.ids) >= self.rule.size


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at a queue has shown.

    Args:
        chunks: Those that can be claimed, the most urgent first.
        others: How many jobs of other workers are as urgent.
        delay: Seconds until the next chunk is due, if one is.
        seen: How many jobs were looked at.
    """

    chunks: Sequence[Formed]
    others: int
    delay: float | None
    seen: int


@dataclass(frozen=True, slots=True)
class Follower:
    """A job that joins the first one of its chunk, which was claimed under limits.

    Args:
        id: The job.
        head: The first one.
        key: The partition that the first one counts for.
    """

    id: int
    head: int
    key: str


class ChunkStatements(Area):
    """What is asked of jobs that run together."""

    folder = "chunks"

    def look(
        self, queue: str, window: int, limit: int, rules: Sequence[ChunkRule]
    ) -> Statement[Sight]:
        """Look at so many of the next jobs of a queue, for up to a number of chunks."""
        told = [self.describe(rule) for rule in rules]

        def decode(rows: Rows) -> Sight:
            whole, *found = rows
            chunks = [Formed(self.order(row), rules[row["place"] - 1]) for row in found]
            return Sight(chunks, whole["others"], whole["delay"], whole["seen"])

        return self.statement("look", (queue, window, limit, orjson.dumps(told).decode()), decode)

    def describe(self, rule: ChunkRule) -> dict[str, Any]:
        """Return a rule as the look reads it."""
        told = {"names": rule.names, "size": rule.size, "timeout": rule.timeout}
        for number, name in enumerate(rule.fields, start=1):
            root, *path = name.split(".")
            told |= {f"in_args{number}": root == "args", f"path{number}": path}
        return told

    def order(self, row: Row) -> list[int]:
        """Return the ids of a chunk in the order of claims."""
        return [number for _, number in sorted(zip(row["ranks"], row["ids"], strict=True))]

    def claim(
        self, queue: str, chunks: Sequence[Formed], producer: Producer
    ) -> Statement[list[Job]]:
        """Lease the jobs of chunks."""
        owner = (producer.node, str(producer.uuid))
        members = [
            (number, place, chunk.rule)
            for place, chunk in enumerate(chunks)
            for number in chunk.ids
        ]
        params = (
            [number for number, _, _ in members],
            [place for _, place, _ in members],
            [rule.size for _, _, rule in members],
            [rule.timeout for _, _, rule in members],
            queue,
            *owner,
        )
        return self.statement("claim", params, lambda rows: claimed_jobs(rows, queue, owner))

    def join(
        self, queue: str, followers: Sequence[Follower], producer: Producer, now: datetime
    ) -> Statement[list[Job]]:
        """Lease the jobs of chunks whose first ones are leased; these are marked."""
        owner = (producer.node, str(producer.uuid))
        params = (
            [follower.id for follower in followers],
            [follower.head for follower in followers],
            [follower.key for follower in followers],
            queue,
            *owner,
            now,
        )
        return self.statement("join", params, lambda rows: claimed_jobs(rows, queue, owner))
