"""The options of what tidies up: which finished jobs are kept, when indexes are rebuilt."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from staffa._internal.identifiers import is_storable_name
from staffa.errors import ConfigError, UnknownOption
from staffa.jobs import Job
from staffa.types import Seconds, State, to_seconds

T = TypeVar("T")

FINISHED = (State.COMPLETED, State.CANCELLED, State.DISCARDED)
"""The states that a job does not leave by itself."""

BeforeDelete = Callable[[list[Job]], Awaitable[None] | None]

_DAY_SECONDS = 86_400.0
_MEBIBYTE = 1024 * 1024
_Key = tuple[str | None, str | None, State | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """A rule: what is kept of the finished jobs that it names. Without bounds, all of them.

    Args:
        state: Jobs of this state: completed, cancelled or discarded; None for all three.
        queue: Jobs of this queue; None for all.
        worker: Jobs of this worker, as rows name it; None for all.
        max_age: Seconds since the job ended, or a timedelta; older ones are deleted.
        max_len: How many of the rule's jobs are kept in each state; all but the newest are deleted.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> Keep(queue="audit", max_age=31_536_000)
        Keep(state=None, queue='audit', worker=None, max_age=31536000.0, max_len=None)
    """

    state: State | str | None = None
    queue: str | None = None
    worker: str | None = None
    max_age: Seconds | None = None
    max_len: int | None = None

    def __post_init__(self) -> None:
        if self.state is not None:
            object.__setattr__(self, "state", _check_state(self.state))
        for name in ("queue", "worker"):
            value = getattr(self, name)
            if value is not None and not is_storable_name(value):
                raise ConfigError(f"a pruner's rule has {name} {value!r:.200}, which is no name")
        object.__setattr__(self, "max_age", _check_age("max_age of a pruner's rule", self.max_age))
        if self.max_len is not None:
            _check_whole("max_len of a pruner's rule", self.max_len, 0)

    @property
    def key(self) -> _Key:
        """What the rule names."""
        return (self.worker, self.queue, self.state)

    @property
    def seconds(self) -> float:
        """The age from which on jobs are deleted; infinite without one."""
        return math.inf if self.max_age is None else to_seconds(self.max_age, "max_age")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Deletes finished jobs when they are old, or more than are wanted.

    One rule holds for each job: of those that name it, the most specific. A rule that names the
    worker goes before one that does not; among equals one that names the queue; then one that names
    the state. Where none names it, the age of its state holds.

    Args:
        completed: How long completed jobs are kept: seconds or a timedelta; None for ever.
        cancelled: The same for cancelled jobs.
        discarded: The same for discarded jobs.
        rules: What differs by state, queue and worker.
        before_delete: Called with each list of jobs before it is deleted, to archive them; sync or
            async. If it raises, nothing of the list is deleted, and it is called again later.
        interval: How often to look.
        batch: How many jobs one statement reads or deletes.
        limit: How many jobs one round reads; what is left over waits for the next one.

    Raises:
        ConfigError: If a value can't be used, or two rules name the same.

    Example:
        >>> pruner = Pruner(completed=3600, rules=[Keep(queue="audit")])
        >>> pruner.rule_for(State.COMPLETED, "mail", "app.send").max_age
        3600.0
        >>> pruner.rule_for(State.COMPLETED, "audit", "app.send").max_age is None
        True
    """

    completed: Seconds | None = _DAY_SECONDS
    cancelled: Seconds | None = 7 * _DAY_SECONDS
    discarded: Seconds | None = 7 * _DAY_SECONDS
    rules: Sequence[Keep] = ()
    before_delete: BeforeDelete | None = None
    interval: Seconds = 30.0
    batch: int = 1000
    limit: int = 100_000
    _table: Mapping[_Key, Keep] = field(init=False, repr=False, compare=False)
    _defaults: Mapping[State, Keep] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = tuple(parse_options(Keep, rule, "pruner's rule") for rule in _list(self.rules))
        object.__setattr__(self, "rules", rules)
        for state in FINISHED:
            age = _check_age(f"{state} of the pruner", getattr(self, state))
            object.__setattr__(self, state, age)
        defaults = {state: Keep(state=state, max_age=getattr(self, state)) for state in FINISHED}
        object.__setattr__(self, "_defaults", defaults)
        if self.before_delete is not None and not callable(self.before_delete):
            raise ConfigError(f"before_delete is {self.before_delete!r:.100}: give a function")
        object.__setattr__(self, "interval", _check_interval("pruner", self.interval))
        _check_whole("batch of the pruner", self.batch, 1)
        _check_whole("limit of the pruner", self.limit, 1)
        object.__setattr__(self, "_table", _index(rules))

    def rule_for(self, state: State, queue: str, worker: str) -> Keep:
        """Return the one rule that holds for a job."""
        if self._table:
            for named_worker in (worker, None):
                for named_queue in (queue, None):
                    for named_state in (state, None):
                        rule = self._table.get((named_worker, named_queue, named_state))
                        if rule is not None:
                            return rule
        return self._defaults[state]

    def rules_of(self, state: State) -> list[Keep]:
        """Return all rules that may hold for jobs of a state."""
        named = [rule for rule in self.rules if rule.state in (None, state)]
        return [*named, self._default(state)]

    def _default(self, state: State) -> Keep:
        return Keep(state=state, max_age=getattr(self, state))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reindexer:
    """Rebuilds indexes that have grown out of proportion, and tells of tables that need a vacuum.

    Args:
        interval: How often to look for indexes.
        min_bytes: Smaller ones are left alone.
        ratio: How many times as large as freshly built an index must be.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> Reindexer(ratio=2)
        Reindexer(interval=86400.0, min_bytes=10485760, ratio=2.0)
    """

    interval: Seconds = _DAY_SECONDS
    min_bytes: int = 10 * _MEBIBYTE
    ratio: float = 3.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", _check_interval("reindexer", self.interval))
        _check_whole("min_bytes of the reindexer", self.min_bytes, 0)
        ratio = self.ratio
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not ratio >= 1:
            raise ConfigError(f"ratio of the reindexer is {ratio!r:.100}: give a number from 1")
        object.__setattr__(self, "ratio", float(ratio))


