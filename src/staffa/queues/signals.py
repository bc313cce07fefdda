"""Obeys what other implementations signal about queues.

A signal of a peer comes without a row of ours, so it is written to one first, for this process: a
process hears signals in the order in which they were sent, but not at the same time as others, and
two that wrote to one row could undo the later signal by the earlier one. The leader alone also
writes a pause or its end for everybody, so that it outlives processes.

Signals of our own clients change rows before they are sent, and each comes with a twin on a channel
of our own. The twin arrives first; by it the signal is known, and left alone.

Notifications are hints from a channel that anybody may write to: unknown queues, options and
values are left out, the queues that can be started this way are limited, and what comes while rows
are written waits together, the last value of an option alone, for the next write.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from staffa._internal.identifiers import is_storable_name
from staffa.engine import EVERYBODY, Control, Engine, Producer, process_scope
from staffa.errors import DataRefused
from staffa.queue import ALL_QUEUES
from staffa.queues.controls import is_limit
from staffa.queues.inbox import Inbox
from staffa.telemetry import report

MOST_STARTED = 100
"""How many queues peers' signals can start in a process."""

_MOST_TWINS = 100
_KEY_LENGTH = 300
_CONFIGURED = frozenset({"global_limit", "rate_limit"})
_TELLING = ("action", "queue", "ident", "limit", "paused", "job_id")

_Key = tuple[str | int | None, ...]


class Signals(Inbox[tuple[str, str, str], Control]):
    """Writes peers' signals to rows, and has them obeyed.

    Args:
        engine: Where the rows are.
        producer: Who this process is.
        runs: Tells whether a queue runs here.
        leading: Tells whether this process leads.
        on_written: Called with what was written.
    """

    def __init__(
        self,
        engine: Engine,
        producer: Producer,
        *,
        runs: Callable[[str], bool],
        leading: Callable[[], bool],
        on_written: Callable[[Sequence[Control]], None],
    ) -> None:
        super().__init__("signals about queues")
        self._engine = engine
        self._name = producer.name
        self._own_scope = process_scope(producer)
        self._runs = runs
        self._leading = leading
        self._on_written = on_written
        self._twins: deque[_Key] = deque(maxlen=_MOST_TWINS)
        self._started: set[str] = set()
        self._told: set[str] = set()

    def expect(self, signal: Mapping[str, Any]) -> None:
        """Note that a signal is to come that one of our own clients has sent."""
        self._twins.append(_key_of(signal))

    def is_own(self, signal: Mapping[str, Any]) -> bool:
        """Tell whether a signal is one that was expected; it is not from then on."""
        key = _key_of(signal)
        if key not in self._twins:
            return False
        self._twins.remove(key)
        return True

    def hear(self, signal: Mapping[str, Any]) -> None:
        """Take a signal that is meant for us; what it sets is written soon."""
        if self.is_own(signal):
            return
        queue, settings = read_signal(signal)
        if not settings or not self._may_set(queue, settings):
            return
        for option in sorted(_CONFIGURED & signal.keys()):
            self._report_once(f"option {option!r}", "limits of all nodes are configured")
        for option, value in settings.items():
            self._add(Control(queue, self._own_scope, option, value))
            if option == "paused" and signal.get("ident", "any") == "any" and self._leading():
                self._add(Control(queue, EVERYBODY, option, value))

    async def write(self, items: Sequence[Control]) -> None:
        """Write what signals have set, and have it obeyed."""
        try:
            written = await self._engine.control_queues(self._name, items)
        except DataRefused as error:
            report("signals about queues can't be written", error)
        else:
            self._on_written(written)

    def _add(self, control: Control) -> None:
        self.put((control.queue, control.scope, control.option), control)

    def _may_set(self, queue: str, settings: Mapping[str, Any]) -> bool:
        if queue == ALL_QUEUES or queue in self._started or self._runs(queue):
            return True
        if not settings.get("running"):
            return False
        if len(self._started) >= MOST_STARTED:
            self._report_once("the start of a queue", f"{MOST_STARTED} were started by signals")
            return False
        self._started.add(queue)
        return True

    def _report_once(self, what: str, why: str) -> None:
        if what not in self._told:
            self._told.add(what)
            report(f"{what} of a signal is ignored", ValueError(why), level=logging.WARNING)


def _key_of(signal: Mapping[str, Any]) -> _Key:
    """Return what tells one sane signal from another, short whatever it holds."""
    values = (signal.get(key) for key in _TELLING)
    return tuple(
        value[:_KEY_LENGTH] if isinstance(value, str) else value
        for value in values
        if value is None or isinstance(value, str | int)
    )


def read_signal(signal: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the queue of a peer's signal, and the options that it sets; none if it is not sane.

    Example:
        >>> read_signal({"action": "scale", "queue": "mail", "limit": 5, "refresh_interval": 30000})
        ('mail', {'limit': 5})
        >>> read_signal({"action": "scale", "queue": "mail", "limit": "5"})
        ('mail', {})
    """
    queue, action = signal.get("queue"), signal.get("action")
    if not is_storable_name(queue):
        return "", {}
    name = str(queue)
    if action in ("pause", "resume"):
        return name, {"paused": action == "pause"}
    if name == ALL_QUEUES:
        return name, {}
    if action == "stop":
        return name, {"running": False}
    if action not in ("scale", "start"):
        return name, {}
    settings: dict[str, Any] = {"running": True} if action == "start" else {}
    checks: dict[str, Callable[[object], bool]] = {
        "limit": is_limit,
        "paused": lambda value: isinstance(value, bool),
    }
    for option, is_sane in checks.items():
        if option in signal:
            if not is_sane(signal[option]):
                return name, {}
            settings[option] = signal[option]
    return name, settings
