"""Has steps wait again for what goes on once more, as far as they have not begun."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.dialogues import Dialogue
from staffa.engines.linked.circles import refuse_circles
from staffa.engines.linked.roots import lock_roots_of_jobs
from staffa.engines.linked.transitions import Transition
from staffa.engines.statements.chains import ChainStatements
from staffa.engines.statements.flow_control import FlowControlStatements, WaitingJob
from staffa.engines.statements.following import FollowStatements
from staffa.types import State


def reopen(
    statements: FlowControlStatements,
    chains: ChainStatements,
    flows: Sequence[str],
    jobs: Sequence[int],
    remedy: str,
) -> Dialogue[list[int]]:
    """Open the edges to flows and jobs that go on again; return whose they are.

    Those of steps that have begun stay closed, unless they are among the jobs.

    Args:
        statements: The engine's statements.
        chains: Those of chains.
        flows: The flows.
        jobs: The jobs.
        remedy: What the user can do where jobs would wait for themselves.

    Raises:
        InvalidJob: If jobs would wait for themselves by way of their chains.
    """
    opened: list[int] = (yield statements.reopen_jobs(jobs)) if jobs else []
    opened = opened + (yield statements.reopen_flows(flows, jobs))
    waiting = sorted(set(opened))
    if waiting:
        yield statements.reopen_steps(opened)
        yield from refuse_circles(chains, waiting, remedy=remedy)
    return waiting


def suspend_waiting(
    statements: FlowControlStatements, numbers: Sequence[int]
) -> Dialogue[dict[int, WaitingJob]]:
    """Suspend those of jobs that would run and have to wait; return them as they were."""
    found: list[WaitingJob] = yield statements.find_waiting(numbers)
    if found:
        yield statements.suspend([job.id for job in found])
    return {job.id: job for job in found}


def suspended(
    following: FollowStatements, jobs: Sequence[WaitingJob]
) -> Dialogue[list[Transition]]:
    """Return what became of jobs that would have run, and wait again now."""
    if not jobs:
        return []
    members = yield from lock_roots_of_jobs(following, sorted(job.id for job in jobs))
    return [
        Transition(job.id, members.flows[job.id], job.state, State.SUSPENDED, job.attempt)
        for job in sorted(jobs, key=lambda job: job.id)
    ]