def parse_service(kind: type[T], value: object, what: str) -> T | None:
    """Return a service's options from what users write, or None where it is turned off.

    Raises:
        ConfigError: If it is none of them; UnknownOption for a key that does not exist.

    Example:
        >>> parse_service(Reindexer, False, "reindexer") is None
        True
        >>> parse_service(Reindexer, {"ratio": 2}, "reindexer").ratio
        2.0
    """
    if value is False or value is None:
        return None
    return kind() if value is True else parse_options(kind, value, what)


def parse_options(kind: type[T], value: object, what: str) -> T:
    """Return options from an object of theirs, or from a mapping such as a table of a file.

    Raises:
        ConfigError: If it is neither; UnknownOption for a key that does not exist.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{what} is {value!r:.100}: give {kind.__name__}(...), a table of its options, true or "
            "false"
        )
    known = {option.name for option in fields(kind) if option.init}  # type: ignore[arg-type]  # dataclasses
    for key in value:
        if key not in known:
            raise UnknownOption(f"option of the {what}:", str(key), known)
    return kind(**value)


def _index(rules: Sequence[Keep]) -> dict[_Key, Keep]:
    found: dict[_Key, Keep] = {}
    for rule in rules:
        if found.setdefault(rule.key, rule) is not rule:
            raise ConfigError(f"rules of the pruner name the same: {rule} and {found[rule.key]}")
    return found


def _list(rules: Any) -> Sequence[Any]:
    if not isinstance(rules, list | tuple):
        raise ConfigError(f"rules of the pruner is {rules!r:.100}: give a list of Keep(...)")
    return rules


def _check_state(state: object) -> State:
    if state not in tuple(FINISHED):
        raise ConfigError(
            f"a pruner's rule has state {state!r:.100}: give one of {', '.join(FINISHED)}"
        )
    return State(str(state))


def _check_age(what: str, age: Seconds | None) -> float | None:
    return None if age is None else to_seconds(age, what)


def _check_interval(what: str, value: Seconds) -> float:
    seconds = to_seconds(value, f"interval of the {what}")
    if seconds == 0:
        raise ConfigError(f"interval of the {what} is 0: give a length of time above 0")
    return seconds


def _check_whole(what: str, value: object, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ConfigError(f"{what} is {value!r:.100}: give a whole number from {low}")
