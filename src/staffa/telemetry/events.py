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

    def may_want(self, beginning: str) -> bool:
        return any(
            known.startswith(beginning) or beginning.startswith(known) for known in self.events
        )

    def wants(self, event: Event) -> bool:
        return event.name.startswith(self.events) and self.instance in (None, event.instance)


class _Audience:
    """Who listens now, and what was found out of what they want; another one with each change.

    Args:
        listeners: All that listen.
    """

    __slots__ = ("_by_beginning", "_by_kind", "listeners")

    def __init__(self, listeners: tuple[_Listener, ...]) -> None:
        self.listeners = listeners
        self._by_beginning: dict[str, bool] = {}
        self._by_kind: dict[object, tuple[_Listener, ...]] = {}

    def for_kind(self, make: Callable[..., Event]) -> tuple[_Listener, ...]:
        """Return who may want events of a class."""
        found = self._by_kind.get(make)
        if found is None:
            kind = getattr(make, "kind", Event.kind)  # of which the names of spans are anything
            found = tuple(one for one in self.listeners if kind == Event.kind or one.may_want(kind))
            self._by_kind[make] = found
        return found

    def wants(self, beginning: str) -> bool:
        """Tell whether anybody may want events whose names begin so."""
        found = self._by_beginning.get(beginning)
        if found is None:
            found = any(listener.may_want(beginning) for listener in self.listeners)
            self._by_beginning[beginning] = found
        return found


_audience = _Audience(())


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
    global _audience  # noqa: PLW0603
    beginnings = (events,) if isinstance(events, str) else tuple(events)
    listener = _Listener(handler, beginnings, instance)
    _audience = _Audience((*_audience.listeners, listener))


def detach(handler: Handler) -> None:
    """Stop calling a handler."""
    global _audience  # noqa: PLW0603
    left = [listener for listener in _audience.listeners if listener.handler != handler]
    _audience = _Audience(tuple(left))


def emit(make: Callable[P, Event], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Tell the handlers that something happened; nothing is made where none of them may want it.

    Args:
        make: The event's class.
        *args: Its fields.
        **kwargs: Its fields, which type checkers compare with the class.
    """
    audience = _audience
    if not audience.listeners:
        return
    listeners = audience.for_kind(make)
    if not listeners:
        return
    event = make(*args, **kwargs)
    for listener in listeners:
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
    audience = _audience
    return bool(audience.listeners) and audience.wants(name)


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
