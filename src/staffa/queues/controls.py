"""What is to be done with each queue: the configuration or its row, as changed at run time.

The last change of an option wins, whether it was made for all processes, for a node or for this
one; versions tell which is the last, in whatever order they are learned. The row of a queue that is
kept in the database takes the place of its configuration here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from staffa.dynamic import read_options
from staffa.engine import AS_CONFIGURED, Control
from staffa.errors import ConfigError
from staffa.limits import Limits
from staffa.queue import ALL_QUEUES, MAX_LIMIT, Queue
from staffa.share import WHOLE, Share
from staffa.telemetry import report
from staffa.types import to_seconds

_OPTIONS = frozenset({"running", "paused", "limit"})
_LIFTED = object()  # a pause that has ended before the process began


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
        node: The name of its node, which decides with its environment where queues run.

    Example:
        >>> controls = Controls({"mail": Queue(limit=5)})
        >>> controls.learn([Control("*", "*", "paused", True, version=1)])
        {'*'}
        >>> controls.learn([Control("mail", "*", "limit", 2, version=2)])
        {'mail'}
        >>> controls.wanted("mail")
        Wanted(runs=True, paused=True, limit=2)
    """

    def __init__(
        self, configured: Mapping[str, Queue], share: Share = WHOLE, node: str = ""
    ) -> None:
        self._configured = configured
        self._share = share
        self._node = node
        self._rows: dict[str, Queue | None] = {}
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
            value = _LIFTED if at_start and control.value is False else control.value
            self._set[key] = (control.version, value)
            if control.option == "dynamic":
                self._read_row(control)
            changed.add(control.queue)
        return changed

    def wanted(self, queue: str) -> Wanted:
        """Return what is to be done with a queue."""
        found = self._find(queue)
        base = found or Queue()
        runs = self._value((queue, "running"))
        if runs is None:
            runs = found is not None and (base.only is None or base.only.fits(self._node))
        whole = self._value((queue, "limit"))
        limit = self._share.of(base.limit if whole is None else whole)
        paused = self._paused(queue)
        return Wanted(
            runs=limit > 0 and runs and self._is_readable(queue),
            paused=base.paused if paused is None else paused,
            limit=limit,
        )

    def options(self, queue: str) -> Queue:
        """Return all options of a queue, those that were set at run time among them."""
        wanted = self.wanted(queue)
        return replace(
            self._find(queue) or Queue(), limit=max(wanted.limit, 1), paused=wanted.paused
        )

    def limits(self, queue: str) -> Limits | None:
        """Return a queue's limits on all nodes; None if nothing here tells whether it has any."""
        found = self._find(queue)
        return None if found is None else found.limits

    def cooldown(self, queue: str) -> float:
        """Return the seconds that lie between two claims of a queue."""
        found = self._find(queue) or Queue()
        return to_seconds(found.dispatch_cooldown, "dispatch_cooldown")

    def _read_row(self, control: Control) -> None:
        if control.value is None:
            self._rows.pop(control.queue, None)
            return
        try:
            self._rows[control.queue] = read_options(control.queue, control.value)
        except ConfigError as error:
            self._rows[control.queue] = None
            report(f"queue {control.queue!r} does not run here", error)

    def _is_readable(self, queue: str) -> bool:
        return queue not in self._rows or self._rows[queue] is not None

    def _find(self, queue: str) -> Queue | None:
        """Return what a queue's row says, or else the configuration."""
        return self._rows[queue] if queue in self._rows else self._configured.get(queue)

    def _paused(self, queue: str) -> bool | None:
        keys = [(queue, "paused"), (ALL_QUEUES, "paused")]
        given = [key for key in keys if self._value(key) is not None]
        if not given:
            return None
        value = self._value(max(given, key=self._version))
        return None if value is _LIFTED else value

    def _version(self, key: tuple[str, str]) -> int:
        return self._set.get(key, (0, None))[0]

    def _value(self, key: tuple[str, str]) -> Any:
        value = self._set.get(key, (0, None))[1]
        return None if value == AS_CONFIGURED else value


def _is_sane(control: Control) -> bool:
    """Tell whether an option is known here, and its value what it has to be."""
    if control.value == AS_CONFIGURED:
        return control.option in _OPTIONS and control.queue != ALL_QUEUES
    match control.option:
        case "running":
            return isinstance(control.value, bool) and control.queue != ALL_QUEUES
        case "paused":
            return isinstance(control.value, bool)
        case "limit":
            return is_limit(control.value) and control.queue != ALL_QUEUES
        case "dynamic":
            return control.queue != ALL_QUEUES
    return False


def is_limit(value: object) -> bool:
    """Tell whether a value may be a limit that is set at run time."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_LIMIT
