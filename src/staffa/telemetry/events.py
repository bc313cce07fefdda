"""Events: a name and data; nothing is built while nobody listens.

Handlers run where the event happens: they must be quick and must not block. One that raises is
detached from nothing and harms nobody: its error is reported.

Options: `attach(handler, events=...)` chooses by the beginning of the name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger("staffa")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Args:
        name: Dotted, for example ``staffa.job.completed``.
        data: What belongs to it; JSON-like values and errors.
    """

    name: str
    data: dict[str, Any]


Handler = Callable[[Event], None]

_handlers: tuple[tuple[Handler, tuple[str, ...]], ...] = ()


def attach(handler: Handler, *, events: str | Iterable[str] = "staffa") -> None:
    """Call a handler for every event whose name begins with one of the names given.

    Args:
        handler: Called with each `Event`, on the thread where it happens.
        events: A beginning of names such as ``staffa.job``, or several.

    Example:
        >>> seen = []
        >>> attach(seen.append, events=["staffa.doc"])
        >>> emit("staffa.doc.read", page=1)
        >>> detach(seen.append)
        >>> seen
        [Event(name='staffa.doc.read', data={'page': 1})]
    """
    global _handlers  # noqa: PLW0603
    beginnings = (events,) if isinstance(events, str) else tuple(events)
    _handlers = (*_handlers, (handler, beginnings))


def detach(handler: Handler) -> None:
    """Stop calling a handler."""
    global _handlers  # noqa: PLW0603
    _handlers = tuple(entry for entry in _handlers if entry[0] != handler)


def emit(name: str, **data: Any) -> None:
    """Tell the handlers that something happened."""
    if not _handlers:
        return
    event = Event(name, data)
    for handler, events in _handlers:
        if not name.startswith(events):
            continue
        try:
            handler(event)
        except Exception:  # a listener is not our code: its error is reported
            logger.exception("a handler of %s raised", name)


def listening() -> bool:
    """Tell whether anybody listens, before data is built that costs something."""
    return bool(_handlers)
