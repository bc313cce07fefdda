"""What a worker does about time and errors: its time-out, its backoff, and which errors end a job.

Each is looked for where it is nearest: the row, the method of the class, the option.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from staffa._internal.shown import shown
from staffa.errors import ConfigError
from staffa.jobs import TIMEOUT_KEY, Job
from staffa.types import Seconds, State, to_seconds

Backoff = Callable[[Job], Seconds] | Callable[[Job, BaseException], Seconds]
"""Returns how long to wait until the next attempt; may take the error as well."""

ErrorTypes = type[BaseException] | Iterable[type[BaseException]]
"""An exception class, or several."""

Delay = Callable[[Job, BaseException | None], float | None]
"""Returns the seconds until the next attempt, or None for the default."""


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """Which errors end a job at once, and which have a backoff of their own.

    Where classes overlap, the nearest one to the error's own class decides.

    Args:
        ends: The state that an error of a class leads to: cancelled or discarded.
        backoffs: The backoff for errors of a class.

    Example:
        >>> policy = ErrorPolicy.of({"discard_on": LookupError, "retry_on": {KeyError: 5}})
        >>> policy.end_of((IndexError, LookupError, Exception))
        <State.DISCARDED: 'discarded'>
        >>> policy.end_of((KeyError, LookupError, Exception)) is None
        True
    """

    ends: Mapping[type[BaseException], State]
    backoffs: Mapping[type[BaseException], Delay]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ErrorPolicy:
        """Return the policy of a worker's options `discard_on`, `cancel_on` and `retry_on`.

        Raises:
            ConfigError: If they hold something else than exception classes, or one twice.
        """
        ends: dict[type[BaseException], State] = {}
        for option, state in (("discard_on", State.DISCARDED), ("cancel_on", State.CANCELLED)):
            for kind in _error_types(option, options.get(option, ())):
                _refuse_twice(kind, option, ends)
                ends[kind] = state
        backoffs: dict[type[BaseException], Delay] = {}
        retry_on = options.get("retry_on", {})
        if not isinstance(retry_on, Mapping):
            raise ConfigError(
                f"retry_on is {shown(retry_on)}: give a mapping such as {{ProviderDown: 60}}"
            )
        for kind in _error_types("retry_on", retry_on):
            _refuse_twice(kind, "retry_on", ends)
            backoffs[kind] = _delay_of(retry_on[kind], f"retry_on for {kind.__name__}")
        return cls(ends, backoffs)

    def end_of(self, classes: Iterable[type]) -> State | None:
        """Return how an error ends its job, or None if it is tried again.

        Args:
            classes: The error's class and its bases, the nearest first.
        """
        for kind in classes:
            if kind in self.backoffs:
                return None
            if kind in self.ends:
                return self.ends[kind]
        return None

    def backoff_of(self, classes: Iterable[type]) -> Delay | None:
        """Return the backoff for an error, or None if it has none of its own."""
        return next((self.backoffs[kind] for kind in classes if kind in self.backoffs), None)


def has_timeout(code: Any, default: float | None) -> bool:
    """Tell whether a job may have a time-out that its row does not hold."""
    return default is not None or (isinstance(code, type) and hasattr(code, "timeout"))


def timeout_of(code: Any, default: float | None) -> Callable[[Job], float | None]:
    """Return what tells the time-out of a job: its row, the class's method, the option.

    A class may have seconds in place of the method.
    """
    own = getattr(code, "timeout", None) if isinstance(code, type) else None
    if own is not None and not callable(own):
        default = to_seconds(own, "timeout")
        own = None
    _refuse_waiting(own, "timeout")

    def timeout(job: Job) -> float | None:
        override = job.meta.get(TIMEOUT_KEY)
        if isinstance(override, (int, float)) and not isinstance(override, bool):
            return to_seconds(override, "timeout")
        if own is not None:
            chosen = code().timeout(job)
            return None if chosen is None else to_seconds(chosen, "timeout")
        return default

    return timeout


def backoff_of(code: Any, option: Backoff | Seconds | None) -> Delay:
    """Return what tells the delay after a failed attempt: the class's method, the option.

    A class may have seconds in place of the method.
    """
    own = getattr(code, "backoff", None) if isinstance(code, type) else None
    if callable(own):
        _refuse_waiting(own, "backoff")
        return lambda job, error: _call(code().backoff, job, error)
    chosen = option if own is None else own
    if chosen is None:
        return lambda job, error: None
    return _delay_of(chosen, "backoff")


def _delay_of(option: Any, what: str) -> Delay:
    if callable(option):
        _refuse_waiting(option, what)
        return lambda job, error: _call(option, job, error)
    seconds = to_seconds(option, what)
    return lambda job, error: seconds


def _refuse_waiting(code: object, what: str) -> None:
    if inspect.iscoroutinefunction(code):
        raise ConfigError(f"{what} is an async def, but nothing waits for it: make it a plain def")


def _call(backoff: Callable[..., Seconds], job: Job, error: BaseException | None) -> float:
    takes_error = _takes_error(backoff)
    return to_seconds(backoff(job, error) if takes_error else backoff(job), "backoff")


def _takes_error(backoff: Callable[..., Seconds]) -> bool:
    """Tell whether a function has a second parameter for the error, not one of its own settings."""
    positional = [
        parameter
        for parameter in inspect.signature(backoff).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return len(positional) > 1 and (
        positional[1].default is inspect.Parameter.empty or positional[1].name == "error"
    )


def _error_types(option: str, given: object) -> list[type[BaseException]]:
    kinds = given if isinstance(given, Iterable) and not isinstance(given, type) else [given]
    return [_error_type(option, kind) for kind in kinds]


def _error_type(option: str, kind: object) -> type[BaseException]:
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return kind
    raise ConfigError(
        f"{option} has {shown(kind)}, which is no exception class: give one such as ValueError, or "
        "a list of them"
    )


def _refuse_twice(kind: type[BaseException], option: str, known: Mapping[Any, State]) -> None:
    if kind in known:
        raise ConfigError(
            f"{option} has {kind.__name__}, which leads to {known[kind]} already: name it once"
        )
