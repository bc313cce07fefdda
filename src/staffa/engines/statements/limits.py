"""The statements of limits; each verb is the file of that name in ``sql/limits/``.

What is decided between them, all in one transaction, is in `staffa.engines.limited`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson

from staffa._internal import json
from staffa._internal.shown import shown
from staffa.engine import Producer, Statement
from staffa.engines.statements.area import Area, Row, Rows, count
from staffa.engines.statements.jobs import claimed_jobs, time_of_claim
from staffa.engines.statements.limited import (
    NO_CHUNKS,
    Busy,
    Catch,
    Chunked,
    Claimed,
    InTurns,
    Locked,
    Measured,
    Owner,
    Page,
    Place,
    Ring,
    Seen,
    Spending,
    Taken,
    Waiting,
    Walk,
    Weights,
)
from staffa.errors import ConfigError, StaffaError
from staffa.jobs import Job
from staffa.limits import Limits, Partition

_URGENCY = itemgetter("priority", "scheduled_at", "id")


class LimitStatements(Area):
    """What is asked of limits, and of the jobs under them."""

    folder = "limits"

    def spell(self, values: Sequence[Any]) -> Any:
        """Return values as a statement takes them beside other lists."""
        return list(values)

    def _spell_chunked(self, chunked: Chunked) -> tuple[Any, Any]:
        return self.spell(chunked.names), self.spell(chunked.heads)

    def configure(self, limits: Mapping[str, Limits]) -> Statement[int]:
        """Write limits."""
        rows = [
            {"queue": queue, "options": given.as_options(), "fields": given.fields}
            for queue, given in limits.items()
        ]
        return self.statement("configure", (orjson.dumps(rows).decode(),), count)

    def lock(self, queue: str) -> Statement[Locked | None]:
        """Take the limits of a queue."""
        return self.statement(
            "lock", (queue,), lambda rows: _locked(queue, rows[0]) if rows else None
        )

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

    def find_unsigned(self, ring: Ring, limit: int) -> Statement[list[int]]:
        """Look at the latest of the jobs that wait, for those without a key."""
        params = (ring.queue, limit, ring.prefix)
        return self.statement("tail", params, lambda rows: [row["id"] for row in rows])

    def sign(self, ring: Ring, ids: Sequence[int]) -> Statement[int]:
        """Give waiting jobs the keys of their partitions."""
        fields = self.spell(ring.partition.fields)
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
        chunked: Chunked = NO_CHUNKS,
    ) -> Statement[Walk]:
        """Walk the partitions that wait."""
        params = (
            ring.queue, least, ring.prefix, ring.end, wanted, json.dumps(dict(cursors)), slots,
            node, json.dumps(dict(strays)), now, weights.usual, weights.most,
            *self._spell_chunked(chunked),
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
        chunked: Chunked = NO_CHUNKS,
    ) -> Statement[Catch]:
        """Lease the next jobs of partitions: so many of each, as far as its tokens last."""
        owner = (producer.node, str(producer.uuid))
        counts = [quota for quota, _ in quotas.values()]
        params = (
            ring.queue, priority, list(quotas), counts,
            [left for _, left in quotas.values()], tokens, now, *owner,
            self.spell(ring.partition.fields), weights.usual, weights.most, max(counts),
            *self._spell_chunked(chunked),
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
        chunked: Chunked = NO_CHUNKS,
    ) -> Statement[Catch]:
        """Lease the most urgent jobs of a queue without partitions."""
        owner = (producer.node, str(producer.uuid))
        params = (
            queue, limit, tokens, now, *owner, weights.usual, weights.most,
            *self._spell_chunked(chunked),
        )  # fmt: skip
        return self.statement("take_flat", params, lambda rows: _caught(rows, queue, owner))

    def claim(
        self,
        queue: str,
        limit: int,
        producer: Producer,
        *,
        options: str,
        allowed: int,
        node: str | None,
    ) -> Statement[Claimed | None]:
        """Claim from a queue that has a global limit alone, unless another claim came between."""
        owner = (producer.node, str(producer.uuid))

        def decode(rows: Rows) -> Claimed | None:
            if not rows:
                return None
            found = [row for row in rows if row["id"] is not None]
            return Claimed(rows[0]["slots"], claimed_jobs(found, queue, owner))

        return self.statement("claim", (queue, limit, *owner, options, allowed, node), decode)

    def claim_in_turns(
        self,
        ring: Ring,
        limit: int,
        producer: Producer,
        *,
        used_at: datetime,
        slots: int,
        node: str | None,
        sweep: Mapping[str, Any],
        page: int,
    ) -> Statement[InTurns | None]:
        """Claim from partitions that have a global limit alone, unless something speaks against it.

        Args:
            ring: The partitions.
            limit: How many jobs are wanted; there is no claim if they have not so much room.
            producer: Who leases.
            used_at: When the row of the limits was used last, as far as is known.
            slots: How many jobs of a partition may run.
            node: On which node, or None for all.
            sweep: What is noted of the look at jobs without a key.
            page: How many jobs to look at; there is no claim if one of them has no key.
        """
        owner = (producer.node, str(producer.uuid))

        def decode(rows: Rows) -> InTurns | None:
            if not rows:
                return None
            first = rows[0]
            found = [row for row in rows if row["id"] is not None]
            at = time_of_claim(found[0]["attempted_at"]) if found else first["used_at"]
            return InTurns(
                first["used_at"],
                json.loads(first["cursors"]),
                first["seen"],
                _place(first),
                [
                    Taken(Job.from_claim(row, ring.queue, owner, at), row["key"], 1, _URGENCY(row))
                    for row in found
                ],
            )

        priority, time, number = sweep.get("after") or (None, None, None)
        params = (
            ring.queue, limit, *owner, used_at, list(ring.partition.fields), ring.prefix, ring.end,
            slots, node, json.dumps(dict(sweep)), page, priority, time, number,
        )  # fmt: skip
        return self.statement("claim_in_turns", params, decode)

    def weigh_head(
        self, queue: str, weights: Weights, chunked: Chunked = NO_CHUNKS
    ) -> Statement[int | None]:
        """Read how many tokens the next job of a queue takes."""
        return self.statement(
            "head",
            (queue, weights.usual, weights.most, *self._spell_chunked(chunked)),
            lambda rows: rows[0]["weight"] if rows else None,
        )

    def find_waiting(
        self, ring: Ring, limit: int, chunked: Chunked = NO_CHUNKS
    ) -> Statement[list[str]]:
        """Read which partitions wait."""
        return self.statement(
            "waiting",
            (ring.queue, ring.prefix, ring.end, limit, *self._spell_chunked(chunked)),
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
        """Read the limits of queues that have any, or of all that can be read here."""

        def decode(rows: Rows) -> dict[str, Limits]:
            found = {}
            for row in rows:
                with suppress(ConfigError) if queues is None else nullcontext():
                    found[row["queue"]] = _read(row["queue"], row["options"])
            return {queue: limits for queue, limits in found.items() if limits.any}

        return self.statement("list", (None if queues is None else list(queues),), decode)

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


def _place(row: Row) -> Place | None:
    if row["page_id"] is None:
        return None
    return row["page_priority"], row["page_after"], row["page_id"]


def _locked(queue: str, row: Row) -> Locked:
    return Locked(
        _read(queue, row["options"]),
        row["options"],
        json.loads(row["cursors"]),
        json.loads(row["sweep"]),
        row["used_at"],
        row["read_at"],
    )


def _read(queue: str, text: str) -> Limits:
    try:
        return Limits.from_options(json.loads(text))
    except (StaffaError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"queue {queue!r} has limits that can't be used here, {shown(text, 200)}: {error}; "
            "another version has written them: run that one, or start one process anew with "
            "limits for this queue"
        ) from None


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
    found = [row for row in rows if row["worker"] is not None]
    if not found:
        return Catch((), len(rows))
    at = time_of_claim(found[0]["attempted_at"])  # one and the same for all
    taken = [
        Taken(Job.from_claim(row, queue, owner, at), row["key"], row["weight"], _URGENCY(row))
        for row in found
    ]
    return Catch(taken, len(rows) - len(found))
