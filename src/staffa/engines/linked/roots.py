"""Locks the rows of roots: first of all, in the order of their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from staffa.dialogues import Dialogue
from staffa.engines.statements.following import FollowStatements, Link


class RootHeldError(Exception):
    """The root of a flow is held by somebody else; nothing of the transaction may stay."""


@dataclass(frozen=True, slots=True)
class Members:
    """Jobs that belong to flows, whose roots are locked now.

    Args:
        flows: The flows of each job of those that were asked for, if it has any.
        left: The jobs of flows whose roots others hold, where they were not waited for.
    """

    flows: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    left: frozenset[int] = frozenset()


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
    found: dict[str, bool] = yield statements.lock(ids, wait=wait)
    return frozenset(root for root, is_locked in found.items() if is_locked)


def lock_more_roots(
    statements: FollowStatements, ids: Sequence[str], *, wait: bool = True
) -> Dialogue[None]:
    """Lock the rows of roots after others, for steps that are in flows of other roots.

    Raises:
        RootHeldError: If somebody else holds one, and it must not be waited for.
    """
    found: dict[str, bool] = yield statements.lock(ids, wait=wait)
    if not wait and not all(found.values()):
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
