"""Follows ends of jobs that nobody has followed, and counts flows anew.

Ours never leave anything behind. Other clients do, which know nothing of what depends on a job.
"""

from __future__ import annotations

from collections.abc import Sequence

from staffa.dialogues import Dialogue
from staffa.engines.linked.following import follow, followed_together
from staffa.engines.linked.roots import lock_roots
from staffa.engines.linked.transitions import Counts, Transition
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.repairs import Recount, RepairStatements, Stray
from staffa.linking import Repairs
from staffa.types import State

_MOST_STRAYS = 1000
_ENDS = ("completed", "discarded", "cancelled")


def find_wrong(
    statements: RepairStatements, flows: Sequence[str]
) -> Dialogue[list[tuple[str, list[str]]]]:
    """Return the roots where anything is to be repaired, each with its flows that are wrong."""
    counted: list[Recount] = yield statements.recount(flows)
    strays: list[Stray] = yield statements.find_strays(flows, _MOST_STRAYS)
    wrong: dict[str, list[str]] = {stray.root: [] for stray in strays}
    for one in counted:
        if difference(one) is not None:
            wrong.setdefault(one.root, []).append(one.id)
    return sorted(wrong.items())


def together(one: Repairs, other: Repairs) -> Repairs:
    """Return what two sweeps have found."""
    return Repairs(
        one.foreign + other.foreign,
        one.own + other.own,
        one.recounted + other.recounted,
        followed_together(one.followed, other.followed),
    )


def repair(
    following: FollowStatements, statements: RepairStatements, root: str, flows: Sequence[str]
) -> Dialogue[Repairs]:
    """Repair what there is to be repaired in flows of a root."""
    yield from lock_roots(following, [root])
    strays: list[Stray] = yield statements.find_strays([root], _MOST_STRAYS)
    counted: list[Recount] = yield statements.recount(flows)
    changes = {one.id: change for one in counted if (change := difference(one)) is not None}
    transitions = [
        Transition(
            stray.needs,
            (),
            State.EXECUTING,
            None if stray.ended == "deleted" else State(stray.ended),
        )
        for stray in strays
        if isinstance(stray.needs, int)
    ]
    parted = [stray.needs for stray in strays if stray.ended in ("cancelled", "deleted")]
    if parted:
        numbers = [needs for needs in parted if isinstance(needs, int)]
        yield from following.chains.bridge(numbers, [root])
    ended = [stray.needs for stray in strays if isinstance(stray.needs, str)]
    followed = yield from follow(following, transitions, changes, ended)
    own = sum(stray.own for stray in strays)
    return Repairs(len(strays) - own, own, len(changes), followed)


def difference(flow: Recount) -> Counts | None:
    """Return by how much counts differ from the jobs that there are; None if they don't.

    Jobs that had ended and were deleted later are counted as they had ended, as far as the total
    leaves room for them; those of which nothing was counted are taken for deleted ones.

    Example:
        >>> counts = dict(total=2, suspended=0, completed=0, cancelled=0, discarded=0, deleted=0,
        ...               attempted=0, inner_open=0)
        >>> found = {**counts, "completed": 1, "attempted": 1}
        >>> found.pop("deleted")
        0
        >>> difference(Recount("w", "w", counts, found)).completed
        1
    """
    counts, found = flow.counts, flow.found
    total = max(counts["total"], found["total"])
    missing = total - found["total"]
    right = {
        "total": total,
        "suspended": found["suspended"],
        "inner_open": found["inner_open"],
    }
    left = missing
    for end in ("deleted", *_ENDS):
        seen = found.get(end, 0)
        gone = min(max(counts[end] - seen, 0), left)
        left -= gone
        right[end] = seen + gone
    right["deleted"] += left
    right["attempted"] = found["attempted"] + missing
    change = {name: value - counts[name] for name, value in right.items()}
    return Counts(**change) if any(change.values()) else None
