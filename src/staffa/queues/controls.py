"""What is to be done with each queue: the configuration, as changed at run time.

The last change of an option wins, whether it was made for all processes, for a node or for this
one; versions tell which is the last, in whatever order they are learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from staffa.engine import Control
from staffa.queue import ALL_QUEUES, MAX_LIMIT, Queue
from staffa.share import WHOLE, Share


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done with a queue.

    Args:
        runs: Whether it runs here at all.
        paused: Whether it claims nothing for now.
        limit: How many of its jobs run at once here; 0 if the part of other processes is all of it.
    """

    runs: bool
    paused: bool
    limit: int


class Controls:
    """The options that were set at run time, over those of the configuration.

    Args:
        configured: The queues that the process was started with.
        share: This process's part of all limits.

    Example:
        >>> controls = Controls({"mail": Queue(limit=5)})
        >>> controls.learn([Control("*", "*", "paused", True, version=1)])
        {'*'}
        >>> controls.learn([Control("mail", "*", "limit", 2, version=2)])
        {'mail'}
        >>> controls.wanted("mail")
        Wanted(runs=True, paused=True, limit=2)
    """

    def __init__(self, configured: Mapping[str, Queue], share: Share = WHOLE) -> None:
        self._configured = configured
        self._share = share
        self._set: dict[tuple[str, str], tuple[int, Any]] = {}

    def learn(self, controls: Iterable[Control], *, at_start: bool = False) -> set[str]:
        """Take in what was set, and return the queues that it is about.

        Args:
            controls: In any order.
            at_start: Whether it was set before the process began. Only pauses have outlived that:
                a queue that was resumed is as it is configured, which may be paused.
        """
        changed = set()
        for control in controls:
            key = (control.queue, control.option)
            if not _is_sane(control) or control.version <= self._version(key):
                continue
            value = None if at_start and control.value is False else control.value
            self._set[key] = (control.version, value)
            changed.add(control.queue)
        return changed

    def wanted(self, queue: str) -> Wanted:
        """Return what is to be done with a queue."""
        configured = self._configured.get(queue)
        base = configured or Queue()
        runs = self._value((queue, "running"))
        last = max((queue, "paused"), (ALL_QUEUES, "paused"), key=self._version)
        paused, whole = self._value(last), self._value((queue, "limit"))
        limit = self._share.of(base.limit if whole is None else whole)
        return Wanted(
            runs=limit > 0 and (configured is not None if runs is None else runs),
            paused=base.paused if paused is None else paused,
            limit=limit,
        )

    def _version(self, key: tuple[str, str]) -> int:
        return self._set.get(key, (0, None))[0]

    def _value(self, key: tuple[str, str]) -> Any:
        return self._set.get(key, (0, None))[1]


def _is_sane(control: Control) -> bool:
    """Tell whether an option is known here, and its value what it has to be."""
    match control.option:
        case "running":
            return isinstance(control.value, bool) and control.queue != ALL_QUEUES
        case "paused":
            return isinstance(control.value, bool)
        case "limit":
            return is_limit(control.value) and control.queue != ALL_QUEUES
    return False


def is_limit(value: object) -> bool:
    """Tell whether a value may be a limit that is set at run time."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_LIMIT
