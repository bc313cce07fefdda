"""The options of queues: how a node runs one, how many jobs may wait in it; what it does there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from staffa._internal.identifiers import MAX_NAME_LENGTH, is_storable_name
from staffa._internal.shown import shown
from staffa.errors import ConfigError, UnknownOption
from staffa.limits import GlobalLimit, Limits, RateLimit, parse_global_limit, parse_rate_limit
from staffa.only import Only
from staffa.types import Seconds, to_seconds

MAX_LIMIT = 10_000
"""The highest limit that can be set at run time."""

ALL_QUEUES = "*"
"""How rows and notifications name all queues."""

_MOST = 2**31 - 1
_POLICIES = ("raise", "delay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How a node runs one queue.

    Args:
        limit: How many jobs of the queue run at once on this node.
        paused: Whether the node starts with the queue paused, until it is resumed.
        dispatch_cooldown: How long the node waits from one claim of the queue's jobs to the next:
            seconds or a timedelta.
        only: The nodes that run it: an `Only`, or a table of its fields; all if not given.
        global_limit: How many run at once on all nodes together: a number, or a `GlobalLimit`.
        rate_limit: How many start within a time on all nodes together.

    Raises:
        ConfigError: If the limit is no positive whole number, `paused` no boolean, the cooldown no
            length of time, `only` no rule, or a limit of all nodes can't be used.

    Example:
        >>> Queue(limit=20)
        Queue(limit=20, paused=False)
    """

    limit: int = 10
    paused: bool = False
    dispatch_cooldown: Seconds = 0.0
    only: Only | None = None
    global_limit: GlobalLimit | None = None
    rate_limit: RateLimit | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "only", Only.parse(self.only))
        if not isinstance(self.paused, bool):
            raise ConfigError(
                f"queue option paused is {shown(self.paused, 100)}: give True or False"
            )
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or self.limit < 1:
            raise ConfigError(
                f"queue limit {shown(self.limit)} is no positive whole number: give how many "
                "jobs may run at once, such as 10"
            )
        seconds = to_seconds(self.dispatch_cooldown, "dispatch_cooldown")
        object.__setattr__(self, "dispatch_cooldown", seconds)
        object.__setattr__(self, "global_limit", parse_global_limit(self.global_limit))
        object.__setattr__(self, "rate_limit", parse_rate_limit(self.rate_limit))
        _ = self.limits

    def __repr__(self) -> str:
        shown_too = {"global_limit": self.global_limit, "rate_limit": self.rate_limit}
        options = {"limit": self.limit, "paused": self.paused} | {
            name: value for name, value in shown_too.items() if value is not None
        }
        return f"Queue({', '.join(f'{name}={value!r}' for name, value in options.items())})"

    @property
    def limits(self) -> Limits:
        """Its limits on all nodes."""
        return Limits(global_limit=self.global_limit, rate_limit=self.rate_limit)


@dataclass(frozen=True, slots=True)
class QueueCheck:
    """A queue of this process.

    Args:
        queue: Its name.
        node: The node.
        limit: How many of its jobs run at once here.
        paused: Whether it claims nothing for now.
        running: The ids of the jobs that run at the moment.
        started_at: When it was started here.
        updated_at: When it was last paused, resumed or scaled here.
        uuid: Of the queue in this process.
        global_limit: How many run at once on all nodes, as this node is configured.
        rate_limit: How many start within a time on all nodes, as this node is configured.
    """

    queue: str
    node: str
    limit: int
    paused: bool
    running: tuple[int, ...]
    started_at: datetime
    updated_at: datetime
    uuid: UUID
    global_limit: GlobalLimit | None = None
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class MaxDepth:
    """How many available jobs a queue may have before a client stops adding to it.

    Args:
        limit: From so many on, the queue is full.
        on_full: What `enqueue` does then: "raise" `QueueFull`, or "delay" until there is room.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> MaxDepth(1000, on_full="delay")
        MaxDepth(limit=1000, on_full='delay')
    """

    limit: int
    on_full: Literal["raise", "delay"] = "raise"

    def __post_init__(self) -> None:
        whole = isinstance(self.limit, int) and not isinstance(self.limit, bool)
        if not whole or not 1 <= self.limit <= _MOST:
            raise ConfigError(
                f"max_depth {shown(self.limit, 100)} is no whole number from 1 to {_MOST}: give "
                "how many jobs may wait, such as 1000"
            )
        if self.on_full not in _POLICIES:
            raise ConfigError(f"on_full is {shown(self.on_full, 100)}: give 'raise' or 'delay'")


