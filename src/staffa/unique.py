"""Unique jobs: what makes two jobs the same, and which earlier ones count.

A unique job has a key, a digest of the fields that are compared. Whoever enqueues it takes the key
first, so that of many at once one decides after the other; it then looks at the jobs that took the
key before. If one of them is in a state that counts and young enough, that one is returned, flagged
as a conflict, and nothing is written. This is decided once, when the job is enqueued: retries,
staging and rescues never ask again.

Options: `fields` and `keys` say what is compared, `states`, `period` and `timestamp` which earlier
jobs count; `replace` (an option of the job) what of the existing one is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, TypedDict

from staffa._internal import json
from staffa._internal.shown import shown
from staffa.errors import ConfigError, UnknownOption
from staffa.types import Seconds, State, to_seconds

UniqueField = Literal["worker", "queue", "args", "meta"]
UniqueTimestamp = Literal["inserted_at", "scheduled_at"]
StateGroup = Literal["all", "incomplete", "scheduled", "successful"]
ReplaceField = Literal[
    "args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags", "worker"
]
Replace = Mapping[str, Sequence[ReplaceField]]
"""By the state of the existing job, what of it is overwritten."""
Digest = Callable[[bytes], bytes]

KEY_BYTES = 16
_FIELDS = ("worker", "queue", "args", "meta")
_TIMESTAMPS = ("inserted_at", "scheduled_at")
_REPLACEABLE = frozenset(
    {"args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags", "worker"}
)
_INTERNAL = "staffa_"  # how most keys begin that Staffa itself adds to meta
_INTERNAL_KEYS = frozenset(
    {"cron", "cron_expr", "cron_name", "cron_time", "cron_tz", "encrypted", "recorded"}
    | {"partition_key", "batch_id", "chain_id", "workflow_id"}
)  # and the others, which peers know, too

LIVE_STATES = (
    State.SUSPENDED, State.SCHEDULED, State.AVAILABLE, State.EXECUTING, State.RETRYABLE,
)  # fmt: skip
"""The states of a job that has not ended, in the order in which it comes to them."""

GROUPS: Mapping[str, frozenset[State]] = {
    "all": frozenset(State),
    "incomplete": frozenset(LIVE_STATES),
    "scheduled": frozenset({State.SCHEDULED}),
    "successful": frozenset({*LIVE_STATES, State.COMPLETED}),
}
"""The groups of states that have names, the same as Elixir's."""


class UniqueOptions(TypedDict, total=False):
    """The options of `Unique` as a mapping; `group` is another name of `states`."""

    period: Seconds | None
    fields: Sequence[UniqueField]
    keys: Sequence[str]
    states: StateGroup | Sequence[str]
    group: StateGroup
    timestamp: UniqueTimestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """What makes a job the same as an earlier one.

    Args:
        period: How far back earlier jobs count, in seconds or as a timedelta; without one, as long
            as they are kept.
        fields: What is compared: any of "worker", "queue", "args" and "meta".
        keys: Only these keys of args and meta are compared; all of them if none are given.
        states: Which earlier jobs count: a group ("all", "incomplete", "scheduled", "successful")
            or a list of states. Without it, those that have not ended, and with a period the
            completed ones, too.
        timestamp: What the period is counted from: "inserted_at" or "scheduled_at".

    Raises:
        ConfigError: If a value can't be used; the message names it and the remedy.

    Example:
        >>> Unique(period=60, keys=["account_id"]).period
        60.0
        >>> print(*sorted(Unique().watched))
        available executing retryable scheduled suspended
    """

    period: Seconds | None = None
    fields: Sequence[UniqueField] = ("worker", "queue", "args")
    keys: Sequence[str] = ()
    states: StateGroup | Sequence[str] | None = None
    timestamp: UniqueTimestamp = "inserted_at"

    def __post_init__(self) -> None:
        if self.period is not None:
            object.__setattr__(self, "period", _check_period(self.period))
        object.__setattr__(self, "fields", _check_fields(self.fields))
        object.__setattr__(self, "keys", _check_keys(self.keys, self.fields))
        if not isinstance(self.states, str | None):
            object.__setattr__(self, "states", _check_states(self.states))
        elif self.states is not None and self.states not in GROUPS:
            raise ConfigError(
                f"states of unique is {shown(self.states, 100)}: give {_listed(GROUPS)}, or a "
                "list of states"
            )
        if self.timestamp not in _TIMESTAMPS:
            raise ConfigError(
                f"timestamp of unique is {shown(self.timestamp, 100)}: give {_listed(_TIMESTAMPS)}"
            )

    def as_options(self) -> dict[str, Any]:
        """Return it as plain JSON, for `parse_unique` to read.

        Example:
            >>> parse_unique(Unique(period=60).as_options()) == Unique(period=60)
            True
        """
        states = self.states if isinstance(self.states, str | None) else list(self.states)
        return {
            "period": self.period,
            "fields": list(self.fields),
            "keys": list(self.keys),
            "states": states,
            "timestamp": self.timestamp,
        }

    @property
    def watched(self) -> frozenset[State]:
        """The states in which an earlier job counts."""
        if self.states is None:
            return GROUPS["incomplete" if self.period is None else "successful"]
        if isinstance(self.states, str):
            return GROUPS[self.states]
        return frozenset(State(state) for state in self.states)


