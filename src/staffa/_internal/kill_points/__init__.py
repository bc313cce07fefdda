"""Points at which a process kills itself, for tests of what that leaves behind.

``STAFFA_KILL_POINT=claim_jobs.after`` has the process end itself by SIGKILL when it first gets
there, ``claim_jobs.after:3`` at the third time; ``claim_jobs.after:1:SIGSTOP`` has it stand still
there until it gets a SIGCONT. `catalogue` has the names.

Invariants: the variable is read once, when this module is imported. While it is not set, a marked
function is the very function that was written: nothing stands around it, and nothing is looked at
when it is called. Where it is set, only the function of that point is changed.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from staffa._internal.kill_points.catalogue import BOUNDARIES, POINTS, Phase

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

KILL_POINT = "STAFFA_KILL_POINT"


@dataclass(frozen=True, slots=True)
class KillPoint:
    """Where to die.

    Args:
        boundary: The function.
        phase: Before, while or after it does its work.
        turn: At which of its calls, from 1.
        signal: What the process sends itself.
    """

    boundary: str
    phase: Phase
    turn: int = 1
    signal: signal.Signals = signal.SIGKILL


def parse_kill_point(text: str) -> KillPoint:
    """Return the point that a text names.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> parse_kill_point("claim_jobs.after:3").turn
        3
    """
    point, _, rest = text.partition(":")
    turn, _, name = rest.partition(":")
    if point not in POINTS:
        raise ValueError(f"there is no kill point {point!r:.100}; there are {', '.join(POINTS)}")
    if turn and not (turn.isdecimal() and turn.isascii() and int(turn) > 0):
        raise ValueError(f"{turn!r:.100} is no turn: give a number from 1, as in {point}:3")
    boundary, _, phase = point.partition(".")
    known = ("SIGKILL",) if phase == "sent" else ("SIGKILL", "SIGSTOP")
    if name and name not in known:
        raise ValueError(f"{name!r:.100} can't be sent at {point}: give {' or '.join(known)}")
    return KillPoint(
        boundary, cast("Phase", phase), int(turn or 1), signal.Signals[name or "SIGKILL"]
    )


def boundary(name: str) -> Callable[[F], F]:
    """Mark a function as a boundary of the catalogue.

    Raises:
        KeyError: If the catalogue has no such name.
    """
    if name not in BOUNDARIES:
        raise KeyError(name)
    armed = _ARMED if _ARMED is not None and _ARMED.boundary == name else None

    def mark(function: F) -> F:
        return function if armed is None else _make_deadly(function, armed)

    return mark


def boundaries(marked: C) -> C:
    """Mark all methods of a class that the catalogue names."""
    for name in BOUNDARIES.keys() & vars(marked).keys():
        setattr(marked, name, boundary(name)(vars(marked)[name]))
    return marked


def sender(send: Callable[..., Awaitable[bool]]) -> Callable[[F], F]:
    """Mark the coroutine function of a driver that runs a statement.

    Args:
        send: Called with the same arguments; sends the statement without reading the reply, and
            tells whether it was the last one, after which the process is to die.
    """

    def mark(function: F) -> F:
        if _ARMED is None or _ARMED.phase != "sent":
            return function

        @functools.wraps(function)
        async def run(*args: Any) -> Any:
            if _doomed.get() and await send(*args):
                _strike(_ARMED)
            return await function(*args)

        return cast("F", run)

    return mark


def _strike(point: KillPoint) -> None:
    """Have the kernel end or stop this process."""
    os.write(2, f"{point.signal.name} at {point.boundary}.{point.phase}\n".encode())
    os.kill(os.getpid(), point.signal)


class _Turns:
    """Counts the calls of a boundary, on whatever thread.

    Args:
        point: Whose turn is awaited.
    """

    def __init__(self, point: KillPoint) -> None:
        self._point = point
        self._count = 0
        self._lock = threading.Lock()

    def has_come(self) -> bool:
        """Count a call, and tell whether it is the one."""
        with self._lock:
            self._count += 1
            return self._count == self._point.turn

    def reach(self, phase: Phase) -> None:
        """Be at a phase; strike if it is the one, and the turn has come."""
        if phase == self._point.phase and self.has_come():
            _strike(self._point)


def _make_deadly(function: F, point: KillPoint) -> F:
    turns = _Turns(point)
    run: Callable[..., Any]
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            turns.reach("before")
            if point.phase == "sent":
                _doomed.set(turns.has_come())
            try:
                result = await function(*args, **kwargs)
            finally:
                _doomed.set(False)
            turns.reach("after")
            return result
    else:

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            turns.reach("before")
            result = function(*args, **kwargs)
            turns.reach("after")
            return result

    return cast("F", run)


def _read_environment() -> KillPoint | None:
    """Return what the environment says; whether that can be used, the configuration tells."""
    try:
        return parse_kill_point(os.environ[KILL_POINT])
    except (KeyError, ValueError):
        return None


_ARMED = _read_environment()
_doomed: ContextVar[bool] = ContextVar("staffa_doomed", default=False)
