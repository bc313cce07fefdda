"""Hooks: code that runs around jobs, of one worker or of all.

A hook is any object with some of the methods in `HOOKS`: an instance with a state of its own, a
module, or the worker's class itself. They are called in this order: those attached for all workers,
those of the option `hooks`, the class's own.

- ``before_new(args, options)`` when a job is made of its worker: returns None, or other ``(args,
  options)``; what it raises, the caller gets.
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

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from staffa.errors import ConfigError
from staffa.results import Cancel, Discard, Snooze

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
    if not any(known is checked for known in _attached):
        _attached = (*_attached, checked)


def detach(hook: object) -> None:
    """Call it no more."""
    global _attached  # noqa: PLW0603
    _attached = tuple(known for known in _attached if known is not hook)


def attached() -> bool:
    """Tell whether there are hooks for the jobs of all workers."""
    return bool(_attached)


def check_hooks(given: object) -> tuple[object, ...]:
    """Return hooks as they can be used.

    Raises:
        ConfigError: If one of them has none of the methods, or one that can't be called.
    """
    hooks = tuple(given) if isinstance(given, Iterable) else (given,)
    for hook in hooks:
        names = [name for name in HOOKS if callable(getattr(hook, name, None))]
        if not names:
            raise ConfigError(
                f"hook {hook!r:.200} has none of the methods {', '.join(HOOKS)}: define one"
            )
        if isinstance(hook, type) and any(_needs_object(hook, name) for name in names):
            raise ConfigError(
                f"hook {hook.__qualname__} is a class, and its methods need an object: give "
                f"{hook.__qualname__}()"
            )
        _check_waits_for_nothing(hook)
    return hooks


def find(name: str, own: Sequence[object]) -> list[Callable[..., Any]]:
    """Return the methods of a name: of the attached hooks, then of a worker's own.

    Args:
        name: One of `HOOKS`.
        own: The worker's hooks.
    """
    if not _attached and not own:  # asked thrice of each job
        return []
    found = (getattr(hook, name, None) for hook in (*_attached, *own))
    return [method for method in found if callable(method)]


def prepare_new(
    args: Mapping[str, Any], options: Mapping[str, Any], own: Sequence[object]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the args and options of a new job, as the hooks want them.

    Hooks get dicts of their own: what they change in them, they change for this job alone.

    Raises:
        ConfigError: If a hook returns something else than a pair of mappings.
    """
    for hook in find("before_new", own):
        args, options = dict(args), dict(options)
        changed = hook(args, options)
        if changed is None:
            continue
        if (
            not isinstance(changed, tuple)
            or len(changed) != 2
            or not all(isinstance(part, Mapping) for part in changed)
        ):
            raise ConfigError(
                f"hook {name_of(hook)} returned a {type(changed).__name__} in place of a pair of "
                "mappings: return None, or args and options"
            )
        args, options = changed
    return args, options


def check_ending(hook: Callable[..., Any], found: object) -> Cancel | Discard | Snooze | None:
    """Return what a `before_process` wants done instead of the run; None to go on.

    Raises:
        ConfigError: If it returned something else: the job would be taken for done.
    """
    if found is None or isinstance(found, Cancel | Discard | Snooze):
        return found
    raise ConfigError(
        f"hook {name_of(hook)} returned {found!r:.200}: return None, Cancel, Discard or Snooze"
    )


def name_of(hook: Callable[..., Any]) -> str:
    """Return how a hook is called in reports."""
    return str(getattr(hook, "__qualname__", None) or repr(hook))[:200]


class OwnHooks:
    """The hooks that a worker's class has itself: each is called on a new object of it.

    `before_process` is left out: it runs on the object that then runs the job.

    Raises:
        ConfigError: If `before_new` needs an object, as there is none when a job is made, or waits.
    """

    def __init__(self, worker: type) -> None:
        for name in HOOKS:
            method = getattr(worker, name, None)
            if not callable(method) or name == "before_process":
                continue
            if name == "before_new":
                _check_needs_no_object(worker)
                _check_waits_for_nothing(worker)
                setattr(self, name, method)
            else:
                setattr(self, name, _on_new_object(worker, name))


def _on_new_object(worker: type, name: str) -> Callable[..., Any]:
    @functools.wraps(getattr(worker, name))  # so that it is seen whether it waits
    def call(*args: Any) -> Any:
        return getattr(worker(), name)(*args)

    return call


def _check_needs_no_object(worker: type) -> None:
    if _needs_object(worker, "before_new"):
        raise ConfigError(
            f"{worker.__qualname__}.before_new needs an object, but there is none when a job is "
            "made: make it a classmethod or a staticmethod"
        )


def _needs_object(code: type, name: str) -> bool:
    """Tell whether a method of a class is called on its objects."""
    defined = next((vars(base)[name] for base in code.__mro__ if name in vars(base)), None)
    return inspect.isfunction(defined)


def _check_waits_for_nothing(hook: object) -> None:
    method = getattr(hook, "before_new", None)
    if callable(method) and inspect.iscoroutinefunction(inspect.unwrap(method)):
        raise ConfigError(
            f"before_new of {hook!r:.200} is async def, but jobs are made without waiting: make it "
            "a plain def"
        )
