"""Oracles of flows: order, counts, callbacks, and that no sweep had anything to do.

The tables say what depends on what, the history says when it happened: a job that is released has
its change in the transaction, and so after the place, of the end that released it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from staffa._internal.identifiers import quote_identifier
from tests.chaos.flow_notes import read_repairs
from tests.chaos.history import FINAL, Change, History, Step
from tests.chaos.oracles import Oracle

_COUNTED = ("completed", "cancelled", "discarded")


@dataclass(frozen=True, slots=True)
class Edge:
    """What a job needs: a job or a flow, and what it does by how that has ended."""

    job: int
    needed: int | None
    flow: str | None
    policies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tables:
    """What the tables hold in the end.

    Args:
        flows: Rows of `staffa_flows` by id.
        edges: What jobs need.
        jobs: Of each flow, its own members and their states.
        calls: How often each callback of a batch was written.
        repairs: What was repaired, in words.
    """

    flows: Mapping[str, Mapping[str, Any]]
    edges: Sequence[Edge]
    jobs: Mapping[str, Mapping[int, str]]
    calls: Mapping[tuple[str, str], int]
    repairs: Sequence[str]

    def members(self, flow: str) -> set[int]:
        """Return the jobs of a flow, and of those inside of it."""
        inner = [name for name, row in self.flows.items() if row["parent"] == flow]
        found = set(self.jobs.get(flow, {}))
        return found.union(*(self.members(name) for name in inner))


async def read_flows(connection: asyncpg.Connection, prefix: str) -> Tables:
    """Read the tables."""
    schema = quote_identifier(prefix)
    flows = await connection.fetch(f"SELECT * FROM {schema}.staffa_flows")
    edges = await connection.fetch(
        f"SELECT edge.job_id, needs_job, needs_flow,"
        f" coalesce(edge.on_cancelled, step.on_cancelled) AS cancelled,"
        f" coalesce(edge.on_discarded, step.on_discarded) AS discarded"
        f" FROM {schema}.staffa_edges AS edge JOIN {schema}.staffa_steps AS step USING (job_id)"
    )
    rows = await connection.fetch(
        f"SELECT id, state::text, meta ->> 'workflow_id' AS workflow, meta ->> 'batch_id' AS batch,"
        f" meta ->> 'callback' AS callback FROM {schema}.oban_jobs"
    )
    jobs: dict[str, dict[int, str]] = {}
    calls: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["callback"] is not None:
            calls[row["batch"], row["callback"]] += 1
            continue
        for flow in (row["workflow"], row["batch"]):
            if flow is not None:
                jobs.setdefault(flow, {})[row["id"]] = row["state"]
    return Tables(
        flows={row["id"]: dict(row) for row in flows},
        edges=[
            Edge(
                row["job_id"],
                row["needs_job"],
                row["needs_flow"],
                {end: row[end] for end in ("cancelled", "discarded")},
            )
            for row in edges
        ],
        jobs=jobs,
        calls=calls,
        repairs=await read_repairs(connection, prefix),
    )


@dataclass(frozen=True, slots=True)
class Flows:
    """Judges flows by the tables and a history."""

    tables: Tables

    def oracles(self) -> Mapping[str, Oracle]:
        """Return the oracles."""
        return {
            "steps in order": self.out_of_order,
            "steps for a reason": self.without_reason,
            "counts of flows": self.miscounted,
            "flows that ended": self.unended,
            "callbacks once": self.miscalled,
            "repairs": lambda history: list(self.tables.repairs),
        }

    def out_of_order(self, history: History) -> list[str]:
        """No step goes on before all that it needs has ended once, those of flows at that time."""
        wrong = []
        for edge in self.tables.edges:
            begun = _goes_on(history, edge.job)
            if begun is None:
                continue
            needs = self.tables.members(edge.flow) if edge.flow is not None else {edge.needed}
            for need in needs:
                changes = [c for c in history.of_job.get(need or 0, ()) if c.seq < begun.seq]
                if changes and not any(c.after is None or c.after.state in FINAL for c in changes):
                    wrong.append(f"job {edge.job} went on before {need}, which it needs, had ended")
        return wrong

    def without_reason(self, history: History) -> list[str]:
        """No step goes on where something has ended so that it should have been cancelled."""
        wrong = []
        for edge in self.tables.edges:
            begun = _goes_on(history, edge.job)
            if begun is None or edge.needed is None:
                continue
            ends = [
                change.after.state
                for change in history.of_job.get(edge.needed, ())
                if change.seq < begun.seq and change.after is not None
            ]
            if {edge.policies.get(state, "ignore") for state in ends if state in FINAL} == {
                "cancel"
            }:
                wrong.append(f"job {edge.job} went on though {edge.needed} was {ends[-1]}")
        return wrong

    def miscounted(self, history: History) -> list[str]:
        """The counts of each flow are those of its jobs."""
        wrong = []
        for flow, row in self.tables.flows.items():
            if row["kind"] == "chain":
                continue
            states = Counter(self.tables.jobs.get(flow, {}).values())
            counted = {state: row[state] for state in _COUNTED}
            if counted != {state: states[state] for state in _COUNTED}:
                wrong.append(f"flow {flow} counts {counted}, and has {dict(states)}")
            if row["total"] != states.total():
                wrong.append(f"flow {flow} counts {row['total']} jobs, and has {states.total()}")
        return wrong

    def unended(self, history: History) -> list[str]:
        """Each flow has ended in the end."""
        return [
            f"{row['kind']} {flow} has not ended"
            for flow, row in self.tables.flows.items()
            if row["kind"] != "chain" and row["finished_at"] is None
        ]

    def miscalled(self, history: History) -> list[str]:
        """Each callback was written once if its event has occurred, and else never."""
        wrong = []
        for flow, row in self.tables.flows.items():
            if row["kind"] != "batch":
                continue
            for event, expected in self._events(flow, row, history).items():
                called = self.tables.calls.get((flow, event), 0)
                if expected is not None and called != expected:
                    wrong.append(f"batch {flow} was {event}: {called} callbacks, not {expected}")
                elif called > 1:
                    wrong.append(f"batch {flow}: {called} callbacks that it was {event}")
        return wrong

    def _events(
        self, flow: str, row: Mapping[str, Any], history: History
    ) -> Mapping[str, int | None]:
        """Return which callbacks there should be; None where a retry may have hidden it."""
        jobs = self.tables.jobs.get(flow, {})
        states = set(jobs.values())
        retried = any(
            change.step is Step.RETRY for job in jobs for change in history.of_job.get(job, ())
        )
        failed = any(
            change.step is Step.FAIL for job in jobs for change in history.of_job.get(job, ())
        )
        return {
            "attempted": 1,
            "exhausted": 1,
            "retryable": int(failed),
            "cancelled": None if retried else int("cancelled" in states),
            "discarded": None if retried else int("discarded" in states),
            "completed": None if retried else int(states <= {"completed"}),
        }


def _goes_on(history: History, job: int) -> Change | None:
    """Return the change by which a step goes on that has waited.

    None if none does, or if somebody has retried it before: then it goes on whatever it needs.
    """
    for change in history.of_job.get(job, ()):
        if change.step is Step.RETRY:
            return None
        if change.step is Step.RELEASE:
            return change
        if change.step is Step.CLAIM:  # it has never waited: what it needs had ended before
            return history.of_job[job][0]
    return None
