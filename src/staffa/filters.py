"""Which jobs an operation is about: `JobFilter`, checked when it is made.

What it lacks here is SQL: each engine builds its own condition, from these fields alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self

from staffa._internal.json import clean
from staffa._internal.shown import shown
from staffa.args.plain import dump_object
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from staffa.options import check_time
from staffa.types import State

LARGEST_ID = 2**63 - 1
MAX_ENTRIES = 1000
MAX_IDS = 10_000
MAX_LIMIT = 1_000_000_000
MAX_CHARACTERS = 65_536
_MAX_TEXT = 255
_MAX_PRIORITY = 32_767


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list, count or change: those that fit all that is given.

    What is not given, or None, restricts nothing. An empty list of values fits no job: a list that
    was computed and came out empty never means all jobs.

    Args:
        ids: Any of these ids, at most 10,000.
        states: Any of these states.
        queues: Any of these queues.
        workers: Any of these workers' names.
        tags: At least one of these tags.
        all_tags: All of these tags.
        args: What the arguments contain: these keys with these values, also nested ones; a list
            contains another if it has each of its elements.
        meta: What `meta` contains, likewise.
        priorities: Any of these priorities.
        nodes: Last claimed by any of these nodes.
        inserted_after: Enqueued at or after a time; every time needs a time zone.
        inserted_before: Enqueued before a time.
        scheduled_after: Due at or after a time.
        scheduled_before: Due before a time.
        attempted_after: Last claimed at or after a time.
        attempted_before: Last claimed before a time.
        finished_after: Completed, cancelled or discarded at or after a time.
        finished_before: Completed, cancelled or discarded before a time.
        after_id: Only ids above this one.
        before_id: Only ids below this one: where the last page of a list ended.
        limit: How many jobs at most; a list has 100 if it is not given.

    Raises:
        ConfigError: If a value can't be used; the message names it and the remedy.
        UnknownOption: For a field that does not exist.

    Example:
        >>> wanted = JobFilter(queues=["mail"], states=["retryable"], args={"to": "a@example.com"})
        >>> wanted.states
        (<State.RETRYABLE: 'retryable'>,)
        >>> JobFilter(queue="mail")
        Traceback (most recent call last):
        staffa.errors.UnknownOption: unknown field of a filter 'queue': did you mean 'queues'?
    """

    ids: Collection[int] | None = None
    states: Collection[str] | None = None
    queues: Collection[str] | None = None
    workers: Collection[str] | None = None
    tags: Collection[str] | None = None
    all_tags: Collection[str] | None = None
    args: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] | None = None
    priorities: Collection[int] | None = None
    nodes: Collection[str] | None = None
    inserted_after: datetime | None = None
    inserted_before: datetime | None = None
    scheduled_after: datetime | None = None
    scheduled_before: datetime | None = None
    attempted_after: datetime | None = None
    attempted_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    after_id: int | None = None
    before_id: int | None = None
    limit: int | None = None

    def __new__(cls, *positional: Any, **given: Any) -> Self:
        """Refuse unknown fields, with the nearest known one."""
        known = [field.name for field in fields(cls)]
        for key in given:
            if key not in known:
                raise UnknownOption("field of a filter", key, known)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check(name, value))

    @property
    def restricts(self) -> bool:
        """Whether it leaves any job out, its limit aside.

        Example:
            >>> JobFilter(limit=5).restricts, JobFilter(args={}).restricts
            (False, False)
            >>> JobFilter(queues=[]).restricts
            True
        """
        vacuous: tuple[Any, ...] = (None, (), {})
        return any(getattr(self, name) is not None for name in _RESTRICTING) or any(
            getattr(self, name) not in vacuous for name in _CONTAINING
        )

    @property
    def fits_none(self) -> bool:
        """Whether no job can fit, as a list of values is empty.

        Example:
            >>> JobFilter(ids=[]).fits_none, JobFilter().fits_none
            (True, False)
        """
        return self.limit == 0 or any(getattr(self, name) == () for name in _ANY_OF)

    def within(self, states: Collection[State]) -> JobFilter:
        """Return the filter for those of its jobs that are in one of some states.

        Example:
            >>> JobFilter(queues=["mail"]).within([State.RETRYABLE]).states
            (<State.RETRYABLE: 'retryable'>,)
        """
        given = self.states
        kept = [state for state in states if given is None or state in given]
        return replace(self, states=kept)


