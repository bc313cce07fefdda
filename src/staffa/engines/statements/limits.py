"""The statements of limits; each verb is the file of that name in ``sql/limits/``.

What is decided between them, all in one transaction, is in `staffa.engines.limited`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from staffa._internal import json
from staffa.engine import Producer, Statement
from staffa.engines.statements.area import Area, Row, Rows, count
from staffa.jobs import Job
from staffa.limits import Limits, Partition

LONGEST_KEY = 300
"""How much of a key the indexes hold."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Where the keys of a queue's partitions lie, and how they are made.

    Args:
        queue: The queue.
        partition: What divides it.
    """

    queue: str
    partition: Partition

    @property
    def prefix(self) -> str:
        """How its keys begin; all of them are after it."""
        return self.partition.prefix

    @property
    def end(self) -> str:
        """What all of its keys are before."""
        return self.prefix[:-1] + chr(ord(self.prefix[-1]) + 1)


@dataclass(frozen=True, slots=True)
class Locked:
    """The row of a queue's limits."""

    limits: Limits
    cursors: dict[str, str]
    sweep: dict[str, Any]
    used_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment, how many jobs of the queue run, and what was spent of it as a whole."""

    now: datetime
    running: int
    meter: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the jobs that wait.

    Args:
        seen: How many there were.
        unsigned: Those without a key of now.
        place: Where the next page begins.
    """

    seen: int
    unsigned: Sequence[int]
    place: tuple[int, str, int] | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A partition that waits.

    Args:
        key: Its key.
        weight: The tokens that its next job takes.
        running: How many of its jobs run.
        meter: What it has spent, as it was stored.
        ready: Whether it may have another job, as far as that is known without its weight.
        free_at: Until when nothing of it can start.
    """

    key: str
    weight: int
    running: int
    meter: Mapping[str, Any] | None
    ready: bool
    free_at: datetime | None


@dataclass(frozen=True, slots=True)
class Walk:
    """The partitions that a walk has come by, at one priority; None where nothing waits."""

    priority: int | None
    partitions: Sequence[Waiting]


@dataclass(frozen=True, slots=True)
class Taken:
    """A job that was leased, with its partition's key and the tokens that it takes."""

    job: Job
    key: str
    weight: int


@dataclass(frozen=True, slots=True)
class Catch:
    """What was leased of partitions.

    Args:
        taken: The jobs.
        moved: How many were put where they belong instead.
    """

    taken: Sequence[Taken]
    moved: int


@dataclass(frozen=True, slots=True)
class Spending:
    """What is written about a meter."""

    key: str
    meter: Mapping[str, Any]
    free_at: datetime | None


@dataclass(slots=True)
class Owner:
    """Whose tokens are meant: a job's columns, as far as its partition looks at them.

    Args:
        fields: What divides the queue; nothing for the queue as a whole.
        worker: The name of the worker.
        args: The args.
        meta: The meta.
    """

    fields: Sequence[str] = ()
    worker: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """A moment, a partition's key, and what was spent of it."""

    now: datetime
    key: str
    meter: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Busy:
    """What a partition uses."""

    key: str
    running: int
    meter: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Weights:
    """What jobs take of a rate limit: without a word of their own, and at most."""

    usual: int = 1
    most: int = 1

    @classmethod
    def of(cls, limits: Limits) -> Weights:
        """Return those of a queue; without a rate limit nobody asks for them."""
        rate = limits.rate_limit
        return cls() if rate is None else cls(rate.weight, rate.allowed)


