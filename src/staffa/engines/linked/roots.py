"""Locks the rows of roots: first of all, in the order of their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from staffa.dialogues import Dialogue
from staffa.engines.statements.following import FollowStatements, Link, Lock


class RootHeldError(Exception):
    """The root of a flow is held by somebody else; nothing of the transaction may stay."""


@dataclass(frozen=True, slots=True)
class Members:
    """Jobs that belong to flows, whose roots are locked now.

    Args:
        flows: The flows of each job of those that were asked for, if it has any.
        left: The jobs of flows whose roots others hold, where they were not waited for.
        roots: The roots of flows, as far as they were seen.
    """

    flows: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    left: frozenset[int] = frozenset()
    roots: Mapping[str, str] = field(default_factory=dict)


def lock_roots(
    statements: FollowStatements, ids: Sequence[str], *, wait: bool = True
) -> Dialogue[frozenset[str]]:
    """Lock the rows of the roots of flows.

    Args:
        statements: The engine's statements.
        ids: The flows; those that are not stored are left out.
        wait: Whether roots that others hold are waited for; else they are left out.

    Returns:
        The ids of the roots that are locked.
    """
    found: list[Lock] = yield statements.lock_flows(ids, wait=wait)
    return frozenset(lock.root for lock in found if lock.locked)


def lock_more_roots(
    statements: FollowStatements, ids: Sequence[str], *, wait: bool = True
) -> Dialogue[None]:
    """Lock the rows of roots after others, for steps that are in flows of other roots.

    Raises:
        RootHeldError: If somebody else holds one, and it must not be waited for.
    """
    found: list[Lock] = yield statements.lock_flows(ids, wait=wait)
    if not wait and not all(lock.locked for lock in found):
        raise RootHeldError


def lock_roots_of_jobs(
    statements: FollowStatements, numbers: Sequence[int], *, wait: bool = True
) -> Dialogue[Members]:
    """Lock the rows of the roots of all flows that jobs belong to, and tell which these are.

    Args:
        statements: The engine's statements.
        numbers: The ids of the jobs.
        wait: Whether roots that others hold are waited for; else their jobs are left out.
    """
    links: list[Link] = yield statements.lock_of_jobs(numbers, wait=wait)
    left = frozenset() if wait else frozenset(link.job for link in links if not link.locked)
    return Members({link.job: link.flows for link in links if link.job not in left}, left)


def lock_roots_of_acks(
    statements: FollowStatements,
    numbers: Sequence[int],
    named: Mapping[int, tuple[str, ...]],
    *,
    wait: bool = True,
) -> Dialogue[Members]:
    """Do the same for jobs with outcomes, by the flows that they named when they were claimed.

    No row of a job is read for that, and updates leave alone what it names. Other clients have
    workflows of their own, under the same keys of meta: they are no flows of ours.

    Args:
        statements: The engine's statements.
        numbers: The ids of the jobs.
        named: The flows of each; where one lacks, all are looked up.
        wait: Whether roots that others hold are waited for; else their jobs are left out.
    """
    if not all(number in named for number in numbers):
        return (yield from lock_roots_of_jobs(statements, numbers, wait=wait))
    kinds = {named[number] for number in numbers}  # many jobs name the same
    flows = sorted({flow for some in kinds for flow in some})
    found: list[Lock] = (yield statements.lock_flows(flows, wait=wait)) if flows else []
    locked = {lock.flow for lock in found if lock.locked}
    held = {lock.flow for lock in found if not lock.locked}
    left = {some for some in kinds if not held.isdisjoint(some)}
    stored = {some: tuple(flow for flow in some if flow in locked) for some in kinds - left}
    return Members(
        {number: some for number in numbers if (some := stored.get(named[number]))},
        frozenset(number for number in numbers if named[number] in left),
        {lock.flow: lock.root for lock in found},
    )
