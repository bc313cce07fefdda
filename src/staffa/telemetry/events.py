"""Events: frozen objects with typed fields; none is built while nobody listens.

Handlers run where the event happens: they must be quick and must not block. One that raises harms
nobody: its error is logged. `staffa.telemetry.catalogue` holds the events, and
`staffa.telemetry.upkeep` those of what tidies up.

Options: `attach(handler, events=..., instance=...)` chooses by the beginning of the name and by the
client that an event belongs to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, ParamSpec

logger = logging.getLogger("staffa")

P = ParamSpec("P")

_instance: ContextVar[str | None] = ContextVar("staffa_instance", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened; a subclass for each kind.

    Args:
        instance: The name of the client it belongs to; None where it belongs to none.
    """

    kind: ClassVar[str] = "staffa"

    instance: str | None = field(default_factory=_instance.get)

    @property
    def name(self) -> str:
        """Dotted, for example ``staffa.job.completed``."""
        return self.kind

    @property
    def data(self) -> dict[str, Any]:
        """The fields by name, but for `instance`."""
        return {
            known.name: getattr(self, known.name)
            for known in fields(self)
            if known.name != "instance"
        }


Handler = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _Listener:
    handler: Handler
    events: tuple[str, ...]
    instance: str | None

    def wants(self, event: Event) -> bool:
        return event.name.startswith(self.events) and self.instance in (None, event.instance)


_listeners: tuple[_Listener, ...] = ()
_wanted: tuple[tuple[_Listener, ...], dict[str, bool]] = ((), {})
"""Listeners, and what `listening` has found out of beginnings of names for these."""


def attach(
    handler: Handler, *, events: str | Iterable[str] = "staffa", instance: str | None = None
) -> None:
    """Call a handler for every event that it chooses.

    Args:
        handler: Called with each `Event`, on the thread where it happens.
        events: A beginning of names such as ``staffa.job``, or several.
        instance: Only events of the client of this name; of all if not given.

    Example:
        >>> from staffa.telemetry.catalogue import JobsStaged
        >>> seen = []
        >>> attach(seen.append, events=["staffa.stager"], instance="docs")
        >>> emit(JobsStaged, count=3, instance="docs")
        >>> emit(JobsStaged, count=4, instance="others")
        >>> detach(seen.append)
        >>> [(event.name, event.count) for event in seen]
        [('staffa.stager.staged', 3)]
    """
    global _listeners  # noqa: PLW0603
    beginnings = (events,) if isinstance(events, str) else tuple(events)
    _listeners = (*_listeners, _Listener(handler, beginnings, instance))


def detach(handler: Handler) -> None:
    """Stop calling a handler."""
    global _listeners  # noqa: PLW0603
    _listeners = tuple(listener for listener in _listeners if listener.handler != handler)


def emit(make: Callable[P, Event], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Tell the handlers that something happened; nothing is made where none of them may want it.

    Args:
        make: The event's class.
        *args: Its fields.
        **kwargs: Its fields, which type checkers compare with the class.
    """
    if not _listeners:
        return
    kind = getattr(make, "kind", Event.kind)
    if kind is not Event.kind and not listening(kind):  # the names of spans are anything
        return
    event = make(*args, **kwargs)
    for listener in _listeners:
        if not listener.wants(event):
            continue
        try:
            listener.handler(event)
        except Exception:  # a listener is not our code: its error is logged
            logger.exception("a handler of %s raised", event.name)


def listening(name: str = "") -> bool:
    """Tell whether anybody may want events, before data is built that costs something.

    Args:
        name: How their names begin; any if not given.

    Example:
        >>> attach(print, events="staffa.docs.read")
        >>> listening("staffa.docs"), listening("staffa.docs.read.stop"), listening("staffa.job")
        (True, True, False)
        >>> detach(print)
    """
    global _wanted  # noqa: PLW0603
    if not _listeners:
        return False
    listeners, wanted = _wanted
    if listeners is not _listeners:
        listeners, wanted = _wanted = (_listeners, {})
    found = wanted.get(name)
    if found is None:
        beginnings = [known for listener in listeners for known in listener.events]
        found = any(name.startswith(known) or known.startswith(name) for known in beginnings)
        wanted[name] = found
    return found


@contextmanager
def working_for(instance: str) -> Iterator[None]:
    """Have events of this context, and of the tasks made in it, belong to a client.

    Example:
        >>> with working_for("billing"):
        ...     Event().instance
        'billing'
    """
    token = _instance.set(instance)
    try:
        yield
    finally:
        _instance.reset(token)
