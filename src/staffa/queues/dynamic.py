"""Plans what becomes of queues that are kept in the database, without asking it.

Each plan is made of all rows of an instance while nobody else can change them, and writes those
that change. What a row says is what a process begins with; processes that live also obey what was
set before at run time, so a plan sets the options that it changes anew, or takes back what was set.

Synchronising compares what the configuration says with what it said last, option by option: what
was changed at run time stays until the configuration changes that option, or another one that can't
be together with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from staffa.dynamic import DynamicQueue, read_options, write_options
from staffa.engine import AS_CONFIGURED, EVERYBODY, Control, QueueChanges
from staffa.errors import ConfigError, UnknownOption
from staffa.queue import MAX_LIMIT, Queue

Happened = Literal["inserted", "updated", "deleted"]

_LIFTS: Mapping[str, tuple[str, ...]] = {
    "inserted": ("running", "limit"),
    "updated": (),
    "deleted": ("running", "limit", "paused"),
}


@dataclass(slots=True)
class Plan:
    """What is to change, and what it means.

    Args:
        happened: The queues that change, and what happens to them.
    """

    happened: list[tuple[Happened, DynamicQueue]] = field(default_factory=list)
    _rows: list[DynamicQueue] = field(default_factory=list)
    _controls: list[Control] = field(default_factory=list)

    @property
    def changes(self) -> QueueChanges:
        """What is to be written."""
        return QueueChanges(rows=self._rows, controls=self._controls)

    def put(self, old: DynamicQueue | None, new: DynamicQueue) -> None:
        """Have a row written, if it differs from what is there."""
        if new == old or (old is None and new.deleted):
            return
        self._rows.append(new)
        was_there = old is not None and not old.deleted
        before = dict(old.options) if old is not None and was_there else {}
        if new.deleted:
            happened: Happened = "deleted"
            if not was_there:
                return  # the configuration alone has changed its mind
        elif not was_there:
            happened = "inserted"
        elif before == new.options:
            return
        else:
            happened = "updated"
        self.happened.append((happened, new))
        self._controls += _controls(happened, before, new)


def insert(rows: Sequence[DynamicQueue], queues: Mapping[str, Queue]) -> Plan:
    """Plan queues that are to be there with these options, whatever was there before."""
    plan, found = Plan(), _by_name(rows)
    for name, queue in queues.items():
        old = found.get(name)
        new = old or DynamicQueue(queue=name, options={})
        plan.put(old, replace(new, options=write_options(queue), deleted=False))
    return plan


def update(rows: Sequence[DynamicQueue], name: str, options: Mapping[str, Any]) -> Plan:
    """Plan a queue some of whose options change; None takes one back to its default.

    Raises:
        UnknownOption: If there is no such queue.
        ConfigError: If an option can't be used.
    """
    plan, old = Plan(), _find(rows, name)
    wanted = {**old.options, **options}
    given = {option: value for option, value in wanted.items() if value is not None}
    written = write_options(read_options(name, given))
    plan.put(old, replace(old, options=written))
    return plan


def delete(rows: Sequence[DynamicQueue], name: str) -> Plan:
    """Plan the end of a queue; nothing, if there is none."""
    plan, old = Plan(), _by_name(rows).get(name)
    if old is not None:
        plan.put(old, replace(old, deleted=True))
    return plan


def synchronise(
    rows: Sequence[DynamicQueue], configured: Mapping[str, Queue], *, absent: bool
) -> Plan:
    """Plan what follows from the configuration of a process that starts.

    Args:
        rows: What is there.
        configured: The queues of the configuration.
        absent: Whether queues that it does not have are deleted.
    """
    plan, found = Plan(), _by_name(rows)
    for name, queue in configured.items():
        old, options = found.get(name), write_options(queue)
        if old is None:
            plan.put(None, DynamicQueue(queue=name, options=options, configured=options))
        elif old.deleted:
            back = old.configured != options
            new = replace(old, options=options, configured=options, deleted=False)
            plan.put(old, new if back else old)
        else:
            merged = _merge(old, options)
            if _is_readable(old, old.options) and not _is_readable(old, merged):
                merged = options  # what was changed at run time does not go with the news
            plan.put(old, replace(old, options=merged, configured=options))
    if absent:
        for name, old in found.items():
            if name not in configured:
                plan.put(old, replace(old, configured=None, deleted=True))
    return plan


def _merge(old: DynamicQueue, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with those that the configuration has changed since it was seen last."""
    options, last = dict(old.options), old.configured or {}
    for option in last.keys() | configured.keys():
        if last.get(option) != configured.get(option):
            options.pop(option, None)
            if option in configured:
                options[option] = configured[option]
    return options


def _is_readable(row: DynamicQueue, options: Mapping[str, Any]) -> bool:
    try:
        read_options(row.queue, options)
    except ConfigError:
        return False
    return True


def _controls(happened: Happened, before: Mapping[str, Any], new: DynamicQueue) -> list[Control]:
    """Return what living processes are told beside the row."""
    settings: dict[str, Any] = dict.fromkeys(_LIFTS[happened], AS_CONFIGURED)
    if not new.deleted:
        after, plain = new.options, Queue()
        if after.get("only") != before.get("only"):
            settings["running"] = AS_CONFIGURED
        if happened == "updated" and after.get("limit") != before.get("limit"):
            limit = after.get("limit", plain.limit)
            settings["limit"] = limit if limit <= MAX_LIMIT else AS_CONFIGURED
        if after.get("paused", False) != before.get("paused", False):
            settings["paused"] = after.get("paused", False)
    return [Control(new.queue, EVERYBODY, option, value) for option, value in settings.items()]


def _by_name(rows: Sequence[DynamicQueue]) -> dict[str, DynamicQueue]:
    return {row.queue: row for row in rows}


def _find(rows: Sequence[DynamicQueue], name: str) -> DynamicQueue:
    there = {row.queue: row for row in rows if not row.deleted}
    if name not in there:
        raise UnknownOption("dynamic queue", name, there)
    return there[name]
