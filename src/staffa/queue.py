"""The options of one queue on one node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from staffa._internal.identifiers import MAX_NAME_LENGTH, is_storable_name
from staffa.errors import ConfigError, NotYetAvailable, UnknownOption

MAX_LIMIT = 10_000
"""The highest limit that can be set at run time."""

ALL_QUEUES = "*"
"""How rows and notifications name all queues."""

_LATER = frozenset({"global_limit", "rate_limit", "dispatch_cooldown", "max_depth", "only"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How a node runs one queue.

    Args:
        limit: How many jobs of the queue run at once on this node.
        paused: Whether the node starts with the queue paused, until it is resumed.

    Raises:
        ConfigError: If the limit is no positive whole number, or `paused` no boolean.

    Example:
        >>> Queue(limit=20)
        Queue(limit=20, paused=False)
    """

    limit: int = 10
    paused: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.paused, bool):
            raise ConfigError(f"queue option paused is {self.paused!r:.100}: give True or False")
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or self.limit < 1:
            raise ConfigError(
                f"queue limit {self.limit!r} is no positive whole number: give how many jobs may "
                "run at once, such as 10"
            )


def check_queue_name(name: object) -> str:
    """Return the name of a queue, or refuse it.

    Raises:
        ConfigError: If it is empty, longer than 127 characters or no text.
    """
    if not is_storable_name(name):
        raise ConfigError(
            f"queue {name!r:.200} is no name: give 1 to {MAX_NAME_LENGTH} characters, "
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
        raise ConfigError(f"queues is {queues!r:.200}: give a mapping such as {{'default': 10}}")
    return {check_queue_name(name): _parse_queue(name, value) for name, value in queues.items()}


def _parse_queue(name: str, value: Any) -> Queue:
    if isinstance(value, Queue):
        return value
    if not isinstance(value, Mapping):
        return Queue(limit=value)
    known = {field.name for field in fields(Queue)}
    for key in value:
        if key in _LATER:
            raise NotYetAvailable(f"option {key!r} of queue {name!r}")
        if key not in known:
            raise UnknownOption(f"option of queue {name!r}:", key, known)
    return Queue(**value)
