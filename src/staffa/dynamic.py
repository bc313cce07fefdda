"""Queues that are kept in the database: what their rows say, and how that becomes options.

The options of a row are written as the table ``[queues.name]`` of ``staffa.toml`` is: what is not
there has its default. A row that another version has written may hold options that this one does
not know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from staffa._internal.shown import shown
from staffa.errors import ConfigError, StaffaError
from staffa.limits import Partition
from staffa.queue import Queue, parse_queues

SYNC_MODES = ("manual", "automatic")
"""What becomes of queues that the configuration does not have: they are kept, or deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicQueue:
    """A queue that is kept in the database.

    Args:
        queue: Its name.
        options: Its options, as a table of ``staffa.toml`` has them; `read` makes a `Queue` of it.
        configured: The options that the configuration had when a process that has the queue in it
            started last; None if none did.
        deleted: Whether it was deleted. Such a row is kept for a while, so that all processes hear
            of it, and as long as the configuration has the queue.
        version: Of its last change; 0 before it is written.
        changed_at: When that was.

    Example:
        >>> DynamicQueue(queue="mail", options={"limit": 5}).read()
        Queue(limit=5, paused=False)
    """

    queue: str
    options: Mapping[str, Any]
    configured: Mapping[str, Any] | None = None
    deleted: bool = False
    version: int = field(default=0, compare=False)
    changed_at: datetime | None = field(default=None, compare=False)

    def read(self) -> Queue:
        """Return the options.

        Raises:
            ConfigError: If this version can't read them.
        """
        return read_options(self.queue, self.options)


def read_options(queue: str, options: object) -> Queue:
    """Return what a queue's row says.

    Raises:
        ConfigError: If this version can't read it.
    """
    if not isinstance(options, Mapping):
        raise ConfigError(f"queue {queue!r} has options {shown(options, 100)}, which are no table")
    try:
        return parse_queues({queue: options})[queue]
    except (StaffaError, TypeError, ValueError) as error:
        raise ConfigError(
            f"queue {queue!r} has options that can't be used here, {shown(dict(options), 200)}: "
            f"{error}"
        ) from None


def write_options(queue: Queue) -> dict[str, Any]:
    """Return what a queue's row says: the limit, and what is not as it is by default.

    Example:
        >>> write_options(Queue(limit=5))
        {'limit': 5}
        >>> write_options(Queue(limit=5, paused=True, only={"node": "web.1"}))
        {'limit': 5, 'paused': True, 'only': {'node': 'web.1'}}
    """
    plain = Queue()
    return {
        one.name: _plain(getattr(queue, one.name))
        for one in fields(queue)
        if one.name == "limit" or getattr(queue, one.name) != getattr(plain, one.name)
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON and TOML have it; what is None is left out."""
    if isinstance(value, Partition):
        return list(value.fields)
    if is_dataclass(value) and not isinstance(value, type):
        found = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        return {name: _plain(each) for name, each in found.items() if each is not None}
    match value:
        case Enum():
            return value.value
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items() if each is not None}
        case list() | tuple() | set() | frozenset():
            return [_plain(each) for each in value]
        case float() if not math.isfinite(value):
            raise ConfigError(f"{value} can't be kept in the database: give a finite number")
    return value
