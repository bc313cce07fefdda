"""The statements that change flows which are stored; each verb is a file in ``sql/flows/``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from staffa._internal import json
from staffa.engine import Statement
from staffa.engines.statements.area import Area, Rows
from staffa.types import State


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job that has to wait for others though it would run."""

    id: int
    queue: str
    state: State
    attempt: int


@dataclass(frozen=True, slots=True)
class EndedFlow:
    """A flow that ended some time ago; only roots are locked for others."""

    id: str
    is_root: bool
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class GraftedJob:
    """A job that a graft has added, not behind another one.

    Args:
        id: Its id.
        graft: The job of the graft.
        root: The root of their flows.
        ignored: Which ends of the graft's job it ignores.
        is_step: Whether something is kept already of what it waits for.
    """

    id: int
    graft: int
    root: str
    ignored: Sequence[str]
    is_step: bool


class FlowControlStatements(Area):
    """What is asked of flows when all of one is cancelled, run again or forgotten."""

    folder = "flows"

    def members(self, flow: str, states: Iterable[State]) -> Statement[list[int]]:
        """Read the jobs of a flow and of all flows inside of it that are in given states."""
        return self.statement("members", (flow, [state.value for state in states]), _numbers)

    def around(self, flows: Iterable[str]) -> Statement[list[str]]:
        """Read flows, and those that they are inside of."""
        return self.statement("around", (list(flows),), lambda rows: [row["id"] for row in rows])

    def find_grafted(self, jobs: Sequence[int]) -> Statement[list[GraftedJob]]:
        """Read which jobs a graft has added, not behind one another, that are given with it."""
        return self.statement(
            "grafted",
            (list(jobs),),
            lambda rows: [
                GraftedJob(
                    row["id"],
                    row["graft"],
                    row["root"],
                    json.loads(row["ignored"]),
                    bool(row["is_step"]),
                )
                for row in rows
            ],
        )

    def reopen_jobs(self, jobs: Sequence[int]) -> Statement[list[int]]:
        """Open the edges to jobs that go on again; return whose they are."""
        return self._reopen("jobs", jobs, jobs)

    def reopen_flows(self, flows: Sequence[str], jobs: Sequence[int]) -> Statement[list[int]]:
        """Open the edges to flows that go on again; return whose they are."""
        return self._reopen("flows", flows, jobs)

    def _reopen(
        self, what: str, needed: Sequence[int] | Sequence[str], jobs: Sequence[int]
    ) -> Statement[list[int]]:
        text, params = self.text(f"reopen_{what}"), (list(needed), list(jobs))
        return self.spelled(text, params, _numbers)  # two lists, not a list of pairs

    def reopen_steps(self, steps: Sequence[int]) -> Statement[None]:
        """Count the edges of steps that were opened: each is given as often."""
        return self.statement("reopen_steps", (list(steps),), _nothing)

    def find_waiting(self, jobs: Sequence[int]) -> Statement[list[WaitingJob]]:
        """Read which jobs have to wait for others though they would run."""
        return self.statement(
            "waiting",
            (list(jobs),),
            lambda rows: [
                WaitingJob(row["id"], row["queue"], State(row["state"]), row["attempt"])
                for row in rows
            ],
        )

    def suspend(self, jobs: Sequence[int]) -> Statement[None]:
        """Suspend jobs that would run."""
        return self.statement("suspend", (list(jobs),), _nothing)

    def forget_results(self, jobs: Sequence[int]) -> Statement[None]:
        """Forget what jobs have recorded."""
        return self.statement("forget_results", (list(jobs),), _nothing)

    def let_go(self, step: int) -> Statement[int | None]:
        """Let a step go that was held; return how many of its edges are open."""
        return self.statement("let_go", (step,), lambda rows: rows[0]["open"] if rows else None)

    def find_ended(
        self, *, age: float, after: EndedFlow | None, limit: int
    ) -> Statement[list[EndedFlow]]:
        """Read flows that ended before an age in seconds, the one that ended first foremost."""
        last = (None, None) if after is None else (after.id, after.finished_at)
        return self.statement(
            "ended",
            (age, *last, limit),
            lambda rows: [
                EndedFlow(row["id"], bool(row["is_root"]), row["finished_at"]) for row in rows
            ],
        )

    def find_spent(self, roots: Iterable[str]) -> Statement[list[str]]:
        """Read which roots have no jobs any more, nor any flow that goes on."""
        return self.statement("spent", (list(roots),), lambda rows: [row["id"] for row in rows])

    def steps_of(self, roots: Iterable[str]) -> Statement[list[int]]:
        """Read the steps of roots."""
        return self.statement("steps_of_roots", (list(roots),), _numbers)

    def delete(self, roots: Iterable[str]) -> Statement[int]:
        """Delete roots and all flows that they are locked for."""
        return self.statement("delete", (list(roots),), len)


def _numbers(rows: Rows) -> list[int]:
    return [row["id"] for row in rows]


def _nothing(rows: Rows) -> None:
    return None
