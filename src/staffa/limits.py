"""How many jobs of a queue run at once on all nodes, how many start in a time, and for whom.

What is told here is written to the queue's row in the database when a node starts, and every claim
obeys the row: see `docs/limits.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from hashlib import md5
from typing import Any, Literal, Self

from staffa._internal.shown import shown
from staffa.errors import ConfigError, UnknownOption
from staffa.types import Seconds, to_seconds

Algorithm = Literal["sliding_window", "fixed_window", "token_bucket"]
"""How starts are counted."""

PARTITION_KEY = "partition_key"
"""Where `meta` holds the partition of a job of a limited queue."""

WEIGHT_KEY = "staffa_weight"
"""Where `meta` holds the tokens that a single job takes."""

ALGORITHMS = ("sliding_window", "fixed_window", "token_bucket")
_MOST = 2**31 - 1
_MOST_FIELDS = 5
_LONGEST_FIELD = 100
_PREFIX_DIGITS = 8
_SHORTEST_PERIOD = 0.06  # a sixtieth of it is a millisecond


@dataclass(frozen=True, slots=True, init=False)
class Partition:
    """What divides the jobs of a queue into partitions.

    Args:
        *fields: "worker", "args.<key>" or "meta.<key>"; several of them are a mix. A dot leads to
            the key of an inner object.

    Raises:
        ConfigError: If a field is none of these, or there are none, or more than five.

    Example:
        >>> Partition("worker", "args.tenant_id").fields
        ('worker', 'args.tenant_id')
    """

    fields: tuple[str, ...]

    def __init__(self, *fields: str) -> None:
        for name in fields:
            if not is_field(name):
                raise ConfigError(
                    f"partition has {shown(name, 100)}: give 'worker', or a key of args or meta "
                    "such as 'args.tenant_id'"
                )
            if name == f"meta.{PARTITION_KEY}":
                raise ConfigError(
                    f"partition has {name!r}, which is where the partition itself is kept: give "
                    "what it is made of, or another key of meta"
                )
        if not 0 < len(fields) <= _MOST_FIELDS or len(set(fields)) < len(fields):
            raise ConfigError(
                f"partition is {shown(list(fields), 200)}: give 1 to {_MOST_FIELDS} different "
                "fields, such as 'args.tenant_id'"
            )
        object.__setattr__(self, "fields", tuple(fields))

    @classmethod
    def parse(cls, value: Partition | str | Iterable[str]) -> Partition:
        """Return what users write as `partition=`: a field, a list of them, or a `Partition`.

        Raises:
            ConfigError: If it is none of these.

        Example:
            >>> Partition.parse("args.tenant_id") == Partition.parse(["args.tenant_id"])
            True
        """
        if isinstance(value, Partition):
            return value
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, Mapping) or not isinstance(value, Iterable):
            raise ConfigError(
                f"partition is {shown(value, 100)}: give a field such as 'args.tenant_id', or a "
                "list of them"
            )
        return cls(*value)

    @property
    def prefix(self) -> str:
        """How the keys of its partitions begin: keys of another configuration begin differently."""
        digest = md5(",".join(self.fields).encode(), usedforsecurity=False).hexdigest()
        return f"{digest[:_PREFIX_DIGITS]}:"

    def __str__(self) -> str:
        return ", ".join(self.fields)


@dataclass(frozen=True, slots=True)
class GlobalLimit:
    """How many jobs of a queue run at once on all nodes together.

    Args:
        allowed: So many; with a partition, so many of each of its partitions.
        partition: What divides the queue's jobs: a field such as "args.tenant_id", a list of them,
            or a `Partition`.
        burst: Whether a partition may have more while no other one waits.
        per_node: Whether the number holds for each node instead of all together.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> GlobalLimit(5, partition="args.tenant_id").partition
        Partition(fields=('args.tenant_id',))
    """

    allowed: int
    _: KW_ONLY
    partition: Partition | str | Iterable[str] | None = None
    burst: bool = False
    per_node: bool = False

    def __post_init__(self) -> None:
        _check_allowed("global_limit", self.allowed)
        if self.partition is not None:
            object.__setattr__(self, "partition", Partition.parse(self.partition))
        for name in ("burst", "per_node"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(
                    f"{name} of global_limit is {shown(getattr(self, name), 100)}: give True or "
                    "False"
                )
        if self.burst and self.partition is None:
            raise ConfigError(
                "burst of global_limit is given without a partition: it lets one partition have "
                "more while no other waits; add partition, or leave burst out"
            )


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many jobs of a queue start within a time, on all nodes together.

    Args:
        allowed: So many tokens; with a partition, so many for each of its partitions.
        period: Within so many seconds, or a timedelta.
        algorithm: "sliding_window": in any stretch of that length; "fixed_window": in each one of
            a clock's; "token_bucket": they come back evenly, and at most that many are saved.
        partition: As for `GlobalLimit`.
        weight: How many tokens a job takes that does not say it itself.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> RateLimit(60, period=60).algorithm
        'sliding_window'
    """

    allowed: int
    _: KW_ONLY
    period: Seconds
    algorithm: Algorithm = "sliding_window"
    partition: Partition | str | Iterable[str] | None = None
    weight: int = 1

    def __post_init__(self) -> None:
        _check_allowed("rate_limit", self.allowed)
        period = to_seconds(self.period, "period of rate_limit")
        if period < _SHORTEST_PERIOD:
            raise ConfigError(
                f"period of rate_limit is {period:g} s: give at least {_SHORTEST_PERIOD} s"
            )
        object.__setattr__(self, "period", period)
        if self.algorithm not in ALGORITHMS:
            raise ConfigError(
                f"algorithm of rate_limit is {shown(self.algorithm, 100)}: give "
                f"{', '.join(map(repr, ALGORITHMS))}"
            )
        if self.partition is not None:
            object.__setattr__(self, "partition", Partition.parse(self.partition))
        whole = isinstance(self.weight, int) and not isinstance(self.weight, bool)
        if not whole or self.weight < 1:
            raise ConfigError(
                f"weight of rate_limit is {shown(self.weight, 100)}: give a whole number from 1"
            )
        if self.weight > self.allowed:
            raise ConfigError(
                f"weight of rate_limit is {self.weight}, but only {self.allowed} are allowed: no "
                "job could ever start; give a lower weight, or allow more"
            )

    @property
    def seconds(self) -> float:
        """The period in seconds."""
        return to_seconds(self.period, "period of rate_limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one queue.

    Args:
        global_limit: How many of its jobs run at once.
        rate_limit: How many start within a time.

    Raises:
        ConfigError: If both have a partition, and not the same.
    """

    global_limit: GlobalLimit | None = None
    rate_limit: RateLimit | None = None
    partition: Partition | None = field(init=False)

    def __post_init__(self) -> None:
        given = [
            Partition.parse(limit.partition)
            for limit in (self.global_limit, self.rate_limit)
            if limit is not None and limit.partition is not None
        ]
        if len(given) == 2 and given[0] != given[1]:
            raise ConfigError(
                f"global_limit is partitioned by {given[0]} and rate_limit by {given[1]}: a queue "
                "has one partition; give both the same, or only one of them any"
            )
        object.__setattr__(self, "partition", given[0] if given else None)

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return self.global_limit is not None or self.rate_limit is not None

    @property
    def fields(self) -> tuple[str, ...]:
        """What divides the queue, if anything."""
        return () if self.partition is None else self.partition.fields

    def as_options(self) -> dict[str, Any]:
        """Return them as plain JSON, for `from_options` to read.

        Example:
            >>> limits = Limits(global_limit=GlobalLimit(5, partition="worker"))
            >>> Limits.from_options(limits.as_options()) == limits
            True
        """
        found: dict[str, Any] = {}
        for name in ("global_limit", "rate_limit"):
            limit = getattr(self, name)
            if limit is not None:
                options = {option.name: getattr(limit, option.name) for option in fields(limit)}
                if options["partition"] is not None:
                    options["partition"] = list(options["partition"].fields)
                found[name] = options
        return found

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return limits as they were written; what a later version has added is left out."""
        known = {
            name: {option.name for option in fields(made)}
            for name, made in (("global_limit", GlobalLimit), ("rate_limit", RateLimit))
        }
        given = {
            name: {key: value for key, value in options[name].items() if key in keys}
            for name, keys in known.items()
            if options.get(name) is not None
        }
        return cls(
            global_limit=GlobalLimit(**given["global_limit"]) if "global_limit" in given else None,
            rate_limit=RateLimit(**given["rate_limit"]) if "rate_limit" in given else None,
        )


def parse_global_limit(value: Any) -> GlobalLimit | None:
    """Return what users write as `global_limit`: a number, a table of options, or an object.

    Raises:
        ConfigError: If it can't be used.

    Example:
        >>> parse_global_limit({"allowed": 5, "partition": "worker"}).allowed
        5
    """
    if value is None or isinstance(value, GlobalLimit):
        return value
    if isinstance(value, Mapping):
        return GlobalLimit(**_check_table(GlobalLimit, value, "global_limit", ("allowed",)))
    return GlobalLimit(value)


def parse_rate_limit(value: Any) -> RateLimit | None:
    """Return what users write as `rate_limit`: a table of options, or an object.

    Raises:
        ConfigError: If it can't be used.
    """
    if value is None or isinstance(value, RateLimit):
        return value
    if isinstance(value, Mapping):
        return RateLimit(**_check_table(RateLimit, value, "rate_limit", ("allowed", "period")))
    raise ConfigError(
        f"rate_limit is {shown(value, 100)}: give RateLimit(60, period=60), or a table with "
        "allowed and period"
    )


def _check_table(
    made: type[Any], table: Mapping[str, Any], what: str, needed: Iterable[str]
) -> dict[str, Any]:
    known = {option.name for option in fields(made)}
    for key in table:
        if key not in known:
            raise UnknownOption(f"option of {what}:", key, known)
    for key in needed:
        if key not in table:
            raise ConfigError(f"{what} has no {key}: add {key} = 60")
    return dict(table)


def read_field(roots: Mapping[str, Any], field: str) -> Any:
    """Return what a field of args or meta holds, as PostgreSQL's operator ``#>`` finds it.

    Example:
        >>> read_field({"args": {"tenant": {"id": 5}}}, "args.tenant.id")
        5
    """
    found: Any = roots
    for key in field.split("."):
        if isinstance(found, list) and key.lstrip("-").isdecimal():
            place = int(key)
            found = found[place] if -len(found) <= place < len(found) else None
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
    return found


def is_field(name: object) -> bool:
    """Tell whether a text names a field of jobs: worker, args.<key> or meta.<key>."""
    if not isinstance(name, str) or len(name) > _LONGEST_FIELD or "\x00" in name:
        return False
    root, *keys = name.split(".")
    return name == "worker" or (root in ("args", "meta") and bool(keys) and all(keys))


def _check_allowed(what: str, allowed: object) -> None:
    whole = isinstance(allowed, int) and not isinstance(allowed, bool)
    if not whole or not 1 <= allowed <= _MOST:  # type: ignore[operator]  # it is a number here
        raise ConfigError(
            f"allowed of {what} is {shown(allowed, 100)}: give a whole number from 1, such as 10"
        )
