"""Spans: something that takes time, told at its beginning and at its end.

Each is three events: ``<name>.start``, then ``<name>.stop`` or ``<name>.exception``. They hold the
same `Span`, so that a handler can bring them together. Without listeners a span costs one look.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.telemetry.events import Event, emit, listening

C = TypeVar("C", bound=type)

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What takes time.

    Args:
        name: Dotted, for example ``staffa.engine.stage_jobs``.
        about: What it is told about; JSON-like values.
        number: Tells it apart from others of this process.
    """

    name: str
    about: Mapping[str, Any]
    number: int = field(default_factory=_numbers.__next__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent(Event):
    """A part of a span's life.

    Args:
        span: The span.
    """

    ending: ClassVar[str] = ""

    span: Span

    @property
    def name(self) -> str:
        """The span's name and ``.start``, ``.stop`` or ``.exception``."""
        return self.span.name + self.ending


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanStarted(SpanEvent):
    """Something begins that takes time."""

    ending: ClassVar[str] = ".start"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanStopped(SpanEvent):
    """It has ended well.

    Args:
        span: The span.
        seconds: How long it took.
    """

    ending: ClassVar[str] = ".stop"

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFailed(SpanEvent):
    """It ended with an error, a cancellation included.

    Args:
        span: The span.
        seconds: How long it took.
        error: What was raised.
    """

    ending: ClassVar[str] = ".exception"

    seconds: float
    error: BaseException


@contextmanager
def span(name: str, /, *, instance: str | None = None, **about: Any) -> Iterator[None]:
    """Tell the listeners of something that takes time.

    Args:
        name: Dotted.
        instance: The client it belongs to; that of the context if not given.
        **about: What it is told about.

    Example:
        >>> from staffa.telemetry import attach, detach
        >>> seen = []
        >>> attach(seen.append, events="staffa.docs")
        >>> with span("staffa.docs.read", page=1):
        ...     pass
        >>> detach(seen.append)
        >>> [event.name for event in seen]
        ['staffa.docs.read.start', 'staffa.docs.read.stop']
    """
    if not listening(name):
        yield
        return
    scope: dict[str, Any] = {} if instance is None else {"instance": instance}
    told = Span(name=name, about=about)
    emit(SpanStarted, span=told, **scope)
    began = SYSTEM_CLOCK.monotonic()
    try:
        yield
    except BaseException as error:
        emit(SpanFailed, span=told, seconds=SYSTEM_CLOCK.monotonic() - began, error=error, **scope)
        raise
    emit(SpanStopped, span=told, seconds=SYSTEM_CLOCK.monotonic() - began, **scope)


def observed(prefix: str, *only: str) -> Callable[[C], C]:
    """Make public coroutine methods of a class spans, named by the method.

    An attribute `instance` of the object, where there is one, says whose spans they are.

    Args:
        prefix: The beginning of the names, such as ``staffa.engine``.
        *only: The methods; all public ones if not given.
    """

    def decorate(decorated: C) -> C:
        for name, method in list(vars(decorated).items()):
            wanted = name in only if only else not name.startswith("_")
            if wanted and inspect.iscoroutinefunction(method):
                setattr(decorated, name, _in_span(f"{prefix}.{name}", method))
        return decorated

    return decorate


def _in_span(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not listening(name):
            return await method(self, *args, **kwargs)
        with span(name, instance=getattr(self, "instance", None)):
            return await method(self, *args, **kwargs)

    return run