class LimitStatements(Area):
    """What is asked of limits, and of the jobs under them."""

    folder = "limits"

    def spell_fields(self, fields: Sequence[str]) -> Any:
        """Return fields as a statement takes them beside other lists."""
        return list(fields)

    def configure(self, limits: Mapping[str, Limits]) -> Statement[int]:
        """Write limits."""
        rows = [
            {"queue": queue, "options": given.as_options(), "fields": given.fields}
            for queue, given in limits.items()
        ]
        return self.statement("configure", (orjson.dumps(rows).decode(),), count)

    def lock(self, queue: str) -> Statement[Locked | None]:
        """Take the limits of a queue."""
        return self.statement("lock", (queue,), lambda rows: _locked(rows[0]) if rows else None)

    def keep(
        self, queue: str, cursors: Mapping[str, str], sweep: Mapping[str, Any]
    ) -> Statement[int]:
        """Note how far a queue was served and looked at."""
        return self.statement(
            "keep", (queue, json.dumps(dict(cursors)), json.dumps(dict(sweep))), count
        )

    def look(self, queue: str, *, counted: bool, node: str | None) -> Statement[Seen]:
        """Read how much a queue uses."""

        def decode(rows: Rows) -> Seen:
            (row,) = rows
            return Seen(row["read_at"], row["running"], _object(row["meter"]))

        return self.statement("look", (queue, counted, node), decode)

    def find_strays(
        self, queue: str, partition: Partition | None, node: str | None
    ) -> Statement[dict[str, int]]:
        """Count running jobs that have no key of the present partitions."""
        fields = [] if partition is None else list(partition.fields)
        prefix = "" if partition is None else partition.prefix
        return self.statement(
            "strays",
            (queue, fields, prefix, node),
            lambda rows: {row["key"]: row["running"] for row in rows},
        )

    def sweep(self, ring: Ring, after: Sequence[Any] | None, limit: int) -> Statement[Page]:
        """Look at waiting jobs."""
        priority, time, number = after or (None, None, None)

        def decode(rows: Rows) -> Page:
            (row,) = rows
            place = None if row["id"] is None else (row["priority"], row["after"], row["id"])
            return Page(row["seen"], row["ids"], place)

        params = (ring.queue, priority, time, number, limit, ring.prefix)
        return self.statement("sweep", params, decode)

    def sign(self, ring: Ring, ids: Sequence[int]) -> Statement[int]:
        """Give waiting jobs the keys of their partitions."""
        fields = self.spell_fields(ring.partition.fields)
        return self.statement("sign", (list(ids), fields), count)

    def walk(
        self,
        ring: Ring,
        least: int,
        *,
        wanted: int,
        cursors: Mapping[str, str],
        slots: int | None,
        node: str | None,
        strays: Mapping[str, int],
        now: datetime,
        weights: Weights,
    ) -> Statement[Walk]:
        """Walk the partitions that wait."""
        params = (
            ring.queue, least, ring.prefix, ring.end, wanted, json.dumps(dict(cursors)), slots,
            node, json.dumps(dict(strays)), now, weights.usual, weights.most,
        )  # fmt: skip
        return self.statement("walk", params, _walked)

    def take(
        self,
        ring: Ring,
        priority: int,
        quotas: Mapping[str, tuple[int, int | None]],
        *,
        tokens: int | None,
        now: datetime,
        producer: Producer,
        weights: Weights,
    ) -> Statement[Catch]:
        """Lease the next jobs of partitions: so many of each, as far as its tokens last."""
        owner = (producer.node, str(producer.uuid))
        params = (
            ring.queue, priority, list(quotas), [quota for quota, _ in quotas.values()],
            [left for _, left in quotas.values()], tokens, now, *owner,
            self.spell_fields(ring.partition.fields), weights.usual, weights.most,
        )  # fmt: skip
        return self.statement("take", params, lambda rows: _caught(rows, ring.queue, owner))

    def take_flat(
        self,
        queue: str,
        limit: int,
        *,
        tokens: int | None,
        now: datetime,
        producer: Producer,
        weights: Weights,
    ) -> Statement[Catch]:
        """Lease the most urgent jobs of a queue without partitions."""
        owner = (producer.node, str(producer.uuid))
        params = (queue, limit, tokens, now, *owner, weights.usual, weights.most)
        return self.statement("take_flat", params, lambda rows: _caught(rows, queue, owner))

    def weigh_head(self, queue: str, weights: Weights) -> Statement[int | None]:
        """Read how many tokens the next job of a queue takes."""
        return self.statement(
            "head",
            (queue, weights.usual, weights.most),
            lambda rows: rows[0]["weight"] if rows else None,
        )

    def find_waiting(self, ring: Ring, limit: int) -> Statement[list[str]]:
        """Read which partitions wait."""
        return self.statement(
            "waiting",
            (ring.queue, ring.prefix, ring.end, limit),
            lambda rows: [row["key"] for row in rows],
        )

    def spend(self, queue: str, spendings: Sequence[Spending]) -> Statement[int]:
        """Write what was spent."""
        params = (
            queue,
            [spending.key for spending in spendings],
            [json.dumps(dict(spending.meter)) for spending in spendings],
            [spending.free_at for spending in spendings],
        )
        return self.statement("spend", params, count)

    def measure(self, queue: str, owner: Owner) -> Statement[Measured]:
        """Read what a partition, or the queue as a whole, has spent."""

        def decode(rows: Rows) -> Measured:
            (row,) = rows
            return Measured(row["read_at"], row["key"], _object(row["meter"]))

        params = (
            queue, list(owner.fields), owner.worker, json.dumps(owner.args), json.dumps(owner.meta),
        )  # fmt: skip
        return self.statement("measure", params, decode)

    def refund(self, queue: str, key: str | None) -> Statement[int]:
        """Forget what a partition has spent, or all of a queue."""
        return self.statement("refund", (queue, key), count)

    def list_limits(self, queues: Sequence[str] | None) -> Statement[dict[str, Limits]]:
        """Read the limits of queues, or of all."""
        return self.statement(
            "list",
            (None if queues is None else list(queues),),
            lambda rows: {
                row["queue"]: Limits.from_options(json.loads(row["options"])) for row in rows
            },
        )

    def find_busy(self, queue: str, partition: Partition, limit: int) -> Statement[list[Busy]]:
        """Read what the busiest partitions use."""
        return self.statement(
            "busy",
            (queue, partition.prefix, limit),
            lambda rows: [Busy(row["key"], row["running"], _object(row["meter"])) for row in rows],
        )

    def forget(self, *, age: float) -> Statement[int]:
        """Forget limits that nobody uses."""
        return self.statement("forget", (age,), count)

    def forget_rates(self, *, age: float) -> Statement[int]:
        """Forget what was spent so long ago that it does not count."""
        return self.statement("forget_rates", (age,), count)


def _locked(row: Row) -> Locked:
    return Locked(
        Limits.from_options(json.loads(row["options"])),
        json.loads(row["cursors"]),
        json.loads(row["sweep"]),
        row["used_at"],
        row["read_at"],
    )


def _object(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)


def _walked(rows: Rows) -> Walk:
    if not rows:
        return Walk(None, ())
    found = [
        Waiting(
            row["key"],
            row["weight"],
            row["running"],
            _object(row["meter"]),
            bool(row["ready"]),
            row["due_at"],
        )
        for row in rows
        if row["key"] is not None
    ]
    return Walk(rows[0]["priority"], found)


def _caught(rows: Rows, queue: str, owner: tuple[str, str]) -> Catch:
    taken = [
        Taken(Job.from_claim(row, queue, owner), row["key"], row["weight"])
        for row in rows
        if row["worker"] is not None
    ]
    return Catch(taken, len(rows) - len(taken))
