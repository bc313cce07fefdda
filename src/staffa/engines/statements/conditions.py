"""Builds the condition of a filter: the one place where SQL is put together in Python.

The phrases of an engine are all there is; what a user gives is only ever a parameter. A file with a
filter says ``false /* filter */`` where the condition comes, so that run by itself it finds no job.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staffa._internal import json
from staffa.filters import JobFilter
from staffa.types import State

FILTER_MARK = "false /* filter */"
WAIT_MARK = "/* SKIP LOCKED */"
SKIP_LOCKED = "SKIP LOCKED"

Wanted = JobFilter | Sequence[int]
"""A filter, or ids alone."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """How an engine writes conditions on ``job``; ``{}`` stands for a parameter.

    Args:
        pieces: Text and encoder for each field of a filter but the states.
        any_state: The condition on states that matches no index; ``{}`` stands for literals.
        indexed: The same for each of the partial indexes, so that it matches that.
        others: The same for all other states; None where no index would be used beside them.
        arm: A query for the ids of one of several conditions, where OR keeps the planner from the
            partial indexes.
    """

    pieces: Mapping[str, tuple[str, Callable[[Any], Any]]]
    any_state: str
    indexed: tuple[str, str, str]
    others: str | None = None
    arm: str | None = None


_FINISHED_AT = (
    "CASE job.state::text WHEN 'completed' THEN job.completed_at"
    " WHEN 'cancelled' THEN job.cancelled_at WHEN 'discarded' THEN job.discarded_at END"
)
_MOMENT = "timezone('UTC', {}::timestamptz)"

_BY_ID = "job.id = ANY ((SELECT {}::bigint[])::bigint[])"
_PIECES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "ids": (_BY_ID, list),
    "after_id": ("job.id > {}::bigint", int),
    "before_id": ("job.id < {}::bigint", int),
    "queues": ("job.queue = ANY ({}::text[])", list),
    "workers": ("job.worker = ANY ({}::text[])", list),
    "priorities": ("job.priority = ANY ({}::int[])", list),
    "nodes": ("job.attempted_by[1] = ANY ({}::text[])", list),
    "inserted_after": (f"job.inserted_at >= {_MOMENT}", lambda time: time),
    "inserted_before": (f"job.inserted_at < {_MOMENT}", lambda time: time),
    "scheduled_after": (f"job.scheduled_at >= {_MOMENT}", lambda time: time),
    "scheduled_before": (f"job.scheduled_at < {_MOMENT}", lambda time: time),
    "attempted_after": (f"job.attempted_at >= {_MOMENT}", lambda time: time),
    "attempted_before": (f"job.attempted_at < {_MOMENT}", lambda time: time),
    "finished_after": (f"{_FINISHED_AT} >= {_MOMENT}", lambda time: time),
    "finished_before": (f"{_FINISHED_AT} < {_MOMENT}", lambda time: time),
    "tags": ("job.tags && {}::text[]", list),
    "all_tags": ("job.tags @> {}::text[]", list),
    "args": ("job.args @> {}::text::jsonb", json.dumps),
    "meta": ("job.meta @> {}::text::jsonb", json.dumps),
}

POSTGRES_PHRASES = Phrases(
    pieces=_PIECES,
    any_state="job.state::text IN ({})",
    indexed=("job.state IN ({})", "job.state IN ({})", "job.state IN ({})"),
    others="job.state IN ({})",
)

_INDEXED = ({State.AVAILABLE}, {State.SCHEDULED, State.RETRYABLE}, {State.EXECUTING})
"""The states of each partial index."""


def has_index(wanted: JobFilter) -> bool:
    """Tell whether partial indexes hold all jobs that a filter can find.

    Example:
        >>> has_index(JobFilter(states=["available", "retryable"])), has_index(JobFilter())
        (True, False)
    """
    return wanted.states is not None and set(wanted.states) <= set().union(*_INDEXED)


def condition(
    wanted: Wanted, first: int, *, indexed: bool = False, phrases: Phrases = POSTGRES_PHRASES
) -> tuple[str, tuple[Any, ...]]:
    """Return the text of a filter's condition on ``job``, and its parameters.

    Args:
        wanted: The filter, or ids.
        first: The number of its first parameter.
        indexed: Whether the partial indexes are to be used; else the states match none of them, so
            that single ids or a stretch of them are read by the primary key whatever the planner
            expects.
        phrases: The engine's.

    Example:
        >>> condition(JobFilter(queues=["mail"], before_id=9), 2)
        ('job.id < $2::bigint AND job.queue = ANY ($3::text[])', (9, ['mail']))
        >>> condition(JobFilter(), 1)
        ('true', ())
    """
    if not isinstance(wanted, JobFilter):
        return phrases.pieces["ids"][0].format(f"${first}"), (list(wanted),)
    texts: list[str] = []
    params: list[Any] = []
    for name, (text, encode) in phrases.pieces.items():
        value = getattr(wanted, name)
        if value is not None:
            texts.append(text.format(f"${first + len(params)}"))
            params.append(encode(value))
    if wanted.states is not None:
        texts.append(_of_states(wanted.states, phrases, indexed=indexed))
    return " AND ".join(texts) or "true", tuple(params)


def _of_states(states: Collection[str], phrases: Phrases, *, indexed: bool) -> str:
    """Return the condition on states as literals, which a partial index can be matched with."""
    wanted = {State(state) for state in states}
    others = wanted.difference(*_INDEXED)
    if not wanted:
        return "(false)" if indexed else "false"
    if not indexed or (others and phrases.others is None):
        return phrases.any_state.format(_literals(wanted))
    groups = [*zip(_INDEXED, phrases.indexed, strict=True), (others, phrases.others or "")]
    arms = [text.format(_literals(wanted & group)) for group, text in groups if wanted & group]
    if len(arms) == 1 or phrases.arm is None:
        return f"({' OR '.join(arms)})"
    return f"job.id IN ({' UNION ALL '.join(phrases.arm.format(arm) for arm in arms)})"


def _literals(states: Collection[State]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(states))