def check_queue_name(name: object) -> str:
    """Return the name of a queue, or refuse it.

    Raises:
        ConfigError: If it is empty, longer than 127 characters or no text.
    """
    if not is_storable_name(name):
        raise ConfigError(
            f"queue {shown(name)} is no name: give 1 to {MAX_NAME_LENGTH} characters, "
            "such as 'default'"
        )
    return str(name)


def parse_queues(queues: Mapping[str, Any]) -> dict[str, Queue]:
    """Return queues by name from what users write: limits, option tables or `Queue` objects.

    Raises:
        ConfigError: For a bad name, limit or option.

    Example:
        >>> parse_queues({"default": 10, "mail": {"limit": 5}})
        {'default': Queue(limit=10, paused=False), 'mail': Queue(limit=5, paused=False)}
    """
    if not isinstance(queues, Mapping):
        raise ConfigError(f"queues is {shown(queues)}: give a mapping such as {{'default': 10}}")
    return {check_queue_name(name): _parse_queue(name, value) for name, value in queues.items()}


def keep_options(queues: Any, earlier: Any) -> Any:
    """Return queues where one that is a number keeps the options that it had in an earlier source.

    Whoever says on the command line how many jobs run here does not end what holds for all nodes.

    Example:
        >>> keep_options({"mail": 5}, {"mail": {"limit": 10, "global_limit": 3}, "other": 1})
        {'mail': {'limit': 5, 'global_limit': 3}}
    """
    if not isinstance(queues, Mapping) or not isinstance(earlier, Mapping):
        return queues
    return {name: _keep(value, earlier.get(name)) for name, value in queues.items()}


def _keep(value: Any, earlier: Any) -> Any:
    if not isinstance(value, int):
        return value
    if isinstance(earlier, Queue):
        return replace(earlier, limit=value)
    return {**earlier, "limit": value} if isinstance(earlier, Mapping) else value


def parse_max_depth(depths: Mapping[str, Any]) -> dict[str, MaxDepth]:
    """Return depths by queue from what users write: numbers, option tables or `MaxDepth` objects.

    Raises:
        ConfigError: For a bad name, limit or option.

    Example:
        >>> parse_max_depth({"mail": 1000})
        {'mail': MaxDepth(limit=1000, on_full='raise')}
    """
    if not isinstance(depths, Mapping):
        raise ConfigError(f"max_depth is {shown(depths)}: give a mapping such as {{'mail': 1000}}")
    return {check_queue_name(name): _parse_depth(name, value) for name, value in depths.items()}


def _parse_depth(name: str, value: Any) -> MaxDepth:
    if isinstance(value, MaxDepth):
        return value
    if not isinstance(value, Mapping):
        return MaxDepth(value)
    known = {field.name for field in fields(MaxDepth)}
    for key in value:
        if key not in known:
            raise UnknownOption(f"option of max_depth of queue {name!r}:", key, known)
    if "limit" not in value:
        raise ConfigError(f"max_depth of queue {name!r} has no limit: add limit = 1000")
    return MaxDepth(**value)


def _parse_queue(name: str, value: Any) -> Queue:
    if isinstance(value, Queue):
        return value
    if not isinstance(value, Mapping):
        return Queue(limit=value)
    known = {field.name for field in fields(Queue)}
    for key in value:
        if key == "max_depth":
            raise ConfigError(
                f"max_depth is given to queue {name!r}: it is a setting of the clients that "
                f"enqueue, whatever they run: write max_depth={{{name!r}: {shown(value[key], 50)}}}"
            )
        if key not in known:
            raise UnknownOption(f"option of queue {name!r}:", key, known)
    try:
        return Queue(**value)
    except UnknownOption:
        raise
    except ConfigError as error:
        raise ConfigError(f"queue {name!r}: {error}") from None
