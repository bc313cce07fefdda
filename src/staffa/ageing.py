"""The options of the prioritizer: which jobs become more urgent while they wait, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from staffa._internal.identifiers import is_storable_name
from staffa._internal.shown import shown
from staffa.errors import ConfigError
from staffa.types import Seconds, to_seconds
from staffa.upkeep import parse_options

_LEAST_URGENT = 9
_Key = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Ageing:
    """How jobs rise that one rule holds for; 0 is the most urgent priority.

    Args:
        after: Seconds that a job waits before it rises by the first step.
        interval: Seconds between any two further steps.
        max_priority: The most urgent priority that it rises to.

    Example:
        >>> ageing = Ageing(after=300.0, interval=60.0, max_priority=2)
        >>> [ageing.priority_of(5, waited) for waited in (299, 300, 359, 360, 9000)]
        [5, 4, 4, 3, 2]
        >>> ageing.priority_of(1, 9000)
        1
    """

    after: float
    interval: float
    max_priority: int

    def priority_of(self, own: int, waited: float) -> int:
        """Return the priority of a job by its own one and the seconds that it has waited.

        It is a function of these alone: whoever asks, and however often, nobody raises a job twice.
        """
        if waited < self.after:
            return own
        steps = 1 + (waited - self.after) // self.interval
        return min(own, max(self.max_priority, own - int(min(steps, own))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """A rule: how the jobs that it names rise. What it leaves out, the prioritizer's options say.

    Args:
        queue: Jobs of this queue; None for all.
        worker: Jobs of this worker, as rows name it; None for all.
        after: How long they wait before they rise by the first step: seconds or a timedelta.
        interval: How long until each further step.
        max_priority: The most urgent priority that they rise to; 0 is the most urgent there is.
        exclude: Whether they keep their priority however long they wait.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> Rise(queue="mail", after=60).after
        60.0
    """

    queue: str | None = None
    worker: str | None = None
    after: Seconds | None = None
    interval: Seconds | None = None
    max_priority: int | None = None
    exclude: bool = False

    def __post_init__(self) -> None:
        for name in ("queue", "worker"):
            value = getattr(self, name)
            if value is not None and not is_storable_name(value):
                raise ConfigError(
                    f"a prioritizer's rule has {name} {shown(value)}, which is no name"
                )
        for name in ("after", "interval"):
            if getattr(self, name) is not None:
                seconds = _check_length(f"{name} of a prioritizer's rule", getattr(self, name))
                object.__setattr__(self, name, seconds)
        if self.max_priority is not None:
            _check_priority("max_priority of a prioritizer's rule", self.max_priority)
        if not isinstance(self.exclude, bool):
            raise ConfigError(
                f"exclude of a prioritizer's rule is {shown(self.exclude, 100)}: give True or False"
            )

    @property
    def key(self) -> _Key:
        """What the rule names."""
        return (self.worker, self.queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prioritizer:
    """Makes jobs more urgent that have waited for long, step by step.

    One rule holds for each job: of those that name it, the most specific. A rule that names the
    worker goes before one that does not; among equals one that names the queue. Where none names
    it, the options themselves hold.

    Args:
        after: How long a job waits before it rises by the first step: seconds or a timedelta.
        interval: How long until each further step.
        max_priority: The most urgent priority that a job rises to; 0 is the most urgent there is.
        rules: What differs by queue and worker.
        batch: How many jobs one statement reads or raises.
        limit: How many jobs one round reads; what is left over waits for the next one.

    Raises:
        ConfigError: If a value can't be used, or two rules name the same.

    Example:
        >>> options = Prioritizer(after=600, rules=[Rise(queue="mail", after=60, max_priority=3)])
        >>> options.rule_for("mail", "app.send")
        Ageing(after=60.0, interval=60.0, max_priority=3)
        >>> options.rule_for("reports", "app.count").after
        600.0
    """

    after: Seconds = 300.0
    interval: Seconds = 60.0
    max_priority: int = 0
    rules: Sequence[Rise] = ()
    batch: int = 1000
    limit: int = 100_000
    _table: Mapping[_Key, Ageing | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("after", "interval"):
            seconds = _check_length(f"{name} of the prioritizer", getattr(self, name))
            object.__setattr__(self, name, seconds)
        _check_priority("max_priority of the prioritizer", self.max_priority)
        for name in ("batch", "limit"):
            _check_whole(f"{name} of the prioritizer", getattr(self, name))
        if not isinstance(self.rules, list | tuple):
            raise ConfigError(
                f"rules of the prioritizer is {shown(self.rules, 100)}: give a list of Rise(...)"
            )
        rules = tuple(parse_options(Rise, rule, "prioritizer's rule") for rule in self.rules)
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "_table", self._index())

    def rule_for(self, queue: str, worker: str | None) -> Ageing | None:
        """Return how a job rises; None if it does not. No worker stands for those not named."""
        for key in ((worker, queue), (worker, None), (None, queue)):
            if key in self._table:
                return self._table[key]
        return self._table[None, None]

    def rules_in(self, queue: str) -> list[Ageing]:
        """Return how the jobs of a queue rise that do, whatever their workers."""
        workers = {rule.worker for rule in self.rules if rule.queue in (None, queue)}
        found = (self.rule_for(queue, worker) for worker in workers | {None})
        return [ageing for ageing in found if ageing is not None]

    @property
    def pace(self) -> float:
        """Seconds between two rounds: the shortest time after which any job may rise."""
        return min(self._lengths(), default=to_seconds(self.interval, "interval"))

    def _lengths(self) -> Iterator[float]:
        for ageing in self._table.values():
            if ageing is not None:
                yield from (ageing.after, ageing.interval)

    def _index(self) -> dict[_Key, Ageing | None]:
        found: dict[_Key, Ageing | None] = {}
        for rule in self.rules:
            if rule.key in found:
                raise ConfigError(f"two rules of the prioritizer name the same: {rule}")
            found[rule.key] = None if rule.exclude else self._resolve(rule)
        found.setdefault((None, None), self._resolve(Rise()))
        return found

    def _resolve(self, rule: Rise) -> Ageing:
        after = self.after if rule.after is None else rule.after
        interval = self.interval if rule.interval is None else rule.interval
        most = self.max_priority if rule.max_priority is None else rule.max_priority
        return Ageing(to_seconds(after, "after"), to_seconds(interval, "interval"), most)


def _check_length(what: str, value: Any) -> float:
    seconds = to_seconds(value, what)
    if seconds == 0:
        raise ConfigError(f"{what} is 0: give a length of time above 0")
    return seconds


def _check_priority(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LEAST_URGENT:
        raise ConfigError(
            f"{what} is {shown(value, 100)}: give the most urgent priority that jobs may rise to, "
            f"from 0, which runs first, to {_LEAST_URGENT}"
        )


def _check_whole(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{what} is {shown(value, 100)}: give a whole number from 1")