def _check_texts(name: str, value: Any) -> tuple[str, ...]:
    found = _check_collection(name, value, MAX_ENTRIES)
    for text in found:
        if not isinstance(text, str) or not 0 < len(text) <= _MAX_TEXT or clean(text) != text:
            raise ConfigError(
                f"{name} has {shown(text)}: give text of 1 to {_MAX_TEXT} characters, without NUL"
            )
    return found


def _check_tags(name: str, value: Any) -> tuple[str, ...]:
    """Return tags as they are stored: trimmed, in lower case."""
    return tuple(tag.strip().lower() for tag in _check_texts(name, value))


def _check_states(name: str, value: Any) -> tuple[State, ...]:
    known = [state.value for state in State]
    found = _check_collection(name, value, MAX_ENTRIES)
    for state in found:
        if state not in known:
            raise UnknownOption(
                "state", state[:200] if isinstance(state, str) else shown(state), known
            )
    return tuple(State(state) for state in found)


def _check_ids(name: str, value: Any) -> tuple[int, ...]:
    return _check_numbers(name, value, 1, LARGEST_ID, MAX_IDS)


def _check_priorities(name: str, value: Any) -> tuple[int, ...]:
    return _check_numbers(name, value, 0, _MAX_PRIORITY, MAX_ENTRIES)


def _check_numbers(name: str, value: Any, low: int, high: int, most: int) -> tuple[int, ...]:
    found = _check_collection(name, value, most)
    return tuple(_check_number(name, number, low, high) for number in found)


def _check_number(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(
            f"{name}: {shown(value)} can't be used: give a whole number {low}..{high}"
        )
    return value


def _check_collection(name: str, value: Any, most: int) -> tuple[Any, ...]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise ConfigError(
            f"{name} is {shown(value)}: give a list, for example [{shown(value, 50)}]"
        )
    if len(value) > most:
        raise ConfigError(f"{name} has {len(value)} entries, more than {most}: split them")
    return tuple(value)


def _check_object(name: str, value: Any) -> dict[str, Any]:
    try:
        text = dump_object(value, name)
    except InvalidJob as error:
        raise ConfigError(f"filter by {error}") from None
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"{name} has {len(text)} characters of JSON, more than {MAX_CHARACTERS}: "
            "filter by fewer values"
        )
    return dict(value)


def _check_moment(name: str, value: Any) -> datetime:
    try:
        return check_time(value, name)
    except InvalidJob as error:
        raise ConfigError(str(error)) from None


def _check_id(name: str, value: Any) -> int:
    return _check_number(name, value, 0, LARGEST_ID)


def _check_limit(name: str, value: Any) -> int:
    return _check_number(name, value, 0, MAX_LIMIT)


_MOMENTS = tuple(
    f"{what}_{side}"
    for what in ("inserted", "scheduled", "attempted", "finished")
    for side in ("after", "before")
)
_ANY_OF = ("ids", "states", "queues", "workers", "tags", "priorities", "nodes")
_CONTAINING = ("all_tags", "args", "meta")
_RESTRICTING = (*_ANY_OF, *_MOMENTS, "after_id", "before_id")
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "ids": _check_ids,
    "states": _check_states,
    "queues": _check_texts,
    "workers": _check_texts,
    "tags": _check_tags,
    "all_tags": _check_tags,
    "args": _check_object,
    "meta": _check_object,
    "priorities": _check_priorities,
    "nodes": _check_texts,
    **dict.fromkeys(_MOMENTS, _check_moment),
    "after_id": _check_id,
    "before_id": _check_id,
    "limit": _check_limit,
}
