"""Ends jobs of flows in each of the ways that there are, and follows that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from staffa.dialogues import Dialogue, all_of
from staffa.engine import (
    Ack,
    Changed,
    Changes,
    Ending,
    Producer,
    Rescued,
    Rescues,
    Statement,
    Statements,
)
from staffa.engines.linked.following import follow
from staffa.engines.linked.reopening import suspend_waiting
from staffa.engines.linked.roots import Members, lock_roots_of_acks, lock_roots_of_jobs
from staffa.engines.linked.transitions import Transition, count_completions
from staffa.engines.statements.conditions import Wanted
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.filters import JobFilter
from staffa.leases import as_ack, lease_of, plain_leases
from staffa.linking import NOTHING, LinkedAcks
from staffa.types import State


def acknowledge(
    following: FollowStatements,
    jobs: JobStatements,
    acks: Sequence[Ending],
    producer: Producer,
    flows: Mapping[int, tuple[str, ...]] | None = None,
    *,
    wait: bool,
) -> Dialogue[LinkedAcks]:
    """Write outcomes of jobs of flows; those whose roots others hold can be left out.

    Raises:
        RootHeldError: If one leads to a flow whose root somebody else holds, and is not waited for.
    """
    numbers = [lease_of(ack).id for ack in acks]
    members = yield from lock_roots_of_acks(following, numbers, flows or {}, wait=wait)
    free = [ack for ack in acks if lease_of(ack).id not in members.left] if members.left else acks
    if not free:
        return LinkedAcks({}, NOTHING, members.left, members.roots)
    states: dict[int, State] = yield jobs.ack(free, producer, wait=wait)
    leases = plain_leases(free)
    if leases is None:
        followed = yield from follow(following, _transitions(free, states, members), wait=wait)
    else:
        ended = [one for one in leases if one.id in states and one.id in members.flows]
        changes = count_completions(ended, members.flows)
        completed = [lease.id for lease in ended]
        followed = yield from follow(following, (), changes, completed=completed, wait=wait)
    return LinkedAcks(states, followed, members.left, members.roots)


def _transitions(
    acks: Sequence[Ending], states: Mapping[int, State], members: Members
) -> list[Transition]:
    """Return what jobs of flows have become by their outcomes."""
    return [
        Transition(
            ack.lease.id,
            members.flows[ack.lease.id],
            State.EXECUTING,
            states[ack.lease.id],
            ack.lease.attempt,
            ack.lease.attempt - ack.refund,
        )
        for ack in map(as_ack, acks)
        if ack.lease.id in states and ack.lease.id in members.flows
    ]


def complete(
    following: FollowStatements, jobs: JobStatements, acks: Sequence[Ack], producer: Producer
) -> Dialogue[dict[int, State]]:
    """Write outcomes in a transaction of the user's; what became of others is seen by polling."""
    found = yield from acknowledge(following, jobs, acks, producer, wait=True)
    return dict(found.states)


def change(
    following: FollowStatements,
    changing: Callable[[Wanted], Statements[list[Changed]]],
    wanted: Wanted,
    after: State | None,
    *,
    wait: bool,
    control: FlowControlStatements | None = None,
) -> Dialogue[Changes]:
    """Change jobs, and follow what those of flows have become.

    Args:
        following: The engine's statements.
        changing: Returns what changes the jobs.
        wanted: Their ids, or a filter that names ids.
        after: The state that they have then; None where they are deleted.
        wait: Whether roots that others hold are waited for; else their jobs are left out.
        control: Suspends those that have to wait for others though they would run.
    """
    members = yield from lock_roots_of_jobs(following, numbers_of(wanted), wait=wait)
    changed = yield from all_of(changing(_without(wanted, members)))
    linked = [job for job in changed if job.id in members.flows]
    waiting: Collection[int] = ()
    if control is not None and linked:
        waiting = yield from suspend_waiting(control, [job.id for job in linked])
    transitions = [
        Transition(
            job.id,
            members.flows[job.id],
            job.previous_state,
            State.SUSPENDED if job.id in waiting else after,
            job.attempt,
        )
        for job in linked
    ]
    followed = yield from follow(following, transitions)
    return Changes(changed, followed)


def rescue(
    following: FollowStatements,
    rescuing: Statement[list[Rescued]],
    before: State,
    *,
    refunded: bool = False,
) -> Dialogue[Rescues]:
    """Put jobs back or discard them, and follow that.

    Which jobs these are is known afterwards, so that roots are locked after jobs, for once: who
    meets another one because of that begins anew.

    Args:
        following: The engine's statements.
        rescuing: What does so.
        before: The state that the jobs were in.
        refunded: Whether those that were put back have their attempt back.
    """
    rescued: list[Rescued] = yield rescuing
    if not rescued:
        return Rescues()
    members = yield from lock_roots_of_jobs(following, [job.id for job in rescued])
    transitions = [
        Transition(
            job.id,
            members.flows[job.id],
            before,
            job.state,
            job.attempt + (refunded and job.state is not State.DISCARDED),
            job.attempt,
        )
        for job in rescued
        if job.id in members.flows
    ]
    followed = yield from follow(following, transitions)
    return Rescues(rescued, followed)


def numbers_of(wanted: Wanted) -> list[int]:
    """Return the ids of jobs that are wanted; a filter names some here."""
    return list((wanted.ids or ()) if isinstance(wanted, JobFilter) else wanted)


def _without(wanted: Wanted, members: Members) -> Wanted:
    if not members.left:
        return wanted
    numbers = [number for number in numbers_of(wanted) if number not in members.left]
    return replace(wanted, ids=numbers) if isinstance(wanted, JobFilter) else numbers
