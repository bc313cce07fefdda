"""The statements that insert flows and their jobs; each verb is a file in ``sql/flows/``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson

from staffa._internal import json
from staffa._internal.kill_points import boundaries
from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows, any_row, count
from staffa.engines.statements.callbacks import describe_callback
from staffa.engines.statements.jobs import describe_kind, join_args, kind_of
from staffa.jobs import Job
from staffa.leases import Lease
from staffa.linking import NewFlow, Policies
from staffa.types import State

_WAYS = ("discarded", "cancelled", "deleted")


@dataclass(frozen=True, slots=True)
class KnownFlow:
    """A flow that is stored.

    Args:
        root: The flow that is locked for it.
        parent: The workflow that it is inside of.
        ended: Whether it has ended.
    """

    root: str
    parent: str | None
    ended: bool


@dataclass(frozen=True, slots=True)
class StoredStep:
    """What is kept of a job that waits, or has waited, for others.

    Args:
        job: Its id.
        root: The root of its flow.
        open: How many of its edges are open.
        held: Whether somebody has to release it.
        policies: What becomes of it where something that it needs does not complete.
    """

    job: int
    root: str
    open: int
    held: bool
    policies: Policies


@dataclass(frozen=True, slots=True)
class StoredEdge:
    """What a job waits for.

    Args:
        job: Its id.
        needs_job: The job that it needs.
        needs_flow: The flow that it needs.
        ended: How that has ended; None while it goes on.
    """

    job: int
    needs_job: int | None
    needs_flow: str | None
    ended: str | None


@dataclass(frozen=True, slots=True)
class Inserted:
    """A job that was inserted."""

    id: int
    state: State


@boundaries
class GraphStatements(Area):
    """What is asked of the tables while flows are inserted."""

    folder = "flows"
    signed = False
    """Whether limits are known: then jobs of queues with partitions get their keys at once."""

    def create_flows(self, flows: Sequence[NewFlow], once: str | None) -> Statement[frozenset[str]]:
        """Insert flows, the first one with a key; return which of them were."""
        rows = [
            _describe_flow(flow, once if place == 0 else None) for place, flow in enumerate(flows)
        ]
        return self.statement(
            "create",
            (orjson.dumps(rows).decode(),),
            lambda found: frozenset(row["id"] for row in found),
        )

    def find_once(self, key: str) -> Statement[str | None]:
        """Read which flow of a key goes on."""
        return self.statement("once", (key,), lambda rows: rows[0]["id"] if rows else None)

    def known(self, ids: Iterable[str]) -> Statement[dict[str, KnownFlow]]:
        """Read where flows belong, and whether they have ended."""
        return self.statement(
            "known",
            (list(ids),),
            lambda rows: {
                row["id"]: KnownFlow(row["root"], row["parent"], bool(row["ended"])) for row in rows
            },
        )

    def graft(self, flow: str, lease: Lease | None, form: str) -> Statement[bool]:
        """Note that a flow has its graft; tell whether it had none, and the lease still holds."""
        told = (None, None) if lease is None else (lease.id, lease.attempted_at)
        return self.statement("graft", (flow, *told, form), any_row)

    def states(self, jobs: Iterable[int]) -> Statement[dict[int, State]]:
        """Read the states of jobs."""
        return self.statement(
            "states", (list(jobs),), lambda rows: {row["id"]: State(row["state"]) for row in rows}
        )

    def ends(self, flows: Iterable[str]) -> Statement[dict[str, tuple[str, ...]]]:
        """Read in which bad ways flows have ended, those that have; the worst one first."""
        return self.statement(
            "ends",
            (list(flows),),
            lambda rows: {row["id"]: tuple(way for way in _WAYS if row[way]) for row in rows},
        )

    def insert_steps(self, jobs: Sequence[Job], waits: Sequence[bool]) -> Statement[list[Inserted]]:
        """Insert jobs; those that wait are suspended."""
        return self.statement(
            "insert_signed" if self.signed else "insert", (self.describe(jobs, waits),), _inserted
        )

    def describe(self, jobs: Sequence[Job], waits: Sequence[bool]) -> str:
        """Return new jobs as the statement reads them: what neighbours have in common once."""
        runs = []
        pairs = zip(jobs, waits, strict=True)
        for _, alike in groupby(pairs, lambda pair: (kind_of(pair[0]), pair[1])):
            run = list(alike)
            first, waiting = run[0]
            args = orjson.Fragment(join_args(job for job, _ in run))
            runs.append({**describe_kind(first), "waits": waiting, "args": args})
        return orjson.dumps(runs).decode()

    def add_steps(self, steps: Sequence[StoredStep]) -> Statement[int]:
        """Insert what is kept of jobs that wait for others."""
        return self.statement(
            "add_steps",
            (
                [step.job for step in steps],
                [step.root for step in steps],
                [step.open for step in steps],
                [step.held for step in steps],
                [step.policies.cancelled.value for step in steps],
                [step.policies.discarded.value for step in steps],
                [step.policies.deleted.value for step in steps],
            ),
            count,
        )

    def add_edges(self, edges: Sequence[StoredEdge]) -> Statement[int]:
        """Insert what jobs wait for."""
        return self.statement(
            "add_edges",
            (
                [edge.job for edge in edges],
                [edge.needs_job for edge in edges],
                [edge.needs_flow for edge in edges],
                [edge.ended for edge in edges],
            ),
            count,
        )

    def find_duplicate(self, flows: Iterable[str]) -> Statement[tuple[str, str] | None]:
        """Read a name that two steps of a workflow have, and which workflow."""
        return self.statement(
            "duplicate",
            (list(flows),),
            lambda rows: (rows[0]["flow"], rows[0]["name"]) if rows else None,
        )


def _inserted(rows: Rows) -> list[Inserted]:
    """Return jobs in the order given, in which their ids rise."""
    in_order = sorted(rows, key=lambda row: int(row["id"]))
    return [Inserted(row["id"], State(row["state"])) for row in in_order]


def _describe_flow(flow: NewFlow, once: str | None) -> dict[str, Any]:
    return {
        "id": flow.id,
        "kind": flow.kind.value,
        "root": flow.root,
        "parent": flow.parent,
        "name": flow.name,
        "place": flow.place,
        "options": orjson.Fragment(json.dumps(dict(flow.options))),
        "callbacks": {event: _describe(jobs) for event, jobs in flow.callbacks.items()},
        "needs": list(flow.needs),
        "once": once,
    }


def _describe(jobs: Job | Sequence[Job]) -> Any:
    if isinstance(jobs, Job):
        return describe_callback(jobs)
    return [describe_callback(job) for job in jobs]