def make_key(
    unique: Unique,
    *,
    worker: str,
    queue: str,
    args: Mapping[str, Any],
    meta: Mapping[str, Any],
    digest: Digest | None = None,
) -> bytes:
    """Return the key of a job: 16 bytes, equal for jobs that are the same, and for no others.

    Args:
        unique: What is compared.
        worker: The job's worker.
        queue: Its queue.
        args: Its args, before they are encrypted.
        meta: Its meta.
        digest: Makes the digest; a keyed one keeps args secret that are encrypted in the row.

    Example:
        >>> one, two = {"id": 1, "at": 5}, {"at": 6, "id": 1.0}
        >>> by_id = Unique(keys=["id"])
        >>> make_key(by_id, worker="w", queue="q", args=one, meta={}) == make_key(
        ...     by_id, worker="w", queue="q", args=two, meta={}
        ... )
        True
    """
    if "args" in unique.fields and "meta" not in unique.fields and not unique.keys:
        text = b"%b%b%b" % (_HEAD, json.canonical(args), _tail(unique.fields, worker, queue))
    else:
        text = _spell(unique, worker=worker, queue=queue, args=args, meta=meta)
    if digest is not None:
        return digest(text)[:KEY_BYTES]
    return blake2b(text, digest_size=KEY_BYTES).digest()


_HEAD = b'[{"args":'


@lru_cache(maxsize=1000)
def _tail(names: Sequence[str], worker: str, queue: str) -> bytes:
    """Return what follows the args in the text of jobs that are compared as a whole.

    It is the same for most of many jobs, and takes twice as long to make as all else of a key.
    """
    given = {"worker": worker, "queue": queue, "args": 0}
    text = json.canonical([{name: given[name] for name in names}, []])
    return text[len(_HEAD) + 1 :]


def _spell(
    unique: Unique, *, worker: str, queue: str, args: Mapping[str, Any], meta: Mapping[str, Any]
) -> bytes:
    """Return the text of what is compared."""
    given = {"worker": worker, "queue": queue, "args": args, "meta": meta}
    compared: dict[str, Any] = {name: given[name] for name in unique.fields}
    if "meta" in compared:
        own = (key for key in meta if key in unique.keys or not _is_internal(key))
        compared["meta"] = {key: meta[key] for key in own}
    if unique.keys:
        for name in compared.keys() & {"args", "meta"}:
            found = compared[name]
            compared[name] = {key: found[key] for key in unique.keys if key in found}
    # The keys asked for are part of it: all of the args and a part that happens to be all differ.
    return json.canonical([compared, sorted(unique.keys)])


def _is_internal(key: str) -> bool:
    return key.startswith(_INTERNAL) or key in _INTERNAL_KEYS


def parse_unique(value: Unique | bool | Mapping[str, Any] | None) -> Unique | None:
    """Return what users write as `unique=`: True, False, a mapping of options, or a `Unique`.

    Raises:
        ConfigError: If it is none of these, or has a value that can't be used.
        UnknownOption: For an option that does not exist.

    Example:
        >>> parse_unique({"period": 60, "group": "incomplete"})  # doctest: +ELLIPSIS
        Unique(period=60.0, ..., states='incomplete', timestamp='inserted_at')
        >>> parse_unique(False) is None
        True
    """
    if value is None or value is False:
        return None
    if value is True:
        return _WHILE_INCOMPLETE
    if isinstance(value, Unique):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"unique is {shown(value)}: give True, Unique(...), or a mapping such as "
            "{'period': 60}"
        )
    options = dict(value)
    known = {field.name for field in fields(Unique)}
    for key in options:
        if key not in {*known, "group"}:
            raise UnknownOption("option of unique:", key, {*known, "group"})
    if "group" in options:
        if "states" in options:
            raise ConfigError("unique has both states and group, two names of one: give one")
        options["states"] = options.pop("group")
    return Unique(**options)


