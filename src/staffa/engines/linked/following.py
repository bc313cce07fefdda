"""Follows what jobs have become: releases or cancels those that wait for them, ends flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from staffa.dialogues import Dialogue
from staffa.engines.linked.transitions import Counts, Transition
from staffa.engines.statements.following import FollowStatements
from staffa.linking import Followed


def follow(
    statements: FollowStatements,
    transitions: Sequence[Transition],
    changes: Mapping[str, Counts] | None = None,
) -> Dialogue[Followed]:
    """Follow changes of jobs' states that this transaction has written, to the last consequence.

    The roots of the flows concerned are locked, by a statement before the one that wrote them.
    New jobs of a bulk need no transitions: the counts of their flows are enough. A flow without
    changes of its own is looked at, too: whether it has ended, and which callbacks are due.

    Args:
        statements: The engine's statements.
        transitions: What has changed.
        changes: By flow, more changes of counts.
    """
    raise NotImplementedError
    yield
