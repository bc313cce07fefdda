"""Hooks: code that runs around jobs, of one worker or of all.

A hook is any object with some of the methods in `HOOKS`: an instance with a state of its own, a
module, or the worker's class itself. They are called in this order: those attached for all workers,
those of the option `hooks`, the class's own.

- ``before_new(args, options)`` when a job is made: returns None, or other ``(args, options)``; what
  it raises, the caller gets.
- ``before_process(job)`` before it runs: returns None to go on, or `Cancel`, `Discard` or `Snooze`
  to end the run; what it raises fails the attempt.
- ``after_process(state, job, result)`` once the outcome of a run is stored; the result is what was
  returned or raised.
- ``on_cancelled(reason, job)``, ``on_discarded(reason, job)`` once a job ended so, wherever that
  was: also without a run.

All but `before_new` may be coroutine functions. A crash in one of those that come after is reported
and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from staffa.errors import ConfigError

HOOKS = ("before_new", "before_process", "after_process", "on_cancelled", "on_discarded")
"""The names of all hooks."""

_attached: tuple[object, ...] = ()


def attach(hook: object) -> None:
    """Call a hook for the jobs of all workers of this process.

    Raises:
        ConfigError: If it has none of the methods.

    Example:
        >>> class Audit:
        ...     def on_discarded(self, reason: str, job: object) -> None: ...
        >>> audit = Audit()
        >>> attach(audit)
        >>> detach(audit)
    """
    global _attached  # noqa: PLW0603
    (checked,) = check_hooks([hook])
    if checked not in _attached:
        _attached = (*_attached, checked)


def detach(hook: object) -> None:
    """Call it no more."""
    global _attached  # noqa: PLW0603
    _attached = tuple(known for known in _attached if known is not hook)


def check_hooks(given: object) -> tuple[object, ...]:
    """Return hooks as they can be used.

    Raises:
        ConfigError: If one of them has none of the methods.
    """
    hooks = tuple(given) if isinstance(given, Iterable) else (given,)
    for hook in hooks:
        if not any(callable(getattr(hook, name, None)) for name in HOOKS):
            raise ConfigError(
                f"hook {hook!r:.200} has none of the methods {', '.join(HOOKS)}: define one"
            )
    return hooks


def find(name: str, own: Iterable[object]) -> list[Callable[..., Any]]:
    """Return the methods of a name: of the attached hooks, then of a worker's own.

    Args:
        name: One of `HOOKS`.
        own: The worker's hooks.
    """
    found = (getattr(hook, name, None) for hook in (*_attached, *own))
    return [method for method in found if callable(method)]


class OwnHooks:
    """The hooks that a worker's class has itself: each is called on a new object of it.

    `before_process` is left out: it runs on the object that then runs the job.

    Raises:
        ConfigError: If `before_new` needs an object, as there is none when a job is made.
    """

    def __init__(self, worker: type) -> None:
        for name in HOOKS:
            method = getattr(worker, name, None)
            if not callable(method) or name == "before_process":
                continue
            if name == "before_new":
                _check_needs_no_object(worker)
                setattr(self, name, method)
            else:
                setattr(self, name, _on_new_object(worker, name))


def _on_new_object(worker: type, name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return getattr(worker(), name)(*args)

    return call


def _check_needs_no_object(worker: type) -> None:
    for base in worker.__mro__:
        defined = vars(base).get("before_new")
        if isinstance(defined, classmethod | staticmethod):
            return
        if defined is not None:
            break
    raise ConfigError(
        f"{worker.__qualname__}.before_new needs an object, but there is none when a job is made: "
        "make it a classmethod or a staticmethod"
    )