def parse_replace(value: Replace | None) -> dict[str, tuple[str, ...]] | None:
    """Return what users write as `replace=`: by state, the fields to overwrite.

    Raises:
        ConfigError: If it is no such mapping.

    Example:
        >>> parse_replace({"scheduled": ["args", "priority"]})
        {'scheduled': ('args', 'priority')}
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"replace is {shown(value)}: give fields by state, such as {{'scheduled': ['args']}}"
        )
    return {
        _check_state(state, "replace").value: _check_choice(
            chosen, f"fields to replace while {state}", _REPLACEABLE
        )
        for state, chosen in value.items()
    }


def _check_period(period: Seconds) -> float:
    seconds = to_seconds(period, "period of unique")
    if seconds == 0:
        raise ConfigError("period of unique is 0: give a length above 0, or none at all")
    return seconds


def _check_fields(chosen: Iterable[str]) -> tuple[str, ...]:
    found = _check_choice(chosen, "fields of unique", _FIELDS)
    if not found:
        raise ConfigError(f"fields of unique is empty: give some of {_listed(_FIELDS)}")
    return tuple(name for name in _FIELDS if name in found)


def _check_keys(keys: Iterable[str], chosen: Collection[str]) -> tuple[str, ...]:
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise ConfigError(f"keys of unique is {shown(keys)}: give a list such as ['id']")
    found: tuple[str, ...] = ()
    for key in keys:
        if not isinstance(key, str):
            raise ConfigError(f"keys of unique has {shown(key, 100)}: give names of args or meta")
        if key not in found:
            found = (*found, key)
    if found and not {"args", "meta"} & set(chosen):
        raise ConfigError(
            f"keys of unique are {_listed(found)}, but fields has neither 'args' nor 'meta': add "
            "the one that they belong to"
        )
    return found


def _check_states(states: Iterable[str]) -> tuple[State, ...]:
    """Return a list of states, unless it overlooks jobs that are on their way into it.

    A job comes to a state through the live ones before it. If one of those is left out, two jobs
    can be there at once, unseen, and both move on into a state that is looked at.
    """
    if not isinstance(states, Iterable):
        raise ConfigError(f"states of unique is {shown(states)}: give {_listed(GROUPS)}, or a list")
    found = frozenset(_check_state(state, "states of unique") for state in states)
    if not found:
        raise ConfigError(f"states of unique is empty: give {_listed(GROUPS)}, or a list of states")
    last = max(
        LIVE_STATES.index(state) if state in LIVE_STATES else len(LIVE_STATES) for state in found
    )
    missing = [state for state in LIVE_STATES[:last] if state not in found]
    if missing and found not in GROUPS.values():
        raise ConfigError(
            f"states of unique has {_listed(sorted(found))} but not {_listed(missing)}: a job "
            "passes there on its way and would be overlooked; add what is missing, or give a "
            f"group: {_listed(GROUPS)}"
        )
    return tuple(state for state in State if state in found)


def _check_state(state: object, what: str) -> State:
    if not isinstance(state, str) or state not in {known.value for known in State}:
        raise ConfigError(f"{what} has the state {shown(state, 100)}: states are {_listed(State)}")
    return State(state)


def _check_choice(chosen: Iterable[str], what: str, known: Collection[str]) -> tuple[str, ...]:
    if isinstance(chosen, str) or not isinstance(chosen, Iterable):
        raise ConfigError(f"{what} is {shown(chosen)}: give a list of {_listed(sorted(known))}")
    found: tuple[str, ...] = ()
    for name in chosen:
        if not isinstance(name, str) or name not in known:
            raise ConfigError(f"{what} has {shown(name, 100)}: known are {_listed(sorted(known))}")
        if name not in found:
            found = (*found, name)
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in names)


_WHILE_INCOMPLETE = Unique()  # what True means
